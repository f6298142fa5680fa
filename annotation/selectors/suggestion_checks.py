"""Suggestions to say yes or no to: which slots have one that may be shown, and what the page shows of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import User
from annotation.models import Annotation, Labeller, Prelabel, Project, Rejection, SchemaVersion, Slot
from annotation.selectors import prelabel_policy
from annotation.selectors import queue as queue_selectors
from annotation.selectors.choices import choices
from annotation.selectors.value_text import value_text
from annotation.task_types import registry
from annotation.task_types.content import content_of
from annotation.task_types.registry import InvalidValue


def with_suggestion(slots: QuerySet[Slot]) -> QuerySet[Slot]:
    """Slots whose item has a suggestion that nobody has called wrong; evaluation slots never."""
    kinds = [Labeller.Kind.MODEL, Labeller.Kind.RULE]
    suggested = Prelabel.objects.filter(item=OuterRef("item"), labeller__kind__in=kinds)
    rejected = Rejection.objects.filter(prelabel__item=OuterRef("item"), is_taken_back=False)
    found = slots.filter(Exists(suggested)).exclude(Exists(rejected))
    return found.exclude(purpose=Slot.Purpose.EVALUATION)


def to_check(project: Project, schema: SchemaVersion, slots: Sequence[Slot]) -> dict[int, Prelabel]:
    """By slot id, the suggestions that are shown (not closed to them, not hidden by the draw) and are whole
    answers to their item. One query.
    """
    definition = schema.definition
    found = {}
    showings = prelabel_policy.showings(project, slots, definition)
    for slot in slots:
        showing = showings.get(slot.pk)
        if showing is None or showing.mode != Annotation.PrelabelMode.SHOWN:
            continue
        try:
            value = showing.prelabel.value
            registry.validate_value(definition, value, content_of(slot.item.text, slot.item.data))
        except InvalidValue:
            continue  # it answers a part only, or an older schema
        found[slot.pk] = showing.prelabel
    return found


def cards(project: Project, user: User, slots: Sequence[Slot], schema: SchemaVersion) -> list[dict[str, Any]]:
    """The slots as page and API show them: the payload of the labelling page, and the suggestion in words
    (`said`) and painted into the text (`marks`, where it has spans).
    """
    payloads = queue_selectors.payloads(project, user, slots, schema=schema)
    found = []
    for payload in payloads:
        value = payload.prelabel["value"] if payload.prelabel else {}
        found.append(
            {
                **payload.to_json(),
                "said": said(schema.definition, value, payload.text),
                "marks": marks(schema.definition, value, payload.text),
            }
        )
    return found


def said(definition: Mapping[str, Any], value: Mapping[str, Any], text: str) -> str:
    """The suggestion in words; spans by the text that they mark, since places alone say nothing."""
    parts = []
    for field in definition["fields"]:
        if field["name"] not in value:
            continue
        spans = value[field["name"]].get("spans", ()) if field["type"] == "spans" else ()
        if spans:
            names = {one.id: one.name for one in choices(field)}
            marked = (
                f"“{text[one['start'] : one['end']]}” {names.get(one['label'], one['label'])}"
                for one in spans
            )
            parts.append(" · ".join(marked))
        else:
            parts.append(value_text(definition, {field["name"]: value[field["name"]]}))
    return " · ".join(parts)


def marks(definition: Mapping[str, Any], value: Mapping[str, Any], text: str) -> list[dict[str, str]] | None:
    """The text cut where a span begins or ends: [{"text", "label", "colour"}], labels joined where spans overlap
    and empty between them. None where the value has no spans.
    """
    spans: list[tuple[int, int, str, str]] = []
    for field in definition["fields"]:
        if field["type"] == "spans" and field["name"] in value:
            names = {one.id: (one.name, one.colour) for one in choices(field)}
            for span in value[field["name"]].get("spans", ()):
                name, colour = names.get(span["label"], (span["label"], ""))
                spans.append((span["start"], span["end"], name, colour))
    if not spans:
        return None
    cuts = sorted({0, len(text), *_edges(spans, len(text))})
    pieces = []
    for start, end in zip(cuts, cuts[1:], strict=False):
        over = [(name, colour) for a, b, name, colour in spans if a <= start and end <= b]
        label = " · ".join(name for name, _colour in over)
        pieces.append({"text": text[start:end], "label": label, "colour": over[-1][1] if over else ""})
    return pieces


def _edges(spans: Iterable[tuple[int, int, str, str]], length: int) -> Iterable[int]:
    for start, end, _name, _colour in spans:
        yield min(start, length)
        yield min(end, length)
