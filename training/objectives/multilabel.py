"""Several labels a text: a yes or no for each label by itself, learnt by binary cross-entropy.

Binary relevance (Tsoumakas & Katakis 2007, "Multi-Label Classification: An Overview") with one shared encoder.
Each label has a temperature of its own (Guo et al. 2017), and a threshold that maximises its F1 on validation
items (Lipton, Elkan & Naryanaswamy 2014, "Optimal Thresholding of Classifiers to Maximize F1 Measure"); a label
with few positive validation items has the threshold that is best over all labels together, or 1/2.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from annotation.task_types import labels as label_lists
from annotation.task_types import multilabel as task_type
from training.learning import calibration as fitting
from training.objectives import frozen
from training.objectives.classification import probe_head
from training.objectives.frozen import Examples, Floats, Ints
from training.objectives.task import Answer, Calibration, Choices, Encoded, Field, Task, likeliest

if TYPE_CHECKING:
    import torch

LEAST_POSITIVES = 10  # validation items that name a label, below which its threshold is the common one


class SeveralLabels(Task):
    """Any number of labels. Columns: the labels that may be answered; outputs: a logit each. The parts are the
    labels."""

    parts_are = "labels"

    def __init__(self, given: Field, choices: Choices) -> None:
        super().__init__(given, choices)
        self.parts = self.columns = label_lists.answers_of(given)
        self.outputs = len(self.columns)

    def read(self, folder: Path, split: str) -> Examples:
        """Targets: (n, k) float32, 1 where the label was given; with soft labels the share that gave it."""
        found = frozen.read(folder, split)
        place = {label: at for at, label in enumerate(self.columns)}
        answers = [list(one["labels"]) for one in found.first_examples()]
        if unknown := sorted({label for answer in answers for label in answer if label not in place}):
            raise ValueError(
                f"{found.path} has labels that the schema does not know: {', '.join(unknown[:5])}; "
                f"expected some of the {len(place)} labels given"
            )
        targets = np.zeros((len(answers), self.outputs), dtype=np.float32)
        for i, answer in enumerate(answers):
            targets[i, [place[label] for label in answer]] = 1.0
            posterior = found.posteriors[i]
            if self.choices.soft_labels and split == "train" and posterior:
                targets[i] = [min(1.0, posterior.get(label, 0.0)) for label in self.columns]
        return found.of(answers, targets)

    def check(self, train: Examples) -> None:
        frozen.check_varied(
            train, "have the same labels, expected different ones: label items of other kinds"
        )

    def counts(self, train: Examples) -> dict[str, int]:
        return {
            label: int((train.targets[:, at] >= 0.5).sum()) if len(train) else 0
            for at, label in enumerate(self.columns)
        }

    def losses(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """(b,) mean over labels of the binary cross-entropy in nats, from logits and shares, both (b, k)."""
        return self.part_losses(outputs, targets).sum(dim=1)

    def part_losses(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """(b, k) the k-th part of each label's binary cross-entropy."""
        from torch.nn.functional import binary_cross_entropy_with_logits

        return binary_cross_entropy_with_logits(outputs.float(), targets, reduction="none") / self.outputs

    def correct(self, outputs: Any, targets: Any) -> npt.NDArray[np.bool_]:
        """(n, k): whether each label is on the right side of 1/2."""
        found: npt.NDArray[np.bool_] = (np.asarray(outputs) > 0) == (np.asarray(targets) >= 0.5)
        return found

    def calibrate(self, outputs: Any, targets: Any) -> Calibration:
        """`temperatures` and `thresholds`, both (k,), of labels in their order."""
        k = self.outputs
        if not len(outputs):
            return {"temperatures": [1.0] * k, "thresholds": [0.5] * k}
        given = np.asarray(targets) >= 0.5
        pairs = np.stack([np.zeros_like(outputs), outputs], axis=2)  # (n, k, 2): no, yes
        temperatures = [
            fitting.fit_temperature(pairs[:, at], given[:, at].astype(np.int64)) for at in range(k)
        ]
        probs = expit(np.asarray(outputs, dtype=np.float64) / np.array(temperatures))
        common = best_threshold(probs.ravel(), given.ravel()) if given.sum() >= LEAST_POSITIVES else 0.5
        thresholds = [
            best_threshold(probs[:, at], given[:, at]) if given[:, at].sum() >= LEAST_POSITIVES else common
            for at in range(k)
        ]
        return {"temperatures": temperatures, "thresholds": thresholds}

    def probabilities(self, outputs: Any, encoded: Encoded, calibration: Calibration) -> Any:
        wide = np.asarray(outputs, dtype=np.float64) / np.array(calibration["temperatures"])
        return expit(wide).astype(np.float32)

    def answers(self, probabilities: Any, encoded: Encoded, calibration: Calibration) -> list[Answer]:
        """Labels at or above their thresholds, within the field's bounds: where they are too few the ones that
        miss their threshold by least are added, where too many those that pass it by most are kept.

        Confidence: the probability of exactly this set, as if labels were independent.
        """
        thresholds = np.array(calibration["thresholds"])
        low, high = task_type.bounds(self.field)
        return [self._answer(np.asarray(probs, np.float64), thresholds, low, high) for probs in probabilities]

    def _answer(self, probs: Floats, thresholds: Floats, low: int, high: int) -> Answer:
        order = np.argsort(thresholds - probs, kind="stable")
        count = min(high, max(low, int((probs >= thresholds).sum())))
        taken = np.zeros(len(probs), dtype=bool)
        taken[order[:count]] = True
        return Answer(
            value=[label for label, is_taken in zip(self.columns, taken, strict=True) if is_taken],
            confidence=float(np.clip(np.where(taken, probs, 1 - probs).prod(), 0.0, 1.0)),
            scores=likeliest(self.columns, probs),
        )

    def figures(
        self, examples: Examples, encoded: Encoded, outputs: Any, targets: Any, calibration: Calibration
    ) -> dict[str, Any]:
        """Accuracy: the share of items whose whole set is right."""
        probs = self.probabilities(outputs, encoded, calibration)
        given = [set(one.value) for one in self.answers(probs, encoded, calibration)]
        wanted = [set(answer) for answer in examples.answers]
        shared = sum(len(one & two) for one, two in zip(given, wanted, strict=True))
        total = sum(map(len, given)) + sum(map(len, wanted))
        neutral = {"temperatures": [1.0] * self.outputs}
        return {
            "n": len(wanted),
            "accuracy": float(np.mean([one == two for one, two in zip(given, wanted, strict=True)])),
            "micro_f1": 2 * shared / total if total else None,
            "loss": binary_nll(self.probabilities(outputs, encoded, neutral), targets),
            "loss_calibrated": binary_nll(probs, targets),
        }

    def head_start(
        self, vectors: Floats, train: Examples, seed: int
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None:
        """A probe of two classes for each label; their difference is the label's logit."""
        weight = np.zeros((self.outputs, vectors.shape[1]), dtype=np.float32)
        bias = np.zeros(self.outputs, dtype=np.float32)
        for at in range(self.outputs):
            found = two_class_head(
                vectors, (train.targets[:, at] >= 0.5).astype(np.int64), train.weights, seed
            )
            weight[at], bias[at] = found
        return weight, bias


def two_class_head(
    vectors: Floats, targets: Ints, weights: npt.NDArray[np.float64], seed: int
) -> tuple[npt.NDArray[np.float32], float]:
    """Weight (d,) and bias of the logit of class 1 against 0. Of one class alone: no weight, and the bias of one
    more observation of each class (Laplace's rule)."""
    if len(np.unique(targets)) < 2:
        yes = int(targets.sum())
        return np.zeros(vectors.shape[1], np.float32), float(np.log((yes + 1) / (len(targets) - yes + 1)))
    found = probe_head(vectors, targets, 2, weights, seed)
    assert found is not None
    weight, bias = found
    return weight[1] - weight[0], float(bias[1] - bias[0])


def best_threshold(probs: Floats, given: npt.NDArray[np.bool_]) -> float:
    """The threshold in [0, 1) whose `probs >= threshold` has the highest F1; between two values it lies in their
    middle, and among equals the one nearest to 1/2 is taken. 1/2 where nothing is given. O(n log n).

    >>> best_threshold(np.array([0.1, 0.2, 0.3, 0.9]), np.array([False, False, True, True]))
    0.25
    """
    total = int(given.sum())
    if not total:
        return 0.5
    order = np.argsort(-probs, kind="stable")
    values, hits = np.asarray(probs, dtype=np.float64)[order], np.cumsum(given[order])
    f1 = 2 * hits / (np.arange(1, len(values) + 1) + total)
    last = np.append(values[1:] < values[:-1], True)  # a threshold cannot part equal values
    below = np.append(values[1:], 0.0)
    middle = (values + below) / 2
    best = f1[last].max()
    candidates = middle[last & (f1 >= best - 1e-12)]
    return float(candidates[np.argmin(np.abs(candidates - 0.5))])


def binary_nll(probs: Floats, targets: Any) -> float:
    """Mean binary cross-entropy in nats of (n, k) probabilities against shares (n, k)."""
    p = np.clip(np.asarray(probs, dtype=np.float64), 1e-12, 1 - 1e-12)
    y = np.asarray(targets, dtype=np.float64)
    return float(-(y * np.log(p) + (1 - y) * np.log(1 - p)).mean())
