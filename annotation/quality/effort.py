"""How long an item will take to be labelled, by the length of its text, learnt from answers that were timed.

n  timed answers        m  items asked about
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Lengths = npt.NDArray[np.int64]

LEAST_ANSWERS = 30  # fewer say too little of how time grows with length
MOST_ANSWERS = 2_000  # the newest: two million pairs, within a second and 80 MB


@dataclass(frozen=True, kw_only=True)
class Effort:
    """log seconds = intercept + slope log(1 + characters).

    Attributes:
        shortest, longest: characters that were learnt from; beyond them an item takes as long as at the end.
        answers: how many were learnt from. is_learnt: False where they were too few, and all items are alike.
    """

    intercept: float
    slope: float
    shortest: int
    longest: int
    answers: int
    is_learnt: bool

    def seconds(self, lengths: Lengths) -> Floats:
        """(m,) expected seconds, > 0, of texts of (m,) characters. O(m)."""
        within = np.clip(np.asarray(lengths, dtype=np.float64), self.shortest, self.longest)
        return np.asarray(np.exp(self.intercept + self.slope * np.log1p(within)))


def learn(lengths: Lengths, seconds: Floats) -> Effort:
    """Theil-Sen on logarithms: the slope is the median over all pairs of answers of texts of unequal length,
    the intercept the median of what it leaves over. Up to 29 % of the answers may be anything (a phone call
    in between, an answer by mistake) without moving it far. (Theil 1950; Sen 1968.)

    Args:
        lengths: (n,) characters >= 0. seconds: (n,) > 0, without idle time.

    With fewer than 30 answers, or texts all of one length, every item is expected to take the median (one
    second where there is none). O(n^2).

    Raises:
        ValueError: shapes that differ, or a time that is not above 0.
    """
    lengths, seconds = np.asarray(lengths, dtype=np.float64), np.asarray(seconds, dtype=np.float64)
    if lengths.shape != seconds.shape or lengths.ndim != 1:
        raise ValueError(
            f"found {lengths.shape} lengths and {seconds.shape} times, expected one of each for an answer"
        )
    if not (np.isfinite(seconds) & (seconds > 0)).all():
        raise ValueError("found a time that is not above 0 seconds: leave out answers that were not timed")
    answers = len(seconds)
    slopes = _slopes(np.log1p(lengths), np.log(seconds)) if answers >= LEAST_ANSWERS else np.empty(0)
    if not len(slopes):
        usual = float(np.median(np.log(seconds))) if answers else 0.0
        return Effort(intercept=usual, slope=0.0, shortest=0, longest=0, answers=answers, is_learnt=False)
    slope = float(np.median(slopes))
    return Effort(
        intercept=float(np.median(np.log(seconds) - slope * np.log1p(lengths))),
        slope=slope,
        shortest=int(lengths.min()),
        longest=int(lengths.max()),
        answers=answers,
        is_learnt=True,
    )


def _slopes(x: Floats, y: Floats) -> Floats:
    """Rise over run of every pair whose x differ."""
    first, second = np.triu_indices(len(x), k=1)
    run = x[second] - x[first]
    differ = run != 0
    return np.asarray((y[second] - y[first])[differ] / run[differ])
