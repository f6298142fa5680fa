"""Spans of the text with a label each, and relations between them.

A field of this type:
    {"name": "entities", "type": "spans", "labels": [...], "nested": false, "overlapping": false,
     "relations": [{"id": "works-for", "name": "works for"}], "whole_words": false}
Its answer:
    {"spans": [{"start": 0, "end": 3, "label": "person"}, {"start": 14, "end": 18, "label": "company"}],
     "relations": [{"from": 0, "to": 1, "label": "works-for"}]}
`start` and `end` count Unicode code points of the item's raw text, `end` behind the last one, so that
`text[start:end]` in Python is the span; JavaScript counts UTF-16 units and has to convert. Spans stand in the
order of (start, -end, label); relations name them by position in that order.

"nested" allows a span inside another, "overlapping" allows all; the same span with the same label never comes
twice. "whole_words" is for the page that people mark on: where a selection ends inside a word the rest of it is
taken in, in scripts that have spaces between words. What comes by other ways is taken as given.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

from accounts.sentences import gettext_noop as _
from annotation.task_types import labels as label_lists
from annotation.task_types.content import Content
from annotation.task_types.values import Combined, InvalidDefinition, InvalidValue, shown

OPTIONS = frozenset({"labels", "nested", "overlapping", "relations", "whole_words"})
UNIT = "unicode code points"
MAXIMUM_SPANS = 2000
LONGEST_FORM = 1_000_000
LONGEST_QUOTE = 40  # characters of a span in words
_Span = tuple[int, int, str]


def validate_field(field: Mapping[str, Any]) -> None:
    label_lists.validate_labels(field, minimum=1)
    for name in ("nested", "overlapping", "whole_words"):
        if not isinstance(field.get(name, False), bool):
            raise InvalidDefinition(
                _("%(name)s of field %(field)s is not true or false"), name=name, field=shown(field["name"])
            )
    if field.get("relations"):
        label_lists.validate_labels(field, key="relations", minimum=1)


def validate_answer(field: Mapping[str, Any], answer: Any, content: Content | None = None) -> dict[str, Any]:
    """The answer in its one order; `InvalidValue` where a span lies outside the text, holds only white space,
    crosses another against the schema or comes twice, or a relation names no span.
    """
    if not isinstance(answer, Mapping) or not _is_list(answer.get("spans")):
        raise InvalidValue(
            _('found %(answer)s for %(field)s, expected {"spans": [...]}'),
            answer=shown(answer),
            field=shown(field["name"]),
        )
    if len(answer["spans"]) > MAXIMUM_SPANS:
        raise InvalidValue(
            _("found %(count)s spans, the limit is %(most)s: mark fewer"),
            count=len(answer["spans"]),
            most=MAXIMUM_SPANS,
        )
    given = [_span(field, one, content) for one in answer["spans"]]
    order = sorted(range(len(given)), key=lambda at: (given[at][0], -given[at][1], given[at][2]))
    spans = [given[at] for at in order]
    _check_overlap(field, spans)
    position = {old: new for new, old in enumerate(order)}
    found: dict[str, Any] = {"spans": [{"start": s, "end": e, "label": label} for s, e, label in spans]}
    if field.get("relations"):
        found["relations"] = _relations(field, answer.get("relations", ()), position)
    elif answer.get("relations"):
        raise InvalidValue(_("field %(field)s has no relations: leave them out"), field=shown(field["name"]))
    return found


def _span(field: Mapping[str, Any], one: Any, content: Content | None) -> _Span:
    if not isinstance(one, Mapping):
        raise InvalidValue(
            _("found %(given)s among the spans, expected start, end and label"), given=shown(one)
        )
    start, end = one.get("start"), one.get("end")
    if not _is_count(start) or not _is_count(end) or not 0 <= start < end:  # type: ignore[operator]
        raise InvalidValue(
            _("found a span from %(start)s to %(end)s, expected 0 <= start < end"),
            start=shown(start),
            end=shown(end),
        )
    assert isinstance(start, int) and isinstance(end, int)
    if content is not None:
        if end > len(content.text):
            raise InvalidValue(
                _(
                    "a span ends at %(end)s and the text has %(count)s characters: count in Unicode code points"
                ),
                end=end,
                count=len(content.text),
            )
        if not content.text[start:end].strip():
            raise InvalidValue(
                _("the span from %(start)s to %(end)s holds only white space: mark words"),
                start=start,
                end=end,
            )
    return start, end, label_lists.check_label(field, one.get("label"))


def _check_overlap(field: Mapping[str, Any], spans: Sequence[_Span]) -> None:
    if len(set(spans)) < len(spans):
        raise InvalidValue(_("the same span with the same label comes twice: take one away"))
    if field.get("overlapping"):
        return
    open_ones: list[_Span] = []  # spans that reach over the present one, the outermost first
    for span in spans:
        while open_ones and open_ones[-1][1] <= span[0]:
            open_ones.pop()
        if open_ones:
            outer = open_ones[-1]
            inside = span[1] <= outer[1]
            if not (field.get("nested") and inside):
                raise InvalidValue(
                    _(
                        "the span %(span)s lies inside the span %(outer)s, which this project does not allow: "
                        "change one of them"
                    )
                    if inside
                    else _(
                        "the span %(span)s overlaps the span %(outer)s, which this project does not allow: "
                        "change one of them"
                    ),
                    span=f"{span[0]}–{span[1]}",
                    outer=f"{outer[0]}–{outer[1]}",
                )
        open_ones.append(span)


def _relations(field: Mapping[str, Any], given: Any, position: Mapping[int, int]) -> list[dict[str, Any]]:
    if given is not None and not _is_list(given):
        raise InvalidValue(
            _("found %(given)s for relations, expected a list of from, to and label"), given=shown(given)
        )
    known = [one["id"] for one in field["relations"]]
    found: set[tuple[int, int, str]] = set()
    for one in given or ():
        ends: list[Any] = [one.get("from"), one.get("to")] if isinstance(one, Mapping) else [None, None]
        if not all(_is_count(end) and end in position for end in ends) or ends[0] == ends[1]:
            raise InvalidValue(
                _("found the relation %(relation)s, expected from and to of two different spans"),
                relation=shown(one),
            )
        if one.get("label") not in known:
            raise InvalidValue(
                _("relation %(relation)s is not in the schema: use %(known)s"),
                relation=shown(one.get("label")),
                known=", ".join(known),
            )
        found.add((position[ends[0]], position[ends[1]], one["label"]))
    return [{"from": a, "to": b, "label": label} for a, b, label in sorted(found)]


def _is_list(given: Any) -> bool:
    return isinstance(given, Sequence) and not isinstance(given, (str, bytes))


def _is_count(given: Any) -> bool:
    return isinstance(given, int) and not isinstance(given, bool)


def json_schema(field: Mapping[str, Any]) -> dict[str, Any]:
    def records(**properties: Any) -> dict[str, Any]:
        return {
            "type": "array",
            "items": {"type": "object", "properties": properties, "required": list(properties)},
        }

    number = {"type": "integer", "minimum": 0}
    labels = {"type": "string", "enum": label_lists.answers_of(field)}
    properties = {"spans": records(start=number, end=number, label=labels)}
    if field.get("relations"):
        kinds = {"type": "string", "enum": [one["id"] for one in field["relations"]]}
        properties["relations"] = records(**{"from": number, "to": number, "label": kinds})
    return {"type": "object", "properties": properties, "required": ["spans"]}


def distance(field: Mapping[str, Any], a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    """1 − Dice over labelled characters, in [0, 1]: a character under a label counts once for each label.

    Near misses at a border differ little, a wrong label wholly; two empty answers agree. Where one of the two
    has relations, half of it is 1 − Dice over relations between the same spans. O(characters).
    """
    spans = _one_minus_dice(_characters(a), _characters(b))
    if not a.get("relations") and not b.get("relations"):
        return spans
    return (spans + _one_minus_dice(set(_links(a)), set(_links(b)))) / 2


def _one_minus_dice(one: Set[Any], two: Set[Any]) -> float:
    return 1.0 - 2.0 * len(one & two) / (len(one) + len(two)) if one or two else 0.0


def _characters(answer: Mapping[str, Any]) -> set[tuple[int, str]]:
    return {(at, span["label"]) for span in answer["spans"] for at in range(span["start"], span["end"])}


def _as_tuple(span: Mapping[str, Any]) -> _Span:
    return span["start"], span["end"], span["label"]


def combine(field: Mapping[str, Any], answers: Sequence[Mapping[str, Any]]) -> Combined:
    """Each exact span by its own majority (relations alike); where half the people marked one and half did
    not, or the winners may not stand together, all wait for a person. Posterior: share by "start-end-label".
    """
    n = len(answers)
    counts = Counter(_as_tuple(span) for answer in answers for span in answer["spans"])
    posterior = {f"{s}-{e}-{label}": count / n for (s, e, label), count in sorted(counts.items())}
    kept = sorted(
        (span for span, count in counts.items() if 2 * count > n), key=lambda s: (s[0], -s[1], s[2])
    )
    links = Counter(link for answer in answers for link in _links(answer))
    tied = any(2 * count == n for count in (*counts.values(), *links.values()))
    try:
        _check_overlap(field, kept)
    except InvalidValue:
        tied = True
    if tied:
        return Combined(None, posterior)
    place = {span: at for at, span in enumerate(kept)}
    found: dict[str, Any] = {"spans": [{"start": s, "end": e, "label": label} for s, e, label in kept]}
    if field.get("relations"):
        agreed = [
            link for link, count in links.items() if 2 * count > n and link[0] in place and link[1] in place
        ]
        found["relations"] = [
            {"from": a, "to": b, "label": label}
            for a, b, label in sorted((place[one], place[two], label) for one, two, label in agreed)
        ]
    return Combined(found, posterior)


def _links(answer: Mapping[str, Any]) -> list[tuple[_Span, _Span, str]]:
    spans = [_as_tuple(span) for span in answer["spans"]]
    return [(spans[one["from"]], spans[one["to"]], one["label"]) for one in answer.get("relations", ())]


def category(field: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    return None


def uses(answer: Mapping[str, Any]) -> set[str]:
    return {span["label"] for span in answer["spans"]} | {one["label"] for one in answer.get("relations", ())}


def draft(field: Mapping[str, Any], answer: Any, content: Content) -> dict[str, Any] | None:
    """The pre-label, less spans and relations whose label is gone; None where the rest does not fit the text."""
    if not isinstance(answer, Mapping) or not _is_list(answer.get("spans")):
        return None
    known = set(label_lists.answers_of(field))
    kept = [
        at for at, one in enumerate(answer["spans"]) if isinstance(one, Mapping) and one.get("label") in known
    ]
    if answer["spans"] and not kept:
        return None  # to begin from nothing would say that the text holds nothing
    place = {old: new for new, old in enumerate(kept)}
    kinds = {one["id"] for one in field.get("relations", ())}
    relations = [
        {"from": place[one["from"]], "to": place[one["to"]], "label": one["label"]}
        for one in answer.get("relations") or ()
        if one["label"] in kinds and one["from"] in place and one["to"] in place
    ]
    found = {"spans": [answer["spans"][at] for at in kept], "relations": relations}
    try:
        return validate_answer(field, found, content)
    except InvalidValue:
        return None


def training_examples(
    field: Mapping[str, Any], content: Content, answer: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The text and its spans, and what their offsets count."""
    return [{"text": content.text, **answer, "unit": UNIT}]


def example_columns(field: Mapping[str, Any], *, dialogue: bool) -> dict[str, str]:
    links = {"relations": "links"} if field.get("relations") else {}
    return {"text": "text", "spans": "spans", **links, "unit": "text"}


def columns(field: Mapping[str, Any]) -> dict[str, str]:
    name = field["name"]
    relations = {f"{name}_relations": "json"} if field.get("relations") else {}
    return {name: "json", **relations, f"{name}_unit": "text"}


def export(field: Mapping[str, Any], answer: Mapping[str, Any]) -> dict[str, Any]:
    """The spans (and relations) as JSON, and the unit that their offsets count in."""
    name = field["name"]
    relations = {f"{name}_relations": answer.get("relations", [])} if field.get("relations") else {}
    return {name: answer["spans"], **relations, f"{name}_unit": UNIT}


def describe(
    field: Mapping[str, Any],
    answer: Mapping[str, Any],
    named: Callable[[Mapping[str, Any]], str],
    text: str = "",
) -> str:
    """Labels and places of the spans: "Person 0–3, Company 14–18"; with the item's text its words instead of
    places: "Person “Ana”, Company “Acme”"."""

    def place(one: Mapping[str, Any]) -> str:
        return f"“{_shortened(text[one['start'] : one['end']])}”" if text else f"{one['start']}–{one['end']}"

    def end(number: int) -> str:
        return place(answer["spans"][number]) if text else str(number + 1)

    words = [
        f"{label_lists.named_or_id(field['labels'], one['label'], named)} {place(one)}"
        for one in answer["spans"]
    ]
    links = [
        f"{end(one['from'])} → {end(one['to'])} "
        f"{label_lists.named_or_id(field['relations'], one['label'], named)}"
        for one in answer.get("relations", ())
    ]
    return ", ".join(words + links) or "∅"


def _shortened(words: str) -> str:
    return words if len(words) <= LONGEST_QUOTE else f"{words[: LONGEST_QUOTE - 1]}…"


def from_form(field: Mapping[str, Any], sent: Callable[[str], list[str]]) -> Any:
    """A plain form has no way to mark text: it sends the answer as JSON."""
    text = next(iter(sent(field["name"])), "")
    try:
        return json.loads(text[:LONGEST_FORM] or '{"spans": []}')
    except ValueError as error:
        raise InvalidValue(
            _("found %(text)s for %(field)s, expected JSON with spans"),
            text=shown(text),
            field=shown(field["name"]),
        ) from error
