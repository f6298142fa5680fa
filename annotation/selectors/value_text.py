"""An answer in words, in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from annotation.selectors.choices import in_language
from annotation.task_types import registry


def value_text(definition: Mapping[str, Any], value: Mapping[str, Any] | None, *, longest: int = 0) -> str:
    """What a value says, field after field; "" for none. With `longest` it is cut there, with an ellipsis."""
    if not value:
        return ""
    text = registry.describe(definition, value, lambda option: str(in_language(option, "name")))
    return text if not longest or len(text) <= longest else text[: longest - 1] + "…"
