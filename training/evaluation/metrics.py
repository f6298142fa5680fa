"""How good a classifier is on labelled items: accuracy, macro-F1, per-class figures, confusion, calibration.

n  items        k  labels        c  filled cells of the confusion matrix        r  resamples
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from annotation.quality.intervals import (
    RESAMPLES,
    Estimate,
    bootstrap,
    percentile_interval,
    undefined,
    wilson,
)
from training.learning import calibration

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class ClassFigures:
    """One label's figures. `support` items have it, `predicted` items were given it; a figure over none is
    NaN.
    """

    label: str
    precision: Estimate
    recall: Estimate
    f1: Estimate
    support: int
    predicted: int


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """All figures of one model. `confusion[i, j]`: items of label i that were given label j."""

    n: int
    labels: tuple[str, ...]
    accuracy: Estimate
    macro_f1: Estimate
    ece: Estimate
    per_class: tuple[ClassFigures, ...]
    confusion: Ints
    reliability: calibration.Reliability

    def to_json(self) -> dict[str, Any]:
        """Plain values; `intervals` holds [low, high] of the headline figures. None stands for NaN."""
        headline = {"accuracy": self.accuracy, "macro_f1": self.macro_f1, "ece": self.ece}
        return {
            "n": self.n,
            "labels": list(self.labels),
            **{name: _number(estimate.value) for name, estimate in headline.items()},
            "intervals": {name: _interval(estimate) for name, estimate in headline.items()},
            "per_class": [_class_json(figures) for figures in self.per_class],
            "confusion": self.confusion.tolist(),
            "reliability": _bins_json(self.reliability),
        }


def measure(
    probs: npt.NDArray[np.floating],
    gold: Ints,
    labels: tuple[str, ...],
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    bins: int = calibration.BINS,
) -> Metrics:
    """Every figure of a model's probabilities against the true labels.

    Shares (accuracy, precision, recall) have Wilson's interval, F1 and the calibration error a percentile
    bootstrap over items. The calibration error's bootstrap leans upwards, as the error itself does where bins
    hold few items.

    Args:
        probs: (n, k) rows of probabilities; the answer is the argmax, the first among equals.
        gold: (n,) columns of `probs`.
        labels: k ids.
        rng: draws the resamples.

    Raises:
        ValueError: no items, shapes that do not match, a label outside 0..k-1, or probabilities that are NaN.

    Cost O(n k + r (n + c k)).
    """
    probs, gold = np.asarray(probs, dtype=np.float64), np.asarray(gold, dtype=np.int64)
    k = len(labels)
    if not len(gold) or probs.shape != (len(gold), k):
        raise ValueError(
            f"found probabilities {probs.shape} for {len(gold)} items and {k} labels, expected (n, k)"
        )
    if gold.min() < 0 or gold.max() >= k:
        raise ValueError(f"found a gold label outside 0..{k - 1}")
    if np.isnan(probs).any():
        raise ValueError(
            "found probabilities that are NaN, expected numbers from 0 to 1: the model has diverged"
        )
    predicted = probs.argmax(axis=1)
    matrix = confusion(gold, predicted, k)
    macro, f1 = _f1_estimates(matrix, rng, resamples)
    sure = probs.max(axis=1)
    return Metrics(
        n=len(gold),
        labels=tuple(labels),
        accuracy=wilson(int(np.trace(matrix)), len(gold)),
        macro_f1=macro,
        ece=_ece_estimate(sure, predicted == gold, bins, rng, resamples),
        per_class=tuple(
            ClassFigures(
                label=label,
                precision=_share(int(matrix[i, i]), int(matrix[:, i].sum()), "it was never predicted"),
                recall=_share(int(matrix[i, i]), int(matrix[i].sum()), "no item has it"),
                f1=f1[i],
                support=int(matrix[i].sum()),
                predicted=int(matrix[:, i].sum()),
            )
            for i, label in enumerate(labels)
        ),
        confusion=matrix,
        reliability=calibration.reliability(sure, predicted == gold, bins),
    )


def confusion(gold: Ints, predicted: Ints, k: int) -> Ints:
    """(k, k) counts; rows are true labels, columns predicted ones. O(n + k^2)."""
    return np.bincount(gold * k + predicted, minlength=k * k).reshape(k, k).astype(np.int64)


def f1_scores(true_positive: Floats, support: Floats, predicted: Floats) -> Floats:
    """2 tp / (support + predicted), elementwise; NaN where a label neither occurs nor is predicted."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return 2.0 * true_positive / (support + predicted)


def macro_f1(matrix: Ints) -> float:
    """Mean F1 over the labels that occur or are predicted (as scikit-learn's default), 0..1; NaN for no
    items.
    """
    scores = f1_scores(np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0))
    return float(np.nanmean(scores)) if matrix.any() else math.nan


def _f1_estimates(matrix: Ints, rng: np.random.Generator, resamples: int) -> tuple[Estimate, list[Estimate]]:
    """Macro-F1 and F1 by label with bootstrap intervals.

    F1 depends on the items through the confusion matrix alone, so a resample of items is a multinomial draw
    over the filled cells.
    """
    n, k = int(matrix.sum()), len(matrix)
    rows, columns = np.nonzero(matrix)
    draws = rng.multinomial(n, matrix[rows, columns] / n, size=resamples).astype(np.float64)  # (r, c)
    of_row, of_column = np.eye(k)[rows], np.eye(k)[columns]  # (c, k)
    samples = f1_scores(
        draws @ (of_row * (rows == columns)[:, None]), draws @ of_row, draws @ of_column
    )  # (r, k)
    with np.errstate(invalid="ignore"):
        held = ~np.isnan(samples)
        means = np.where(held, samples, 0.0).sum(axis=1) / held.sum(axis=1)
    low, high = percentile_interval(means)
    values = f1_scores(np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0))
    return Estimate(macro_f1(matrix), low, high, n), [
        undefined(n, "no item has it and it was never predicted")
        if math.isnan(values[i])
        else Estimate(float(values[i]), *percentile_interval(samples[:, i]), n)
        for i in range(k)
    ]


def _ece_estimate(
    sure: Floats, correct: npt.NDArray[np.bool_], bins: int, rng: np.random.Generator, resamples: int
) -> Estimate:
    """The calibration error is sum over bins of |sum of (correct - confidence)| / n: linear inside a bin."""
    gaps = np.zeros((len(sure), bins))
    gaps[np.arange(len(sure)), calibration.bin_of(sure, bins)] = correct - sure
    return bootstrap(
        np.ones(len(sure), dtype=np.int64),
        lambda weights: np.abs(weights @ gaps).sum(axis=1) / weights.sum(axis=1),
        resamples=resamples,
        rng=rng,
    )


def _share(part: int, whole: int, note: str) -> Estimate:
    return wilson(part, whole) if whole else undefined(0, note)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _interval(estimate: Estimate) -> list[float | None]:
    return [_number(estimate.low), _number(estimate.high)]


def _class_json(figures: ClassFigures) -> dict[str, Any]:
    shares = {"precision": figures.precision, "recall": figures.recall, "f1": figures.f1}
    return {
        "label": figures.label,
        **{name: _number(estimate.value) for name, estimate in shares.items()},
        "intervals": {name: _interval(estimate) for name, estimate in shares.items()},
        "support": figures.support,
        "predicted": figures.predicted,
    }


def _bins_json(bins: calibration.Reliability) -> list[dict[str, Any]]:
    return [
        {
            "low": float(bins.edges[i]),
            "high": float(bins.edges[i + 1]),
            "count": int(bins.counts[i]),
            "confidence": _number(float(bins.confidence[i])),
            "accuracy": _number(float(bins.accuracy[i])),
        }
        for i in range(len(bins.counts))
    ]
