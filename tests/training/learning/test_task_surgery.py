from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from training.learning.gradient_surgery import Gradients
from training.learning.task_surgery import Surgery
from training.objectives import parts
from training.objectives.multilabel import SeveralLabels
from training.objectives.rating import Ratings
from training.objectives.registry import flat_field, objective
from training.objectives.task import Choices

RATING = {
    "name": "quality",
    "type": "rating",
    "lowest": 1,
    "points": 3,
    "dimensions": [{"id": name, "name": name} for name in ("helpful", "honest", "brief")],
}


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
    known = np.array([False, False, True, True])
    surgery = Surgery.of(parts.INCREMENT, Ratings(RATING, Choices()), known, seed=0)
    loss = surgery.learn(trainer, [{"items": torch.tensor(piece)} for piece in pieces])
    return trainer.model.weight.grad[0].tolist(), surgery.figures(), float(loss)


def test_gradients_that_agree_are_added() -> None:
    gradient, figures, _ = learnt([[1, 0], [0, 1], [1, 1], [0, 1]], [[0, 1, 2, 3]])
    assert gradient == [2, 3]
    pair = {"tasks": ["new", "known"], "steps": 1, "conflict_rate": 0.0}
    assert figures == {"among": "increment", **pair, "pairs": [pair]}


def test_where_they_conflict_each_loses_its_part_along_the_other() -> None:
    # New: (1, 0). Known: (-1, 1). New loses -1/2 of known: (1/2, 1/2); known loses -1 of new: (0, 1).
    whole = learnt([[1, 0], [0, 0], [-1, 1], [0, 0]], [[0, 1, 2, 3]])
    assert whole[0] == [0.5, 1.5] and whole[1]["conflict_rate"] == 1.0
    assert learnt([[1, 0], [0, 0], [-1, 1], [0, 0]], [[0, 2], [1, 3]])[:2] == whole[:2]  # in pieces


def test_a_step_with_one_kind_of_items_is_a_plain_one() -> None:
    gradient, figures, loss = learnt([[1, 0], [0, 2], [-1, 1], [0, 0]], [[0, 1]])
    assert gradient == [1, 2] and isinstance(loss, float)
    assert (figures["steps"], figures["conflict_rate"]) == (0, None)
    assert figures["pairs"] == [{"tasks": ["new", "known"], "steps": 0, "conflict_rate": None}]


class Rated(Given):
    """Items (4, 5) whose ratings in three dimensions a linear layer learns; each with a multiplier."""

    def __init__(self, task: Ratings, *, blocks: bool) -> None:
        super().__init__([[0.0, 0.0]])
        rng = np.random.default_rng(0)
        self.task = task
        self.model = nn.Linear(5, task.outputs)
        with torch.no_grad():
            self.model.weight.copy_(torch.from_numpy(rng.normal(size=(task.outputs, 5))))
            self.model.weight[2:4] = self.model.weight[:2]
        self.rows = torch.from_numpy(rng.normal(size=(4, 5)).astype(np.float32))
        chosen = rng.integers(3, size=(4, 3))
        chosen[:, :2] = 0, 2  # what is helpful is not honest
        self.batch = {
            "items": torch.arange(4),
            "targets": torch.eye(3)[torch.from_numpy(chosen)],
            "scales": torch.tensor([0.1, 0.2, 0.3, 0.4]),
        }
        # One layer before, which all dimensions share; without it they have no weight in common.
        self.shared = None if blocks else nn.Linear(5, 5)
        if self.shared is not None:
            self.model = nn.Sequential(self.shared, self.model)  # type: ignore[assignment]

    def item_losses(self, model: Any, inputs: dict[str, Any]) -> tuple[Any, Any]:
        outputs = model(self.rows[inputs["items"]])
        return outputs, self.task.losses(outputs, inputs["targets"]) * inputs["scales"]

    def gradients(self) -> list[torch.Tensor]:
        return [value.grad.clone() for value in self.model.parameters()]

    def plain(self) -> tuple[float, list[torch.Tensor]]:
        self.model.zero_grad()
        loss = self.item_losses(self.model, self.batch)[1].sum()
        loss.backward()
        return float(loss.detach()), self.gradients()


def test_dimensions_that_share_no_weight_are_learnt_as_without_surgery() -> None:
    task = Ratings(RATING, Choices())
    trainer: Any = Rated(task, blocks=True)
    loss, plain = trainer.plain()
    surgery = Surgery.of("dimensions", task, None, seed=0)
    assert float(surgery.learn(trainer, [trainer.batch])) == pytest.approx(loss, rel=1e-6)
    for one, other in zip(trainer.gradients(), plain, strict=True):
        torch.testing.assert_close(one, other)
    figures = surgery.figures()
    assert figures["tasks"] == ["helpful", "honest", "brief"]
    assert (figures["steps"], figures["conflict_rate"]) == (3, 0.0)


def projected(found: list[torch.Tensor], rng: np.random.Generator) -> torch.Tensor:
    """PCGrad as its paper writes it: one vector after the other."""
    total = torch.zeros_like(found[0])
    for at, one in enumerate(found):
        own = one.clone()
        for other in rng.permutation(len(found)):
            along = own @ found[other]
            if other != at and along < 0:
                own -= along / (found[other] @ found[other]) * found[other]
        total += own
    return total


def test_dimensions_that_share_weights_give_way_to_each_other() -> None:
    task = Ratings(RATING, Choices())
    torch.manual_seed(0)
    trainer: Any = Rated(task, blocks=False)
    found: list[Gradients] = []
    for part in range(3):
        outputs = trainer.model(trainer.rows)
        loss = (task.part_losses(outputs, trainer.batch["targets"])[:, part] * trainer.batch["scales"]).sum()
        found.append(list(torch.autograd.grad(loss, list(trainer.model.parameters()))))
    flat = [torch.cat([value.double().flatten() for value in one]) for one in found]  # type: ignore[union-attr]
    wanted = projected(flat, np.random.default_rng([7, 14, 3]))
    surgery = Surgery.of("dimensions", task, None, seed=7)
    halves = [{name: value[at] for name, value in trainer.batch.items()} for at in (slice(2), slice(2, 4))]
    surgery.learn(trainer, halves)
    given = torch.cat([value.double().flatten() for value in trainer.gradients()])
    torch.testing.assert_close(given, wanted, atol=1e-6, rtol=1e-5)
    against = {(i, j): bool(flat[i] @ flat[j] < 0) for i in range(3) for j in range(i + 1, 3)}
    assert any(against.values())
    told = {tuple(pair["tasks"]): pair["conflict_rate"] for pair in surgery.figures()["pairs"]}
    names = [one["id"] for one in RATING["dimensions"]]  # type: ignore[index]
    assert told == {(names[i], names[j]): float(is_against) for (i, j), is_against in against.items()}


def test_many_labels_come_in_few_groups() -> None:
    labels = [{"id": f"l{at}", "name": f"L{at}"} for at in range(20)]
    task = SeveralLabels({"name": "topics", "type": "multilabel", "labels": labels}, Choices())
    surgery = Surgery.of("labels", task, None, seed=0)
    names = surgery.conflicts.tasks
    assert len(names) == parts.MOST and " ".join(names).split() == task.columns
    assert {len(name.split()) for name in names} == {2, 3}
    rng = np.random.default_rng(0)
    outputs = torch.from_numpy(rng.normal(size=(3, 20)).astype(np.float32))
    targets = torch.from_numpy((rng.random((3, 20)) < 0.3).astype(np.float32))
    scales = torch.tensor([0.5, 0.2, 0.3])
    losses = task.losses(outputs, targets) * scales
    shares = surgery.split(outputs, losses, {"targets": targets, "scales": scales})
    assert float(sum(shares)) == pytest.approx(float(losses.sum()), rel=1e-6)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("among", "able"),
    [("levels", "use dimensions, or"), ("labels", "use dimensions, or"), ("dimensions", "")],
)
def test_a_kind_of_task_that_the_question_has_not_is_refused(among: str, able: str) -> None:
    task = Ratings(RATING, Choices())
    if not able:
        parts.check(among, task)
        return
    with pytest.raises(ValueError, match=f"found {among}, and this question has no two of them.*{able}"):
        parts.check(among, task)


def test_a_question_with_one_task_is_refused() -> None:
    one = Ratings({**RATING, "dimensions": [{"id": "helpful", "name": "Helpful"}]}, Choices())
    with pytest.raises(ValueError, match="found dimensions, and this question has no two.*use increment, or"):
        parts.check("dimensions", one)
    flat = objective("classification").bind(flat_field(["a", "b"]), Choices())
    with pytest.raises(ValueError, match="found labels, and this question has no two of them"):
        parts.check("labels", flat)
    with pytest.raises(
        ValueError, match="found 'moods', expected one of increment, dimensions, levels, labels"
    ):
        parts.check("moods", flat)
    parts.check(parts.INCREMENT, flat)
