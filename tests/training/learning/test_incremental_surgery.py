from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from training.learning.incremental_surgery import Surgery


class Given:
    """The part of a trainer that surgery asks: a linear model whose items have the losses x . w."""

    def __init__(self, rows: list[list[float]]) -> None:
        self.model = nn.Linear(2, 1, bias=False)
        self.args = type("Arguments", (), {"device": torch.device("cpu")})()
        self.state = type("State", (), {"global_step": 3})()
        self.rows = torch.tensor(rows, dtype=torch.float32)

    def item_losses(self, model: Any, inputs: dict[str, Any]) -> tuple[Any, Any]:
        losses = model(self.rows[inputs["items"]])[:, 0]
        return losses, losses


def learnt(rows: list[list[float]], pieces: list[list[int]]) -> tuple[list[float], dict[str, Any], float]:
    """The gradient, the figures and the loss; items 0 and 1 are new, 2 and 3 known."""
    trainer: Any = Given(rows)
    surgery = Surgery(np.array([False, False, True, True]), seed=0)
    loss = surgery.learn(trainer, [{"items": torch.tensor(piece)} for piece in pieces])
    return trainer.model.weight.grad[0].tolist(), surgery.figures(), float(loss)


def test_gradients_that_agree_are_added() -> None:
    gradient, figures, _ = learnt([[1, 0], [0, 1], [1, 1], [0, 1]], [[0, 1, 2, 3]])
    assert gradient == [2, 3]
    assert figures == {"tasks": ["new", "known"], "steps": 1, "conflict_rate": 0.0}


def test_where_they_conflict_each_loses_its_part_along_the_other() -> None:
    # New: (1, 0). Known: (-1, 1). New loses -1/2 of known: (1/2, 1/2); known loses -1 of new: (0, 1).
    whole = learnt([[1, 0], [0, 0], [-1, 1], [0, 0]], [[0, 1, 2, 3]])
    assert whole[0] == [0.5, 1.5] and whole[1]["conflict_rate"] == 1.0
    assert learnt([[1, 0], [0, 0], [-1, 1], [0, 0]], [[0, 2], [1, 3]])[:2] == whole[:2]  # in pieces


def test_a_step_with_one_kind_of_items_is_a_plain_one() -> None:
    gradient, figures, loss = learnt([[1, 0], [0, 2], [-1, 1], [0, 0]], [[0, 1]])
    assert gradient == [1, 2] and isinstance(loss, float)
    assert (figures["steps"], figures["conflict_rate"]) == (0, None)
