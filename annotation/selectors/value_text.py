"""An answer in words, in the reader's language."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from annotation.selectors.choices import in_language
from annotation.task_types import preference, registry, spans


def value_text(
    definition: Mapping[str, Any] | None,
    value: Mapping[str, Any] | None,
    *,
    longest: int = 0,
    order: Sequence[str] = (),
    text: str = "",
) -> str:
    """What a value says, field after field; "" for none. With `longest` it is cut there, with an ellipsis.

    `order`: ids of the responses as they stand on the reader's screen, which are then called A, B, C ...
    `text`: the item's, whose words then stand for the places of spans.

    Fields that the schema lacks are left out. An answer that does not fit its field (given under another
    schema, by a type that is not there any more) is shown as it is stored.
    """
    if not value:
        return ""
    fields = definition["fields"] if definition else [{"name": name} for name in value]
    answers = {name: _lettered(answer, order) for name, answer in value.items()}
    parts = [
        _answer_text(field, answers[field["name"]], text) for field in fields if field["name"] in answers
    ]
    said = " · ".join(parts)
    return said if not longest or len(said) <= longest else said[: longest - 1] + "…"


def trace_text(trace: Mapping[str, Any]) -> str:
    """How far texts are from the drafts that they began from; "" where none did."""
    edits = [one for one in trace.values() if isinstance(one, Mapping) and "edit_distance" in one]
    if not edits:
        return ""
    distance, characters = (sum(one[key] for one in edits) for key in ("edit_distance", "draft_characters"))
    if not distance:
        return _("the draft, unchanged")
    return ngettext(
        "%(n)s edit of a draft of %(characters)s characters",
        "%(n)s edits of a draft of %(characters)s characters",
        distance,
    ) % {"n": distance, "characters": characters}


def _lettered(answer: Any, order: Sequence[str]) -> Any:
    is_ranking = isinstance(answer, Mapping) and "ranking" in answer
    return preference.lettered(answer, order) if order and is_ranking else answer


def _answer_text(field: Mapping[str, Any], answer: Any, text: str) -> str:
    try:
        if text and field.get("type") == "spans":
            return spans.describe(field, answer, _named, text)
        return registry.describe({"fields": [field]}, {field["name"]: answer}, _named)
    except (registry.InvalidDefinition, LookupError, TypeError, ValueError, AttributeError):
        return json.dumps(answer, ensure_ascii=False, separators=(",", ":"), default=str)


def _named(option: Mapping[str, Any]) -> str:
    return str(in_language(option, "name"))
