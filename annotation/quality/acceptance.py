"""From which confidence on suggestions are right often enough to be accepted without a person looking at each.

The evidence are suggestions whose item has been resolved by people who did not see them, or was drawn for
a check: whether a suggestion was right must not decide whether it counts. An answer that merely accepted
what was shown says nothing of what an unaided person would have said.

Trying every threshold and taking the best would find one that passes by luck. So thresholds are tested in an
order that the confidences alone decide, from the highest down, and the first failure ends it: fixed-sequence
testing, which holds the chance of any wrong threshold at the level of one test (Maurer, Hothorn & Lehmacher,
1995). A sequence that begins with few suggestions may fail by bad luck, so there are `STARTS` of them, each at
its part of the level (Bonferroni; Angelopoulos, Bates, Candès, Jordan & Lei, "Learn then Test", 2021).
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
LEVEL = 1 - CONFIDENCE  # of proving a threshold that is not right often enough
STARTS = (
    3  # sequences: from the fewest suggestions that can prove the target, from twice and four times as many
)
GROWTH = 1.05  # each threshold of a sequence has so many times the suggestions of the one before


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
        return max(0, fewest(self.target) - self.n)


def fewest(target: float) -> int:
    """How many suggestions can prove the target if all are right: at least `MINIMUM`.

    >>> fewest(0.9), fewest(0.95), fewest(0.99)
    (50, 80, 408)
    """
    return max(MINIMUM, math.ceil(math.log(LEVEL / STARTS) / math.log(target)))


def calibrate(pairs: Iterable[Pair], target: float) -> Calibration:
    """The lowest threshold that is proven: its suggestions, at or above it, are right with a share of at least
    `target`. Where the true share lies below the target at every threshold, one is called proven with a
    probability of at most `LEVEL`; likewise any that is too low.

    Each test is the exact binomial one, which also holds where the chance of being right differs from suggestion
    to suggestion (Hoeffding, 1956). Suggestions of equal confidence stand or fall together. It is a proof for
    one look: whoever looks again after every few labels until it passes has had more than one chance. ValueError
    for a confidence outside [0, 1] or a target outside (0, 1). O(n log n).

    >>> pairs = [Pair(0.9, True)] * 99 + [Pair(0.9, False)] + [Pair(0.5, i % 2 == 0) for i in range(60)]
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
    chosen = _lowest_proven(above, right_above, target)
    at = len(thresholds) - 1 if chosen is None else chosen
    curve = [
        Step(float(thresholds[i]), wilson(int(right_above[i]), int(above[i])))
        for i in _thinned(len(thresholds), at)
    ]
    overall = wilson(sum(row.right for row in rows), len(rows))
    return Calibration(
        n=len(rows),
        target=target,
        threshold=None if chosen is None else float(thresholds[chosen]),
        accuracy=overall if chosen is None else wilson(int(right_above[chosen]), int(above[chosen])),
        curve=sorted(curve),
    )


def accuracy_above(pairs: Iterable[Pair], threshold: float) -> Estimate:
    """How right the suggestions with a confidence of at least `threshold` were."""
    outcomes = [right for score, right in pairs if score >= threshold]
    return wilson(sum(outcomes), len(outcomes))


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


def _lowest_proven(above: Ints, right_above: Ints, target: float) -> int | None:
    """The position of the lowest threshold that a sequence reaches without a failure; positions rise as
    thresholds fall.
    """
    proven = None
    for start in (fewest(target) * 2**step for step in range(STARTS)):
        for at in _sequence(above, start):
            if chance(int(right_above[at]), int(above[at]), target) > LEVEL / STARTS:
                break
            proven = at if proven is None else max(proven, at)
    return proven


def _sequence(above: Ints, start: int) -> list[int]:
    """The positions to test: the first with `start` suggestions, then each `GROWTH` times as many, then all."""
    if not len(above) or above[-1] < start:
        return []
    steps = math.ceil(math.log(above[-1] / start) / math.log(GROWTH))
    sizes = np.minimum(start * GROWTH ** np.arange(steps + 1), above[-1])
    return list(dict.fromkeys(np.searchsorted(above, sizes).tolist()))


def chance(right: int, n: int, share: float) -> float:
    """P(X >= right) of X ~ Binomial(n, share): how likely so many right ones are by luck. O(n − right).

    >>> round(chance(50, 50, 0.95), 4), round(chance(9, 10, 0.5), 5)
    (0.0769, 0.01074)
    """
    wrong = np.arange(1, n - right + 1, dtype=np.float64)
    ratios = np.log(n - wrong + 1) - np.log(wrong) + math.log((1 - share) / share)
    terms = n * math.log(share) + np.append(0.0, np.cumsum(ratios))
    highest = float(terms.max())
    return min(1.0, math.exp(highest) * float(np.exp(terms - highest).sum()))


def _thinned(count: int, kept: int) -> list[int]:
    """At most `DRAWN` positions spread evenly over `count`, and `kept`."""
    if not count:
        return []
    step = max(1, math.ceil(count / DRAWN))
    return sorted({*range(0, count, step), count - 1, kept})
