"""Looks at one field as agreement measures them: as categories where its type has them, else by distance."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from annotation.selectors.looks import Look
from annotation.task_types import labels as label_lists
from annotation.task_types import rating
from annotation.task_types.registry import task_type

FAR = 1.0  # the distance of answers that the type can no longer compare


@dataclass(frozen=True)
class Codes:
    """`labels`: the categories as labels (id, name), in schema order; empty where the type has none.

    `looks`: with the category, or the answer's JSON, as `label`. `answers`: the answer behind each such text.
    """

    field: Mapping[str, Any]
    labels: list[dict[str, Any]]
    looks: list[Look]
    answers: dict[str, Any]

    @property
    def is_categorical(self) -> bool:
        return bool(self.labels)

    def distance(self, a: str, b: str) -> float:
        """The type's distance of two of these texts, in [0, 1]."""
        return 0.0 if a == b else apart(self.field, self.answers.get(a), self.answers.get(b))

    def apart(self) -> list[list[float]] | None:
        """The distances of the categories; None where all differ alike."""
        ids = [label["id"] for label in self.labels]
        table = [[self.distance(a, b) for b in ids] for a in ids]
        plain = all(value == float(i != j) for i, row in enumerate(table) for j, value in enumerate(row))
        return None if plain else table


def apart(field: Mapping[str, Any], a: Any, b: Any) -> float:
    """The distance of two answers by the field's type, in [0, 1]; `FAR` where it can no longer compare them."""
    try:
        return task_type(field).distance(field, a, b)
    except (AttributeError, IndexError, KeyError, TypeError):
        return FAR


def codes(field: Mapping[str, Any], looks: Sequence[Look]) -> Codes:
    """What the looks say of `field`; those with a label that the schema no longer has are left out."""
    if field["type"] == "classification":
        answers = set(label_lists.answers_of(field))
        labels = [dict(label) for label in field["labels"] if label["id"] in answers]
        kept = [look for look in looks if look.label in answers]
        return Codes(field, labels, kept, {identity: identity for identity in answers})
    parsed = {look.label: _parsed(look.label) for look in looks}
    category = {text: task_type(field).category(field, answer) for text, answer in parsed.items()}
    if not any(category.values()):
        return Codes(field, [], list(looks), parsed)
    named = [look._replace(label=category[look.label] or "") for look in looks]
    known = _ordered(field, {one for one in category.values() if one})
    answers_by_name = {name: parsed[text] for text, name in category.items() if name}
    return Codes(
        field,
        [{"id": one, "name": one} for one in known],
        [one for one in named if one.label],
        answers_by_name,
    )


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _ordered(field: Mapping[str, Any], found: set[str]) -> list[str]:
    """Points of a scale from the lowest, whether given or not; other categories by name."""
    if field["type"] == "rating":
        return [str(point) for point in rating.scale(field)]
    return sorted(found)
