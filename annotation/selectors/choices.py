"""The labels of a schema as the pages show them: in the reader's language, each with its key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import get_language

# U, S, F and G are taken: undo, skip, flag, guideline.
RESERVED_KEYS = frozenset("usfg")
KEYS = "123456789" + "".join(letter for letter in "abcdefghijklmnopqrstuvwxyz" if letter not in RESERVED_KEYS)
COLOURS = frozenset(  # static/css/tokens.css
    ["blue", "teal", "green", "olive", "amber", "orange", "red", "pink", "purple", "indigo", "brown", "grey"]
)


@dataclass(frozen=True)
class Choice:
    """One label. `key` is empty for labels that only search and the pointer reach."""

    id: str
    name: str
    description: str
    colour: str
    key: str
    search: str


def choices(field: Mapping[str, Any]) -> list[Choice]:
    """The labels of a classification field in schema order, so that a label always stands in the same place.

    A label's own `shortcut` wins where it is one free letter or digit; the others take the keys that are
    left, in order. Both names are searched, whatever the language of the page.
    """
    labels = field["labels"]
    wanted = _own_keys(labels)
    free = iter([key for key in KEYS if key not in wanted.values()])
    chinese = (get_language() or "").startswith("zh")
    found = []
    for label in labels:
        name = (label.get("name_zh") if chinese else "") or label["name"]
        description = (label.get("description_zh") if chinese else "") or label.get("description", "")
        search = " ".join(filter(None, (label["name"], label.get("name_zh"), label["id"]))).lower()
        colour = label.get("colour", "") if label.get("colour") in COLOURS else ""
        key = wanted.get(label["id"]) or next(free, "")
        found.append(Choice(label["id"], name, description, colour, key, search))
    return found


def _own_keys(labels: list[Mapping[str, Any]]) -> dict[str, str]:
    keys: dict[str, str] = {}
    for label in labels:
        key = str(label.get("shortcut", "")).lower()
        if len(key) == 1 and key in KEYS and key not in keys.values():
            keys[label["id"]] = key
    return keys
