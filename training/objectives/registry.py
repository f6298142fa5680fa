"""The explicit list of objectives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from training.objectives import classification


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What a fine-tune learns.

    Attributes:
        read: (folder of a frozen dataset, split, labels) -> its examples.
        check: raises ValueError where the training examples cannot be learnt from.
        losses: (outputs of the model, targets) -> one loss an item; they are weighted and averaged by the
        trainer.
    """

    name: str
    label: str
    read: Callable[..., Any]
    check: Callable[[Any], None]
    losses: Callable[..., Any]


OBJECTIVES: dict[str, Objective] = {
    "classification": Objective(
        name="classification",
        label="Single-label classification",
        read=classification.read,
        check=classification.check,
        losses=classification.losses,
    ),
}


def objective(name: str) -> Objective:
    """The objective of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in OBJECTIVES:
        raise ValueError(f"there is no objective {name!r}: use one of {', '.join(OBJECTIVES)}")
    return OBJECTIVES[name]
