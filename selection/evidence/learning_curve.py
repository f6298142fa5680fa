"""Learning curves: accuracy against labels, their area, and whether one strategy is ahead of another.

s  seeds        b  batches
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from annotation.quality.intervals import CONFIDENCE, Estimate

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LearningCurve:
    """Accuracy after each batch over seeds.

    Attributes:
        labels: (b,) labels so far. mean, low, high: (b,) mean over seeds and its interval.
        area: the mean area under the curves, with its interval.
        seeds: how many curves.
    """

    labels: npt.NDArray[np.int64]
    mean: Floats
    low: Floats
    high: Floats
    area: Estimate
    seeds: int


def summarise(
    labels: npt.ArrayLike, accuracies: npt.ArrayLike, *, confidence: float = CONFIDENCE
) -> LearningCurve:
    """The curve of one strategy.

    Args:
        labels: (b,) rising. accuracies: (s, b), one row a seed, s >= 1, in [0, 1].

    The intervals are Student's t over seeds; with one seed they are NaN. Cost O(s b).

    Raises:
        ValueError: shapes that do not fit, labels that do not rise, an accuracy that is no number.
    """
    counts, curves = _checked(labels, accuracies)
    points = [mean_over_seeds(curves[:, at], confidence=confidence) for at in range(curves.shape[1])]
    return LearningCurve(
        labels=counts,
        mean=np.array([point.value for point in points]),
        low=np.array([point.low for point in points]),
        high=np.array([point.high for point in points]),
        area=mean_over_seeds(areas(counts, curves), confidence=confidence),
        seeds=len(curves),
    )


def areas(labels: npt.ArrayLike, accuracies: npt.ArrayLike) -> Floats:
    """(s,) area under each curve by trapezoids, divided by its width: the mean accuracy on the way, in [0,
    1].

    A curve of one batch has its accuracy as its area. Cost O(s b).

    >>> areas([10, 20, 40], [[0.0, 1.0, 1.0]]).round(4).tolist()
    [0.8333]
    """
    counts, curves = _checked(labels, accuracies)
    if len(counts) == 1:
        return curves[:, 0].copy()
    return np.trapezoid(curves, counts, axis=1) / (counts[-1] - counts[0])


def area_gain(
    labels: npt.ArrayLike,
    accuracies: npt.ArrayLike,
    baseline: npt.ArrayLike,
    *,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """Mean area minus that of the baseline over paired seeds, with the interval of the paired t-test.

    Args:
        accuracies, baseline: (s, b); row i of both began with the same seed (and the same first batch).

    Above 0 throughout: ahead beyond the seed noise.
    """
    ours, theirs = areas(labels, accuracies), areas(labels, baseline)
    if len(ours) != len(theirs):
        raise ValueError(
            f"found {len(ours)} curves and {len(theirs)} of the baseline, expected one for each seed"
        )
    return mean_over_seeds(ours - theirs, confidence=confidence)


def labels_to(labels: npt.ArrayLike, accuracy: npt.ArrayLike, target: float) -> int | None:
    """The first label count at which the curve reaches `target`; None if it never does.

    Only counts that were measured are given: nothing is read off between two batches.

    >>> labels_to([25, 50, 75], [0.5, 0.7, 0.6], 0.6)
    50
    """
    counts, curves = _checked(labels, np.asarray(accuracy, dtype=np.float64)[None])
    # A mean over seeds can miss its own last value by a rounding error.
    reached = np.flatnonzero(curves[0] >= target - 1e-12)
    return int(counts[reached[0]]) if len(reached) else None


def labels_ratio(labels: npt.ArrayLike, accuracies: npt.ArrayLike, baseline: npt.ArrayLike) -> float | None:
    """Labels that reach the baseline's final accuracy, as a share of those that the baseline itself needs.

    Both are read off the mean curves in the same way: should noise carry the baseline to its final accuracy
    before its end, that counts for it. None if it is not reached.
    """
    counts, ours = _checked(labels, accuracies)
    theirs = _checked(labels, baseline)[1].mean(axis=0)
    needed = labels_to(counts, ours.mean(axis=0), float(theirs[-1]))
    own = labels_to(counts, theirs, float(theirs[-1]))
    assert own is not None  # the last point is its own target
    return None if needed is None else needed / own


def mean_over_seeds(values: npt.ArrayLike, *, confidence: float = CONFIDENCE) -> Estimate:
    """Mean of (s,) values with Student's t interval (Gosset 1908): few seeds, so not the bootstrap.

    With one value the interval is NaN, and the note says so.
    """
    given = np.asarray(values, dtype=np.float64)
    mean = float(given.mean())
    if len(given) < 2:
        return Estimate(mean, math.nan, math.nan, len(given), "one seed: no interval")
    half = float(
        stats.t.ppf(0.5 + confidence / 2, len(given) - 1) * given.std(ddof=1) / math.sqrt(len(given))
    )
    return Estimate(mean, mean - half, mean + half, len(given))


def _checked(labels: npt.ArrayLike, accuracies: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], Floats]:
    counts, curves = np.asarray(labels, dtype=np.int64), np.asarray(accuracies, dtype=np.float64)
    if curves.ndim != 2 or counts.shape != curves.shape[1:] or not curves.size:
        raise ValueError(
            f"found label counts of shape {counts.shape} and accuracies of shape {curves.shape}, "
            "expected (b,) and (seeds, b), one or more of each"
        )
    if (np.diff(counts) <= 0).any():
        raise ValueError("label counts do not rise from batch to batch: give them in order")
    if not np.isfinite(curves).all():
        raise ValueError("an accuracy is not a number: run the simulation again")
    return counts, curves
