"""The fields of a schema as pages draw them: title, help, choices with keys, and the answer to show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from annotation.selectors.choices import Choice, choices, in_language
from annotation.selectors.key_maps import Keys
from annotation.task_types import rating
from annotation.task_types.registry import task_type

MANY = 12  # so many labels get a search field
LISTS = ("labels", "relations", "strengths", "reasons")


@dataclass(frozen=True, kw_only=True)
class Scale:
    """One dimension of a rating. `points`: (point, its key, its anchor in words or "")."""

    id: str
    name: str
    description: str
    points: list[tuple[int, str, str]]


@dataclass(frozen=True, kw_only=True)
class FieldBlock:
    """One field. `answer` is what is shown as given (a draft, or what was taken back), `chosen` its ids.

    `choices` are its labels; `lists` every list of options by name, labels among them; `template` draws it.
    """

    name: str
    type: str
    title: str
    help: str
    template: str
    required: bool
    when: Mapping[str, Any] | None
    options: Mapping[str, Any]
    lists: Mapping[str, list[Choice]]
    scales: list[Scale]
    is_instant: bool
    answer: Any = None
    chosen: frozenset[str] = field(default_factory=frozenset)

    @property
    def choices(self) -> list[Choice]:
        return self.lists.get("labels", [])

    @property
    def has_search(self) -> bool:
        return len(self.choices) > MANY

    def to_json(self) -> dict[str, Any]:
        """What the page's scripts need of it. Names by id for every list."""
        return {
            "name": self.name,
            "type": self.type,
            "title": self.title,
            "required": self.required,
            "when": self.when,
            "instant": self.is_instant,
            "names": {key: {one.id: one.name for one in found} for key, found in self.lists.items()},
            "colours": {one.id: one.colour for found in self.lists.values() for one in found},
            "options": {
                key: value for key, value in self.options.items() if isinstance(value, (bool, int, str))
            },
        }


def blocks(
    definition: Mapping[str, Any],
    value: Mapping[str, Any] | None = None,
    *,
    keys: Keys | None = None,
) -> list[FieldBlock]:
    """All fields in schema order. `value`: what they show as answered; `keys`: those of the reader."""
    fields, chosen = definition["fields"], keys or Keys()
    found = []
    for one in fields:
        kind = task_type(one)
        answer = (value or {}).get(one["name"])
        own, reserved = chosen.labels.get(one["name"]), chosen.reserved
        found.append(
            FieldBlock(
                name=one["name"],
                type=one["type"],
                title=in_language(one, "title") or one["name"].replace("_", " ").capitalize(),
                help=in_language(one, "help"),
                template=f"annotation/label/fields/{one['type']}.html",
                required=one.get("required", True),
                when=one.get("when"),
                options={key: one[key] for key in kind.options if key in one},
                lists={
                    key: choices(one, key=key, own_keys=own, reserved=reserved)
                    for key in LISTS
                    if one.get(key)
                },
                scales=_scales(one) if one["type"] == "rating" else [],
                is_instant=kind.is_instant and len(fields) == 1 and one.get("required", True),
                answer=answer,
                chosen=_chosen(answer),
            )
        )
    return found


def is_instant(found: list[FieldBlock]) -> bool:
    """Whether one key press answers the whole item."""
    return len(found) == 1 and found[0].is_instant


def _chosen(answer: Any) -> frozenset[str]:
    """Ids to mark: the label, the labels, or "dimension=point" of ratings."""
    if isinstance(answer, str):
        return frozenset([answer])
    if isinstance(answer, list):
        return frozenset(answer)
    if isinstance(answer, Mapping):
        return frozenset(f"{key}={value}" for key, value in answer.items() if isinstance(value, (int, str)))
    return frozenset()


def _scales(one: Mapping[str, Any]) -> list[Scale]:
    """Keys count from the first point: 1 is the lowest whatever it is called, 0 the tenth."""
    found = []
    for dimension in one["dimensions"]:
        anchors = (
            in_language(dimension, "anchors") or in_language(one, "anchors") or [""] * len(rating.scale(one))
        )
        points = [
            (point, "1234567890"[at : at + 1], anchor)
            for at, (point, anchor) in enumerate(zip(rating.scale(one), anchors, strict=True))
        ]
        name, description = in_language(dimension, "name"), in_language(dimension, "description")
        found.append(Scale(id=dimension["id"], name=name, description=description, points=points))
    return found
