"""An answer in words, in the reader's language."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from annotation.selectors.choices import in_language
from annotation.task_types import registry


def value_text(
    definition: Mapping[str, Any] | None, value: Mapping[str, Any] | None, *, longest: int = 0
) -> str:
    """What a value says, field after field; "" for none. With `longest` it is cut there, with an ellipsis.

    Fields that the schema lacks are left out. An answer that does not fit its field (given under another
    schema, by a type that is not there any more) is shown as it is stored.
    """
    if not value:
        return ""
    fields = definition["fields"] if definition else [{"name": name} for name in value]
    parts = [_answer_text(field, value[field["name"]]) for field in fields if field["name"] in value]
    text = " · ".join(parts)
    return text if not longest or len(text) <= longest else text[: longest - 1] + "…"


def _answer_text(field: Mapping[str, Any], answer: Any) -> str:
    try:
        return registry.describe({"fields": [field]}, {field["name"]: answer}, _named)
    except (registry.InvalidDefinition, LookupError, TypeError, ValueError, AttributeError):
        return json.dumps(answer, ensure_ascii=False, separators=(",", ":"), default=str)


def _named(option: Mapping[str, Any]) -> str:
    return str(in_language(option, "name"))
