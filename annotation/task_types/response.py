"""Responses: a person writes, or edits, what a model should have said. For supervised fine-tuning.

A field of this type:
    {"name": "reply", "type": "response", "minimum": 1, "maximum": 8000, "markdown": true}
Its answer: {"text": "You can change the PIN in the app."}. What the draft was (the item's own, a pre-label's,
or none) and how far the answer is from it stand in the annotation's trace.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rapidfuzz.distance import Levenshtein

from accounts.sentences import gettext_noop as _
from annotation.task_types.content import Content
from annotation.task_types.values import Combined, InvalidDefinition, InvalidValue, shown

OPTIONS = frozenset({"minimum", "maximum", "markdown"})
LONGEST = 100_000


def validate_field(field: Mapping[str, Any]) -> None:
    low, high = bounds(field)
    for name, bound in (("minimum", low), ("maximum", high)):
        if not isinstance(bound, int) or isinstance(bound, bool):
            raise InvalidDefinition(
                _("%(name)s of field %(field)s is %(bound)s, expected a number"),
                name=name,
                field=shown(field["name"]),
                bound=shown(bound),
            )
    if not 0 <= low <= high <= LONGEST:
        raise InvalidDefinition(
            _(
                "field %(field)s asks for %(low)s to %(high)s characters: give 0 <= minimum <= "
                "maximum <= %(most)s"
            ),
            field=shown(field["name"]),
            low=low,
            high=high,
            most=LONGEST,
        )
    if not isinstance(field.get("markdown", True), bool):
        raise InvalidDefinition(
            _("markdown of field %(field)s is not true or false"), field=shown(field["name"])
        )


def bounds(field: Mapping[str, Any]) -> tuple[int, int]:
    """Fewest and most characters."""
    return field.get("minimum", 1), field.get("maximum", 20_000)


def validate_answer(field: Mapping[str, Any], answer: Any, content: Content | None = None) -> dict[str, str]:
    """The text without white space at its end and with plain line ends; `InvalidValue` where it is too short
    or too long."""
    text = answer.get("text") if isinstance(answer, Mapping) else None
    if not isinstance(text, str):
        raise InvalidValue(
            _('found %(answer)s for %(field)s, expected {"text": "..."}'),
            answer=shown(answer),
            field=shown(field["name"]),
        )
    text = text.replace("\r\n", "\n").rstrip()
    low, high = bounds(field)
    if not low <= len(text) <= high:
        short = _("the response has %(count)s characters, expected %(low)s to %(high)s: write more")
        long = _("the response has %(count)s characters, expected %(low)s to %(high)s: shorten it")
        raise InvalidValue(
            short if len(text) < low else long,
            count=f"{len(text):,}",
            low=f"{low:,}",
            high=f"{high:,}",
        )
    return {"text": text}


def json_schema(field: Mapping[str, Any]) -> dict[str, Any]:
    low, high = bounds(field)
    text = {"type": "string", "minLength": low, "maxLength": high}
    return {
        "type": "object",
        "properties": {"text": text},
        "required": ["text"],
        "additionalProperties": False,
    }


def distance(field: Mapping[str, Any], a: Mapping[str, str], b: Mapping[str, str]) -> float:
    """Levenshtein distance (1966) over code points, divided by the longer length: in [0, 1], a metric up to
    that scaling. O(n m / 64)."""
    return float(Levenshtein.normalized_distance(a["text"], b["text"]))


def edit_distance(draft: str, text: str) -> int:
    """Fewest single-character edits from the draft to the text."""
    return int(Levenshtein.distance(draft, text))


def combine(field: Mapping[str, Any], answers: Sequence[Mapping[str, str]]) -> Combined:
    """The text that more than half wrote alike; different texts wait for a person. No posterior: texts are no
    categories."""
    text, count = Counter(answer["text"] for answer in answers).most_common(1)[0]
    return Combined({"text": text} if 2 * count > len(answers) else None, {})


def category(field: Mapping[str, Any], answer: Mapping[str, str]) -> None:
    return None


def uses(answer: Mapping[str, str]) -> set[str]:
    return set()


def draft(field: Mapping[str, Any], answer: Any, content: Content) -> dict[str, str] | None:
    """A pre-label's text; without one the item's own draft."""
    if isinstance(answer, Mapping) and isinstance(answer.get("text"), str) and answer["text"]:
        return {"text": answer["text"]}
    return {"text": content.draft} if content.draft else None


def trace(
    field: Mapping[str, Any], content: Content, answer: Mapping[str, str], begun_from: Any, seed: str
) -> dict[str, Any]:
    """{"edit_distance", "draft_characters"}: how far the answer is from the draft that it began from; nothing
    where it began from an empty page."""
    begun = begun_from.get("text", "") if isinstance(begun_from, Mapping) else ""
    if not begun:
        return {}
    return {"edit_distance": edit_distance(begun, answer["text"]), "draft_characters": len(begun)}


def training_examples(
    field: Mapping[str, Any], content: Content, answer: Mapping[str, str]
) -> list[dict[str, Any]]:
    """{"messages": [...]} as TRL's SFT trainer reads them, the answer as the assistant's last turn."""
    prompt = content.prompt()
    messages = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
    return [{"messages": [*messages, {"role": "assistant", "content": answer["text"]}]}]


def example_columns(field: Mapping[str, Any], *, dialogue: bool) -> dict[str, str]:
    return {"messages": "turns"}


def columns(field: Mapping[str, Any]) -> dict[str, str]:
    return {field["name"]: "text"}


def export(field: Mapping[str, Any], answer: Mapping[str, str]) -> dict[str, Any]:
    return {field["name"]: answer["text"]}


def describe(
    field: Mapping[str, Any], answer: Mapping[str, str], named: Callable[[Mapping[str, Any]], str]
) -> str:
    """The text itself."""
    return answer["text"]


def from_form(field: Mapping[str, Any], sent: Callable[[str], list[str]]) -> dict[str, str]:
    return {"text": next(iter(sent(field["name"])), "")}
