"""Orders and robust scales that strategies share."""

from __future__ import annotations

from typing import Literal

import numpy as np

from selection.strategies.pool import Floats, Indices

PART = 16  # in a part so many times as large as what is wanted, its last one is a useful bound

Scaling = Literal["rank", "quantile"]


def top(scores: Floats, count: int) -> Indices:
    """Positions of the `count` highest scores, highest first; of equal scores the lower position is first.

    Args:
        scores: (n,), no NaN. count: 0 <= count <= n.

    Cost O(n + count log count).

    >>> top(np.array([0.2, 0.9, 0.9, 0.1]), 2).tolist()
    [1, 2]
    """
    n = len(scores)
    if count <= 0:
        return np.empty(0, dtype=np.int64)
    among = np.arange(n)
    if n > PART * count:
        # The count-th best of a part is at most the count-th best of all: what lies below it is out.
        part = scores[:: n // (PART * count) + 1]
        among = np.flatnonzero(scores >= np.partition(part, len(part) - count)[len(part) - count])
    left = scores[among]
    if count < len(left):
        least = np.partition(left, len(left) - count)[len(left) - count]
        above = np.flatnonzero(left > least)
        among = among[np.concatenate([above, np.flatnonzero(left == least)[: count - len(above)]])]
    return among[np.lexsort((among, -scores[among]))].astype(np.int64)


class Scale:
    """A fixed, never falling map of scores into [0, 1], fitted once on a reference sample.

    * rank: the share of the reference that lies below (half of the ties count). Takes any shape of
      distribution, keeps only the order.
    * quantile: linear between the reference's 5th and 95th percentile, cut off outside. Keeps distances, and
      an outlier cannot squeeze the rest together.

    A constant reference maps itself to 1/2: it speaks for nobody. Because the map is fixed, a score that only
    falls keeps falling, which greedy choices rely on.
    """

    def __init__(self, reference: Floats, how: Scaling) -> None:
        """Args: reference: (r,), r >= 1, no NaN. Cost O(r log r)."""
        self.how = how
        self._sorted = np.sort(np.asarray(reference, dtype=np.float64))
        self._low, self._high = np.quantile(self._sorted, [0.05, 0.95])
        if self._low == self._high:
            self._low, self._high = self._sorted[0], self._sorted[-1]

    def __call__(self, scores: Floats) -> Floats:
        """(n,) -> (n,) float64 in [0, 1]. Cost O(n log r) for rank, O(n) for quantile."""
        given = np.asarray(scores, dtype=np.float64)
        if self.how == "rank":
            below = np.searchsorted(self._sorted, given, side="left")
            upto = np.searchsorted(self._sorted, given, side="right")
            return (below + upto) / (2.0 * len(self._sorted))
        if self._low == self._high:
            return np.where(given > self._high, 1.0, np.where(given < self._low, 0.0, 0.5))
        # Cut off first: over a spread of next to nothing what lies outside would overflow.
        return (np.clip(given, self._low, self._high) - self._low) / (self._high - self._low)
