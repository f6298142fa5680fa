"""What the labels of a schema's field say in words, for models that have learnt none of them.

A field is one of the schema (annotation/task_types), as plain values. No torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from annotation.task_types import labels as label_lists
from annotation.task_types import rating

Field = Mapping[str, Any]
LABEL_TYPES = ("classification", "multilabel")
BETWEEN = ", "  # between the labels of a path: encoders have read commas, and hardly any arrows


@dataclass(frozen=True, kw_only=True)
class LabelWords:
    """One label that may be answered. `path`: the names of the labels above it and its own, joined by commas."""

    id: str
    path: str
    description: str

    @property
    def text(self) -> str:
        """Path and description in one line."""
        return f"{self.path}. {self.description}" if self.description else self.path


def label_words(field: Field) -> list[LabelWords]:
    """The labels that may be answered, in schema order, each with the path that leads to it.

    >>> tree = {"labels": [{"id": "money", "name": "Money"},
    ...                    {"id": "refund", "name": "Refund", "parent": "money", "description": "Money back."}]}
    >>> [one.text for one in label_words(tree)]
    ['Money, Refund. Money back.']
    """
    by_id = {one["id"]: one for one in field["labels"]}
    return [
        LabelWords(
            id=identity,
            path=BETWEEN.join(
                by_id[one]["name"].strip() for one in label_lists.path(field["labels"], identity)
            ),
            description=by_id[identity].get("description", "").strip(),
        )
        for identity in label_lists.answers_of(field)
    ]


def undescribed(field: Field) -> list[str]:
    """The names of the labels that may be answered and have no description, in schema order."""
    return [one.path for one in label_words(field) if not one.description]


def point_words(field: Field, dimension: Mapping[str, Any]) -> dict[int, str]:
    """What each point of a rating's scale is called: its anchor, the dimension's own before the field's; empty
    where it has none."""
    anchors: Sequence[str] = dimension.get("anchors") or field.get("anchors") or ()
    points = rating.scale(field)
    return dict(zip(points, anchors, strict=True)) if anchors else {point: "" for point in points}


def columns(field: Field) -> list[str]:
    """What the columns of a model's scores stand for: label ids, or "dimension=point" as in a rating's
    posterior; none for a field that is written."""
    if field["type"] in LABEL_TYPES:
        return label_lists.answers_of(field)
    if field["type"] == "rating":
        points = rating.scale(field)
        return [f"{one['id']}={point}" for one in field["dimensions"] for point in points]
    return []
