"""From which confidence on suggestions are right often enough to be accepted without a person looking at each.

The evidence are suggestions whose item has been resolved by people who did not see them, or was drawn for
a check: whether a suggestion was right must not decide whether it counts. An answer that merely accepted
what was shown says nothing of what an unaided person would have said.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from annotation.quality.intervals import CONFIDENCE, Estimate, wilson

MINIMUM = 50  # resolved items: with fewer a threshold would rest on a handful
DRAWN = 40  # points of the curve


class Pair(NamedTuple):
    """One suggestion of a resolved item: its confidence in [0, 1], and whether the final label is the same."""

    confidence: float
    right: bool


class Step(NamedTuple):
    """How right the suggestions with a confidence of at least `threshold` were."""

    threshold: float
    accuracy: Estimate


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """`threshold` is None where no confidence reaches the target; `accuracy` is that above the threshold,
    or of all.

    `curve` has rising thresholds, thinned to `DRAWN` of them, the chosen one and the lowest among them.
    """

    n: int
    target: float
    threshold: float | None
    accuracy: Estimate
    curve: list[Step]

    @property
    def lacks(self) -> int:
        """How many more resolved items are needed before a threshold may be chosen."""
        return max(0, MINIMUM - self.n)


def calibrate(pairs: Iterable[Pair], target: float, confidence: float = CONFIDENCE) -> Calibration:
    """The smallest threshold whose suggestions at or above it are right with a share of at least `target`,
    by the lower end of Wilson's interval; at least `MINIMUM` suggestions must lie above it.

    Suggestions of equal confidence stand or fall together. ValueError for a confidence outside [0, 1] or a
    target outside (0, 1). O(n log n).

    >>> pairs = [Pair(0.9, True)] * 95 + [Pair(0.9, False)] + [Pair(0.5, i % 2 == 0) for i in range(60)]
    >>> calibrate(pairs, 0.94).threshold, calibrate(pairs, 0.99).threshold
    (0.9, None)
    """
    if not 0 < target < 1:
        raise ValueError(f"a target of {target} is not possible: give a share between 0 and 1")
    rows = list(pairs)
    scores = np.array([row.confidence for row in rows], dtype=np.float64)
    if len(scores) and not ((scores >= 0) & (scores <= 1)).all():
        raise ValueError("a confidence is not between 0 and 1: give probabilities")
    thresholds, above, right_above = _cumulated(scores, np.array([row.right for row in rows], dtype=bool))
    chosen = _smallest(above, right_above, target, confidence)
    at = len(thresholds) - 1 if chosen is None else chosen
    curve = [
        Step(float(thresholds[i]), wilson(int(right_above[i]), int(above[i]), confidence))
        for i in _thinned(len(thresholds), at)
    ]
    overall = wilson(sum(row.right for row in rows), len(rows), confidence)
    return Calibration(
        n=len(rows),
        target=target,
        threshold=None if chosen is None else float(thresholds[chosen]),
        accuracy=overall
        if chosen is None
        else wilson(int(right_above[chosen]), int(above[chosen]), confidence),
        curve=sorted(curve),
    )


def accuracy_above(pairs: Iterable[Pair], threshold: float, confidence: float = CONFIDENCE) -> Estimate:
    """How right the suggestions with a confidence of at least `threshold` were."""
    outcomes = [right for score, right in pairs if score >= threshold]
    return wilson(sum(outcomes), len(outcomes), confidence)


Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def _cumulated(scores: Floats, right: npt.NDArray[np.bool_]) -> tuple[Floats, Ints, Ints]:
    """Distinct confidences falling (t,); how many suggestions lie at or above each, and how many of these
    are right.
    """
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last = np.flatnonzero(np.append(np.diff(falling) != 0, True)) if len(falling) else np.empty(0, np.int64)
    return falling[last], (last + 1).astype(np.int64), np.cumsum(right[order])[last].astype(np.int64)


def _smallest(above: Ints, right_above: Ints, target: float, confidence: float) -> int | None:
    """The position of the smallest threshold that reaches the target; positions rise as thresholds fall."""
    for i in range(len(above) - 1, -1, -1):
        if above[i] < MINIMUM:
            return None
        if right_above[i] >= target * above[i] and (
            wilson(int(right_above[i]), int(above[i]), confidence).low >= target
        ):
            return i
    return None


def _thinned(count: int, kept: int) -> list[int]:
    """At most `DRAWN` positions spread evenly over `count`, and `kept`."""
    if not count:
        return []
    step = max(1, math.ceil(count / DRAWN))
    return sorted({*range(0, count, step), count - 1, kept})
