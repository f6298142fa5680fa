"""The explicit list of objectives of an encoder, and which one learns from a field of a schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from training.objectives import classification, hierarchy, multilabel, rating, spans
from training.objectives.task import Choices, Field, Task


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What a fine-tune learns.

    Attributes:
        types: task types of the fields it learns from.
        bind: (field, choices) -> the objective for that field; raises ValueError for what it cannot learn.
        serves: (field) -> whether a field of these types is one for it; the first objective that says so is
            taken.
    """

    name: str
    label: str
    types: frozenset[str]
    bind: Callable[[Field, Choices], Task]
    serves: Callable[[Field], bool] = lambda field: True


_ALL = (
    Objective(
        name="hierarchy",
        label="One label of a tree",
        types=frozenset({"classification"}),
        bind=hierarchy.LabelTree,
        serves=hierarchy.is_tree,
    ),
    Objective(
        name="classification",
        label="Single-label classification",
        types=frozenset({"classification"}),
        bind=classification.OneLabel,
    ),
    Objective(
        name="multilabel",
        label="Several labels",
        types=frozenset({"multilabel"}),
        bind=multilabel.SeveralLabels,
    ),
    Objective(name="spans", label="Spans of the text", types=frozenset({"spans"}), bind=spans.Spans),
    Objective(name="rating", label="Ratings on scales", types=frozenset({"rating"}), bind=rating.Ratings),
)

OBJECTIVES: dict[str, Objective] = {one.name: one for one in _ALL}
TYPES: frozenset[str] = frozenset().union(*(one.types for one in _ALL))


def objective(name: str) -> Objective:
    """The objective of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in OBJECTIVES:
        raise ValueError(f"there is no objective {name!r}: use one of {', '.join(sorted(OBJECTIVES))}")
    return OBJECTIVES[name]


def objective_for(field: Field) -> Objective:
    """The objective that learns from a field.

    Raises:
        ValueError: there is none for its type.
    """
    for one in OBJECTIVES.values():
        if field["type"] in one.types and one.serves(field):
            return one
    raise ValueError(
        f"no objective of an encoder learns from the type {field['type']!r}: "
        f"use one of {', '.join(sorted(TYPES))}"
    )


def flat_field(labels: list[str]) -> dict[str, Any]:
    """A single-label field of these ids, for models and datasets that say no more."""
    names: list[Mapping[str, str]] = [{"id": label, "name": label} for label in labels]
    return {"name": "label", "type": "classification", "labels": names}


def task_of_model(model: Mapping[str, Any]) -> Task:
    """The objective bound as a model was trained with, from its result.json; older ones hold labels alone.

    Raises:
        ValueError: an objective that there is not.
    """
    field = model.get("field") or flat_field(list(model["labels"]))
    choices = Choices(tagging=model.get("tagging", "bio"))
    return objective(model.get("objective", "classification")).bind(field, choices)
