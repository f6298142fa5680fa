"""What a reviewer sees of one review: the item, who said what (without names), what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from annotation.models import Annotation, Labeller, Review, SchemaVersion
from annotation.selectors import schemas
from annotation.selectors.queue import presentation_seed, shown_content, shown_meta
from annotation.selectors.value_text import trace_text, value_text
from annotation.task_types import registry
from annotation.task_types.content import content_of

# A reviewer judges the answer, not the person: people are numbered in the order in which they answered.


@dataclass(frozen=True)
class Look:
    """One answer to the item. `person` counts from one; 0 is an import, or whatever else is no person.

    `said` calls responses by the letters of the reviewer's screen; `edits` says how far a text is from its
    draft.
    """

    person: int
    value: dict[str, Any]
    said: str
    active_seconds: float | None
    accepted: bool
    is_checked: bool
    edits: str = ""


@dataclass(frozen=True)
class Card:
    """`given` is the value under a spot check, and empty for a dispute; `said` the same in words, `edits` how
    far it is from its draft. `drafts`: what the answer, or any answer to the item, began from, by field.
    """

    review: Review
    text: str
    content: dict[str, Any]
    meta: list[dict[str, str]]
    given: dict[str, Any]
    said: str
    edits: str
    drafts: dict[str, Any]
    looks: list[Look]


def card(review: Review, schema: SchemaVersion | None = None) -> Card:
    """Two queries, or three without the schema. Responses stand in an order that is the review's own."""
    review = Review.objects.select_related("item", "annotation__prelabel", "project").get(pk=review.pk)
    item, checked = review.item, review.annotation
    definition = (schema or schemas.require(review.project)).definition
    content = shown_content(item.data, presentation_seed(review.uuid, item.uuid))
    current = Annotation.objects.filter(
        item=item, is_retraction=False, superseded_by__isnull=True
    ).select_related("labeller")
    people: dict[int, int] = {}
    looks = []
    for one in current.order_by("pk"):
        is_person = one.labeller.kind == Labeller.Kind.PERSON
        number = people.setdefault(one.labeller_id, len(people) + 1) if is_person else 0
        looks.append(
            Look(
                number,
                one.value,
                _said(definition, one.value, content, item.text),
                one.active_ms / 1000 if one.active_ms else None,
                one.accepted_prelabel,
                one.pk == review.annotation_id,
                trace_text(one.trace),
            )
        )
    given = dict(checked.value) if checked else {}
    return Card(
        review=review,
        text=item.text,
        content=content,
        meta=shown_meta(definition, item.meta),
        given=given,
        said=_said(definition, given, content, item.text),
        edits=trace_text(checked.trace) if checked else "",
        drafts=_drafts(definition, review),
        looks=looks,
    )


def _said(
    definition: Mapping[str, Any], value: Mapping[str, Any], content: Mapping[str, Any], text: str
) -> str:
    """The value in words, responses by their letters on the reviewer's screen."""
    order = [one["id"] for one in content.get("responses", ())]
    return value_text(definition, value, order=order, text=text)


def _drafts(definition: Mapping[str, Any], review: Review) -> dict[str, Any]:
    """What the checked answer began from: the suggestion that was shown, else what the item brings."""
    checked = review.annotation
    was_shown = checked is not None and checked.prelabel_mode == Annotation.PrelabelMode.SHOWN
    prelabel = checked.prelabel if checked is not None and was_shown else None
    item = review.item
    return registry.drafts(definition, prelabel.value if prelabel else None, content_of(item.text, item.data))
