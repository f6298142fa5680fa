"""Single-label classification: one label out of k for each text, learnt by weighted cross-entropy.

With soft labels the target is what people believed of the item (a posterior, else shares of votes) instead of
the label they came to: cross-entropy against that distribution. Peterson, Battleday, Griffiths & Russakovsky
2019, "Human Uncertainty Makes Classification More Robust"; Uma et al. 2021, "Learning from Disagreement".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from annotation.task_types import labels as label_lists
from training.learning import calibration as fitting
from training.objectives import frozen
from training.objectives.frozen import Examples, Floats, Ints
from training.objectives.task import Answer, Calibration, Choices, Encoded, Field, Task, likeliest

if TYPE_CHECKING:
    import torch

HEAD_C = 10.0


class OneLabel(Task):
    """One label of a flat list. Columns: its labels; outputs: a logit each."""

    writes_answers = False

    def __init__(self, given: Field, choices: Choices) -> None:
        super().__init__(given, choices)
        self.columns = label_lists.answers_of(given)
        self.outputs = len(self.columns)

    def read(self, folder: Path, split: str) -> Examples:
        """Targets: (n,) columns, or (n, k) shares with soft labels."""
        return read(folder, split, self.columns, soft=self.choices.soft_labels and split == "train")

    def check(self, train: Examples) -> None:
        check(train)

    def counts(self, train: Examples) -> dict[str, int]:
        return counts(train, self.columns)

    def losses(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return losses(outputs, targets)

    def correct(self, outputs: Any, targets: Any) -> npt.NDArray[np.bool_]:
        found: npt.NDArray[np.bool_] = outputs.argmax(axis=1) == hard(targets)
        return found

    def calibrate(self, outputs: Any, targets: Any) -> Calibration:
        """One temperature (Guo et al. 2017)."""
        return {"temperature": fitting.fit_temperature(outputs, hard(targets)) if len(outputs) else 1.0}

    def probabilities(self, outputs: Any, encoded: Encoded, calibration: Calibration) -> Any:
        return fitting.calibrated(outputs, float(calibration["temperature"]))

    def answers(self, probabilities: Any, encoded: Encoded, calibration: Calibration) -> list[Answer]:
        """The likeliest label, the first among equals."""
        return [
            Answer(
                value=self.columns[int(probs.argmax())],
                confidence=min(1.0, float(probs.max())),
                scores=likeliest(self.columns, probs),
            )
            for probs in probabilities
        ]

    def figures(
        self, examples: Examples, encoded: Encoded, outputs: Any, targets: Any, calibration: Calibration
    ) -> dict[str, Any]:
        neutral = {**calibration, "temperature": 1.0}
        return one_label_figures(
            self.probabilities(outputs, encoded, neutral),
            self.probabilities(outputs, encoded, calibration),
            hard(targets),
        )

    def head_start(
        self, vectors: Floats, train: Examples, seed: int
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None:
        return probe_head(vectors, hard(train.targets), self.outputs, train.weights, seed)


def read(folder: Path, split: str, labels: Sequence[str], *, soft: bool = False) -> Examples:
    """One split with its targets as columns of `labels`.

    Raises:
        ValueError: as `frozen.read`; or a label outside `labels`.
    """
    found = frozen.read(folder, split)
    targets: Any = columns_of(found.labels, labels, found.path)
    if soft:
        one_hot = np.eye(len(labels), dtype=np.float32)[targets]
        targets = frozen.shares(found.posteriors, one_hot, list(labels))
    return found.of(found.labels, targets)


def columns_of(given: Sequence[str], labels: Sequence[str], where: Path) -> Ints:
    """(n,) place of each given label id among `labels`.

    Raises:
        ValueError: one is not among them; the message names a few.
    """
    place = {label: i for i, label in enumerate(labels)}
    if unknown := sorted({label for label in given if label not in place}):
        raise ValueError(
            f"{where} has labels that the schema does not know: {', '.join(unknown[:5])}; "
            f"expected some of the {len(labels)} labels given"
        )
    return np.array([place[label] for label in given], dtype=np.int64)


def hard(targets: Any) -> Ints:
    """(n,) columns of targets that are columns already, or (n, k) shares: the greatest, the first of equals."""
    given = np.asarray(targets)
    return (given if given.ndim == 1 else given.argmax(axis=1)).astype(np.int64)


def counts(examples: Examples, labels: Sequence[str]) -> dict[str, int]:
    """Items of each label, in the order of the schema, zeros included."""
    found = Counter(hard(examples.targets).tolist())
    return {label: found[i] for i, label in enumerate(labels)}


def check(examples: Examples) -> None:
    """Whether there is something to learn.

    Raises:
        ValueError: no item, none that counts, or one label only.
    """
    counted = hard(examples.targets)[examples.weights > 0]
    if not len(counted):
        raise ValueError("found no labelled item to train on, expected some: label items and freeze again")
    if len(np.unique(counted)) < 2:
        raise ValueError(
            f"found one label among the {len(counted)} items to train on, expected two or more: "
            "label items of other labels"
        )


def losses(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """(b,) cross-entropy of each item in nats, from logits (b, k) and columns (b,) or shares (b, k)."""
    from torch.nn.functional import cross_entropy

    return cross_entropy(logits.float(), targets, reduction="none")


def one_label_figures(raw: Floats, scaled: Floats, targets: Ints) -> dict[str, Any]:
    """How items are met before calibration and after it: probabilities (n, k) of both, columns (n,)."""
    at = np.arange(len(targets))

    def nll(probs: Floats) -> float:
        return float(-np.log(np.maximum(probs[at, targets], 1e-30)).mean())

    return {
        "n": len(targets),
        "accuracy": float((scaled.argmax(axis=1) == targets).mean()),
        "loss": nll(raw),
        "loss_calibrated": nll(scaled),
        "ece": fitting.ece(raw, targets),
        "ece_calibrated": fitting.ece(scaled, targets),
    }


def probe_head(
    vectors: Floats, targets: Ints, k: int, weights: npt.NDArray[np.float64], seed: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]] | None:
    """A linear probe as weight (k, d) and bias (k,); None where all targets are alike."""
    from training.learning import probe  # scikit-learn: programs alone

    if len(np.unique(targets)) < 2:
        return None
    return probe.fit(vectors, targets, k, c=HEAD_C, seed=seed, weights=weights).head(vectors)
