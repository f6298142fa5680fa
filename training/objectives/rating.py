"""Ratings: points of a scale, one for each of several dimensions, learnt in their order.

CORN (Shi, Cao & Raschka 2023, "Deep Neural Networks for Rank-Consistent Ordinal Regression Based On Conditional
Probabilities"): for each step of the scale the chance to lie above it, given that one lies above the step below.
Multiplied up these are the chances to lie above each step, which can only fall, and their differences are the
chances of the points. An item's loss is the negative log of its point's chance (the continuation-ratio model:
Fienberg 1980; CORN averages the same terms over another count), so it can be learnt from shares of belief too.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from annotation.task_types import rating as task_type
from training.learning import calibration as fitting
from training.objectives import frozen
from training.objectives.frozen import Examples, Floats, Ints
from training.objectives.multilabel import two_class_head
from training.objectives.task import Answer, Calibration, Choices, Encoded, Field, Task

if TYPE_CHECKING:
    import torch


class Ratings(Task):
    """A point for each dimension. Columns: "dimension=point", dimension by dimension; outputs: for each
    dimension a logit for every step between two points.

    d dimensions, p points: w = d p, k = d (p - 1). The parts are the dimensions.
    """

    parts_are = "dimensions"

    def __init__(self, given: Field, choices: Choices) -> None:
        super().__init__(given, choices)
        self.parts = self.dimensions = [str(one["id"]) for one in given["dimensions"]]
        self.points = list(task_type.scale(given))
        self.columns = [f"{one}={point}" for one in self.dimensions for point in self.points]
        self.outputs = len(self.dimensions) * (len(self.points) - 1)

    def read(self, folder: Path, split: str) -> Examples:
        """Targets: (n, d, p) float32, rows that sum to 1: the point given, or shares with soft labels."""
        found = frozen.read(folder, split)
        name = self.field["name"]
        answers = []
        for row in found.first_examples():
            answer: dict[str, Any] = {one: row.get(f"{name}_{one}") for one in self.dimensions}
            for dimension, point in answer.items():
                if point not in self.points:
                    raise ValueError(
                        f"{found.path} has {point!r} for {dimension}, expected a point from {self.points[0]} to "
                        f"{self.points[-1]}: freeze the dataset again with this schema"
                    )
            answers.append(answer)
        targets = np.zeros((len(answers), len(self.dimensions), len(self.points)), dtype=np.float32)
        for i, answer in enumerate(answers):
            for d, dimension in enumerate(self.dimensions):
                targets[i, d, self.points.index(answer[dimension])] = 1.0
        if self.choices.soft_labels and split == "train":
            for d, dimension in enumerate(self.dimensions):
                names = [f"{dimension}={point}" for point in self.points]
                targets[:, d] = frozen.shares(found.posteriors, targets[:, d], names)
        return found.of(answers, targets)

    def check(self, train: Examples) -> None:
        frozen.check_varied(train, "are rated alike, expected different ratings: rate items of other kinds")

    def counts(self, train: Examples) -> dict[str, int]:
        """By "dimension=point"."""
        found = train.targets.argmax(axis=2)
        return {
            f"{dimension}={point}": int((found[:, d] == p).sum())
            for d, dimension in enumerate(self.dimensions)
            for p, point in enumerate(self.points)
        }

    def losses(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """(b,) mean over dimensions of the negative log likelihood in nats, from logits (b, k) and shares
        (b, d, p)."""
        return self.part_losses(outputs, targets).sum(dim=1)

    def part_losses(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """(b, d) the d-th part of each dimension's negative log likelihood."""
        import torch
        from torch.nn.functional import logsigmoid

        steps = outputs.float().view(len(outputs), len(self.dimensions), len(self.points) - 1)
        above = torch.cumsum(logsigmoid(steps), dim=2)  # log of the chance to lie above each step
        reached = torch.cat([torch.zeros_like(above[:, :, :1]), above], dim=2)
        stays = torch.cat([logsigmoid(-steps), torch.zeros_like(above[:, :, :1])], dim=2)
        return -(targets * (reached + stays)).sum(dim=2) / len(self.dimensions)

    def _logs(self, outputs: Any, temperatures: Any) -> Floats:
        """(n, d, p) float64 log chances of the points; temperatures (d,)."""
        shape = (len(outputs), len(self.dimensions), len(self.points) - 1)
        steps = np.asarray(outputs, dtype=np.float64).reshape(shape) / np.asarray(temperatures)[None, :, None]
        up, down = -np.logaddexp(0, -steps), -np.logaddexp(0, steps)
        none = np.zeros((*shape[:2], 1))
        found: Floats = np.concatenate([none, np.cumsum(up, axis=2)], axis=2) + np.concatenate(
            [down, none], axis=2
        )
        return found

    def correct(self, outputs: Any, targets: Any) -> npt.NDArray[np.bool_]:
        """(n, d): whether the median is the point given."""
        probs = np.exp(self._logs(outputs, np.ones(len(self.dimensions))))
        found: npt.NDArray[np.bool_] = medians(probs) == np.asarray(targets).argmax(axis=2)
        return found

    def calibrate(self, outputs: Any, targets: Any) -> Calibration:
        """`temperatures` (d,), one a dimension."""
        found = [1.0] * len(self.dimensions)
        if not len(outputs):
            return {"temperatures": found}
        wanted = np.asarray(targets).argmax(axis=2)
        for d in range(len(self.dimensions)):

            def loss(temperature: float, d: int = d) -> float:
                scaled = np.ones(len(self.dimensions))
                scaled[d] = temperature
                return fitting.smoothed_loss(self._logs(outputs, scaled)[:, d], wanted[:, d])

            found[d] = fitting.fit_by(loss, len(wanted))
        return {"temperatures": found}

    def probabilities(self, outputs: Any, encoded: Encoded, calibration: Calibration) -> Any:
        """(n, w) float32; the columns of one dimension sum to 1."""
        found = np.exp(self._logs(outputs, calibration["temperatures"]))
        return found.reshape(len(outputs), -1).astype(np.float32)

    def answers(self, probabilities: Any, encoded: Encoded, calibration: Calibration) -> list[Answer]:
        """The median of each dimension, which is off by least on average. Confidence: the product of the chances
        of these points, as if dimensions were independent."""
        shaped = np.asarray(probabilities).reshape(-1, len(self.dimensions), len(self.points))
        middle = medians(shaped)
        sure = np.take_along_axis(shaped, middle[:, :, None], axis=2)[:, :, 0]
        return [
            Answer(
                value={one: self.points[at] for one, at in zip(self.dimensions, row.tolist(), strict=True)},
                confidence=float(np.clip(chances.prod(), 0.0, 1.0)),
                scores={
                    f"{one}={self.points[at]}": round(float(chance), 4)
                    for one, at, chance in zip(self.dimensions, row.tolist(), chances, strict=True)
                },
            )
            for row, chances in zip(middle, sure, strict=True)
        ]

    def figures(
        self, examples: Examples, encoded: Encoded, outputs: Any, targets: Any, calibration: Calibration
    ) -> dict[str, Any]:
        """Accuracy: the share of items with every dimension right; `mae`: mean points off."""
        logs, raw = (
            self._logs(outputs, temperatures)
            for temperatures in (calibration["temperatures"], np.ones(len(self.dimensions)))
        )
        wanted = np.asarray(targets).argmax(axis=2)
        middle = medians(np.exp(logs))
        at = wanted[:, :, None]
        return {
            "n": len(wanted),
            "accuracy": float((middle == wanted).all(axis=1).mean()),
            "mae": float(np.abs(middle - wanted).mean()),
            "loss": float(-np.take_along_axis(raw, at, axis=2).mean()),
            "loss_calibrated": float(-np.take_along_axis(logs, at, axis=2).mean()),
        }

    def head_start(
        self, vectors: Floats, train: Examples, seed: int
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None:
        """A probe for each step, on the items that reach it."""
        weight = np.zeros((self.outputs, vectors.shape[1]), dtype=np.float32)
        bias = np.zeros(self.outputs, dtype=np.float32)
        wanted = train.targets.argmax(axis=2)
        steps = len(self.points) - 1
        for at in range(self.outputs):
            d, step = divmod(at, steps)
            here = np.flatnonzero(wanted[:, d] >= step)
            above = (wanted[here, d] > step).astype(np.int64)
            weight[at], bias[at] = two_class_head(vectors[here], above, train.weights[here], seed)
        return weight, bias


def medians(probs: Floats) -> Ints:
    """(n, d) the lowest point at which half the belief or more lies at or below, of (n, d, p).

    >>> medians(np.array([[[0.3, 0.3, 0.4], [0.5, 0.2, 0.3]]])).tolist()
    [[1, 0]]
    """
    below = np.cumsum(np.asarray(probs, dtype=np.float64), axis=2)
    found: Ints = (below < 0.5 - 1e-9).sum(axis=2).astype(np.int64)
    return np.minimum(found, below.shape[2] - 1)
