"""Set functions with falling gains, and the lazy greedy choice that all of them share.

A gain is what an item would add to the value of the chosen set. For a submodular function it only falls as the
set grows, so a gain from an earlier step is an upper bound, and most items need not be looked at again (Minoux
1978). The greedy choice reaches at least 1 - 1/e of the best value there is, for functions that never fall
(Nemhauser, Wolsey & Fisher 1978).

Gains are float64 sums over an item's edges in the order of the graph, and similarities are multiples of 2^-16
(`index.graph`): the sums of facility location, saturated coverage and graph cut are exact, and lazy and naive
greedy pick the same. n items, k neighbours, f features, c picks.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from selection.index.graph import Graph, stepped
from selection.strategies.pool import Floats, Indices

Wide = npt.NDArray[np.float64]

AT_ONCE = 512  # stale items brought up to date together
FIRST_BLOCK = 65_536


class SetFunction(Protocol):
    """A function of a growing set: what items would add, and the adding."""

    size: int

    def gains(self, rows: Indices) -> Wide:
        """(r,) gain of each of `rows` on top of the set so far."""

    def add(self, row: int) -> None:
        """Put an item into the set."""


def lazy_greedy(function: SetFunction, count: int) -> tuple[Indices, Wide]:
    """(positions, gains when picked) of the greedy choice; equal gains go to the lower position.

    Cost: one gain of every item, then a scan of n bounds and a few gains a pick.
    """
    bounds = np.concatenate(
        [
            function.gains(np.arange(start, min(start + FIRST_BLOCK, function.size)))
            for start in range(0, function.size, FIRST_BLOCK)
        ]
    )
    known = np.zeros(function.size, dtype=np.int64)  # picks that the bound has counted
    chosen, gains = np.empty(count, dtype=np.int64), np.empty(count)
    for rank in range(count):
        at = int(np.argmax(bounds))
        while known[at] < rank:
            bounds[at] = function.gains(np.array([at]))[0]
            known[at] = rank
            stale = np.flatnonzero(bounds >= bounds[at])
            stale = stale[known[stale] < rank]
            if len(stale) > AT_ONCE:
                stale = stale[np.argpartition(-bounds[stale], AT_ONCE)[:AT_ONCE]]
            if len(stale):
                bounds[stale] = function.gains(stale)
                known[stale] = rank
            at = int(np.argmax(bounds))
        chosen[rank], gains[rank] = at, bounds[at]
        function.add(at)
        bounds[at] = -np.inf
    return chosen, gains


class _Edges:
    """A graph seen from the item that is chosen: whom it covers, and how well. O(n k log(n k)) to make."""

    def __init__(self, graph: Graph) -> None:
        n, k = graph.neighbours.shape
        to = graph.neighbours.ravel()
        there = np.flatnonzero(to >= 0)
        order = there[np.argsort(to[there], kind="stable")]
        self.covered = (order // k).astype(np.int64)
        self.similarity = graph.similarity.ravel()[order].astype(np.float64)
        self.starts = np.concatenate([[0], np.cumsum(np.bincount(to[there], minlength=n))])

    def of(self, row: int) -> tuple[Indices, Wide]:
        part = slice(self.starts[row], self.starts[row + 1])
        return self.covered[part], self.similarity[part]

    def of_all(self, rows: Indices) -> tuple[Indices, Indices, Wide]:
        """(which of `rows`, whom it covers, how well) of every edge of `rows`."""
        sizes = self.starts[rows + 1] - self.starts[rows]
        which = np.repeat(np.arange(len(rows)), sizes)
        at = np.arange(int(sizes.sum())) + np.repeat(self.starts[rows] - (np.cumsum(sizes) - sizes), sizes)
        return which, self.covered[at], self.similarity[at]


class FacilityLocation:
    """f(S) = sum over items i of w_i max over j in S of s_ij: each item is served by its nearest chosen one.

    (Mirchandani & Francis 1990; Wei, Iyer & Bilmes 2015 for active learning.) `cover`: (n,) how well each item
    is served at the start, by what is labelled; in [0, 1]. `weights`: (n,) w, >= 0; None: all are 1.
    """

    def __init__(self, graph: Graph, cover: Floats | None = None, weights: Floats | None = None) -> None:
        self.size = len(graph.neighbours)
        self._edges = _Edges(graph)
        self._cover = np.zeros(self.size) if cover is None else np.array(cover, dtype=np.float64)
        self._weights = weights

    def gains(self, rows: Indices) -> Wide:
        which, covered, close = self._edges.of_all(rows)
        more = np.maximum(close - self._cover[covered], 0.0)
        if self._weights is not None:
            more *= self._weights[covered]
        return np.bincount(which, weights=more, minlength=len(rows)).astype(np.float64, copy=False)

    def add(self, row: int) -> None:
        covered, close = self._edges.of(row)
        self._cover[covered] = np.maximum(self._cover[covered], close)


class SaturatedCoverage:
    """f(S) = sum over i of min(sum over j in S of s_ij, a sum over all j of s_ij): an item is covered by
    several, and then has enough. (Lin & Bilmes 2011.) `share`: a; `cover`: (n,) sums at the start.
    """

    def __init__(self, graph: Graph, share: float, cover: Floats | None = None) -> None:
        self.size = len(graph.neighbours)
        self._edges = _Edges(graph)
        self._enough = stepped(share * graph.similarity.sum(axis=1, dtype=np.float64))
        self._cover = np.zeros(self.size) if cover is None else np.array(cover, dtype=np.float64)

    def gains(self, rows: Indices) -> Wide:
        which, covered, close = self._edges.of_all(rows)
        room = np.maximum(self._enough[covered] - self._cover[covered], 0.0)
        added = np.minimum(close, room)
        return np.bincount(which, weights=added, minlength=len(rows)).astype(np.float64, copy=False)

    def add(self, row: int) -> None:
        covered, close = self._edges.of(row)
        np.add.at(self._cover, covered, close)


class GraphCut:
    """f(S) = sum over i, j in S of s_ij, i anywhere, less `redundancy` times the same with i in S as well.

    Likeness to all, less likeness among the chosen (Lin & Bilmes 2011). An edge counts both ways. With
    redundancy above 1/2 the value can fall: a pick is still the one of greatest gain. `near`: (n,) summed
    similarity of each item to what is labelled.
    """

    def __init__(self, graph: Graph, redundancy: float, near: Floats | None = None) -> None:
        self.size = len(graph.neighbours)
        self._edges = _Edges(graph)
        self._graph, self._redundancy = graph, redundancy
        everybody = np.arange(self.size)
        which, _covered, close = self._edges.of_all(everybody)
        self._likeness = np.bincount(which, weights=close, minlength=self.size)
        self._near = np.zeros(self.size) if near is None else np.array(near, dtype=np.float64)
        self._self = np.where(graph.neighbours == everybody[:, None], graph.similarity, 0).sum(axis=1)

    def gains(self, rows: Indices) -> Wide:
        own = self._likeness[rows] - self._redundancy * self._self[rows]
        return np.asarray(own - self._redundancy * self._near[rows])

    def add(self, row: int) -> None:
        covered, close = self._edges.of(row)
        np.add.at(self._near, covered, close)
        ahead = self._graph.neighbours[row]
        there = ahead >= 0
        np.add.at(self._near, ahead[there], self._graph.similarity[row][there].astype(np.float64))


class FeatureCoverage:
    """f(S) = sum over features of sqrt(sum over j in S of x_jf): every feature shall be there, more of it helps
    less and less. (Kirchhoff & Bilmes 2014; as in apricot, Schreiber et al. 2020.)

    `features`: (n, f) >= 0; `have`: (f,) sums at the start. O(f) a gain.
    """

    def __init__(self, features: Floats, have: Floats | None = None) -> None:
        self.size = len(features)
        self._features = features
        self._have = np.zeros(features.shape[1]) if have is None else np.array(have, dtype=np.float64)

    def gains(self, rows: Indices) -> Wide:
        found = np.empty(len(rows))
        for start in range(0, len(rows), AT_ONCE):
            part = self._features[rows[start : start + AT_ONCE]].astype(np.float64)
            found[start : start + AT_ONCE] = (np.sqrt(self._have + part) - np.sqrt(self._have)).sum(axis=1)
        return found

    def add(self, row: int) -> None:
        self._have += self._features[row]
