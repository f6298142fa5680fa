"""The labels of a schema as the pages show them: in the reader's language, each with its key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import get_language

ALL_KEYS = "123456789abcdefghijklmnopqrstuvwxyz"
RESERVED_KEYS = frozenset("usfg")  # undo, skip, flag, guideline, unless a person moved them (key_maps)
COLOURS = frozenset(  # static/css/tokens.css
    ["blue", "teal", "green", "olive", "amber", "orange", "red", "pink", "purple", "indigo", "brown", "grey"]
)


@dataclass(frozen=True)
class Choice:
    """One label. `key` is empty for labels that only search and the pointer reach. In a tree `parent` is chosen
    before it, and `is_group` says that others are below it."""

    id: str
    name: str
    description: str
    colour: str
    key: str
    search: str
    parent: str = ""
    is_group: bool = False


def choices(
    field: Mapping[str, Any],
    *,
    key: str = "labels",
    own_keys: Mapping[str, str] | None = None,
    reserved: frozenset[str] = RESERVED_KEYS,
) -> list[Choice]:
    """A list of a field (its labels, or its reasons, relations ...) in schema order, so that a label always
    stands in the same place.

    A person's `own_keys` win over a label's own `shortcut`, where they are one free letter or digit; the others
    take the keys that are left, in order, but for `reserved` ones. In a tree each level has all keys. Both
    names are searched, whatever the language of the page.
    """
    labels = field.get(key, ())
    keys = _keys(labels, own_keys or {}, [one for one in ALL_KEYS if one not in reserved])
    groups = {label.get("parent") for label in labels if label.get("parent")}
    found = []
    for label in labels:
        search = " ".join(filter(None, (label["name"], label.get("name_zh"), label["id"]))).lower()
        colour = label.get("colour", "") if label.get("colour") in COLOURS else ""
        found.append(
            Choice(
                id=label["id"],
                name=in_language(label, "name"),
                description=in_language(label, "description"),
                colour=colour,
                key=keys.get(label["id"], ""),
                search=search,
                parent=label.get("parent") or "",
                is_group=label["id"] in groups,
            )
        )
    return found


def in_language(thing: Mapping[str, Any], key: str) -> Any:
    """`thing[key]` in the reader's language, where it has the Chinese one beside it; empty where it has none."""
    chinese = (get_language() or "").startswith("zh")
    return (thing.get(f"{key}_zh") if chinese else "") or thing.get(key, "")


def _keys(
    labels: Sequence[Mapping[str, Any]], own_keys: Mapping[str, str], usable: Sequence[str]
) -> dict[str, str]:
    """Label id -> key."""
    siblings: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for label in labels:
        siblings[label.get("parent") or ""].append(label)
    found: dict[str, str] = {}
    for level in siblings.values():
        taken: dict[str, str] = {}
        for identity, key in _wanted(level, own_keys):
            if key in usable and key not in taken.values() and identity not in taken:
                taken[identity] = key
        free: Iterator[str] = iter([key for key in usable if key not in taken.values()])
        for label in level:
            found[label["id"]] = taken.get(label["id"]) or next(free, "")
    return found


def _wanted(level: Sequence[Mapping[str, Any]], own_keys: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for label in level:
        if label["id"] in own_keys:
            yield label["id"], own_keys[label["id"]].lower()
    for label in level:
        yield label["id"], str(label.get("shortcut", "")).lower()
