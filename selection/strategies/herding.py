"""Uncertainty herding: unsure items that stand for the other unsure ones and are unlike what is labelled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from selection.index.graph import STEPS, Graph, neighbour_graph, stepped
from selection.strategies.coverage import nearest_labelled
from selection.strategies.pool import Floats, Picks, Pool, candidates
from selection.strategies.ranking import top
from selection.strategies.submodular import FacilityLocation, Wide, lazy_greedy
from selection.strategies.uncertainty import measured


@dataclass(frozen=True, kw_only=True)
class HerdingSettings:
    """Choices of uncertainty herding.

    Attributes:
        candidates_per_pick: so many items of smallest margin are looked at for each pick.
        width: how far likeness reaches: the cosine distance at which it has fallen to 1/e.
        neighbours: items whose likeness to an item counts.
    """

    candidates_per_pick: int = 20
    width: float = 0.4
    neighbours: int = 64

    def __post_init__(self) -> None:
        if self.candidates_per_pick < 1:
            raise ValueError(f"candidates_per_pick: found {self.candidates_per_pick}, expected 1 or more")
        if not 0 < self.width < np.inf:
            raise ValueError(f"width: found {self.width}, expected a number above 0")
        if self.neighbours < 2:
            raise ValueError(f"neighbours: found {self.neighbours}, expected 2 or more")


def pick_herding(pool: Pool, count: int, *, settings: HerdingSettings, rng: np.random.Generator) -> Picks:
    """The batch that covers most of what the model is unsure of (Bae, Oliveira & Sutherland 2025).

    The next pick is argmax over i of  sum over j of u_j max(0, s_ij - r_j),  with u_j the margin turned to
    higher = more uncertain, s_ij = exp((e_i . e_j - 1) / width), and r_j the greatest s of j to what is labelled
    or picked. i and j run over the `candidates_per_pick` c items of smallest margin; s counts for the nearest
    `neighbours` of an item, and cosines below 0 count as 0. An item that the model is sure of has u = 2^-16, so
    that the batch stays spread where the model is sure of all. Greedy, ties by row. Deterministic on one
    machine. The paper narrows the width as labels come; a fixed one did as well on held-out data
    (bench/RESULTS.md), where the shortlist narrows by itself.

    O(n k) for the margins and, with n' = `candidates_per_pick` c, O(n' (800 d + neighbours)) for the graph,
    O(n' m d) for m labelled items, O(c (m + c) d) for the part diversity.

    Parts: uncertainty u_i; diversity 1 - max cosine to what is labelled or was picked before (NaN for the first
    pick where nothing is labelled); score, the gain: how much better the unsure items are covered, in items.
    """
    open_ = candidates(pool, count, {"unsure", "embeddings"})
    assert pool.embeddings is not None
    unsure = measured(pool, open_, "margin")
    short = np.sort(top(unsure, min(settings.candidates_per_pick * count, len(open_))))
    vectors, labelled = pool.embeddings[open_[short]], pool.labelled_embeddings
    cover = None
    if labelled is not None and len(labelled):
        cover = _likeness(nearest_labelled(vectors, labelled, 1)[:, 0], settings.width)
    graph = neighbour_graph(vectors, settings.neighbours)
    there = graph.neighbours >= 0
    close = np.where(there, _likeness(graph.similarity, settings.width), 0)
    weights = np.maximum(stepped(unsure[short].astype(np.float64)), 1 / STEPS)
    function = FacilityLocation(Graph(graph.neighbours, close.astype(np.float32)), cover, weights)
    chosen, gains = lazy_greedy(function, count)
    parts = {
        "uncertainty": unsure[short[chosen]],
        "diversity": _unlike(vectors[chosen], labelled),
        "score": gains,
    }
    return Picks(open_[short[chosen]], parts)


def _likeness(cosines: Floats, width: float) -> Wide:
    return stepped(np.exp((cosines.astype(np.float64) - 1) / width))


def _unlike(picked: Floats, labelled: Floats | None) -> Floats:
    """(c,) 1 - the greatest cosine of each to what is labelled or was picked before it."""
    own = (picked @ picked.T).astype(np.float64)
    near = np.where(np.tri(len(picked), k=-1, dtype=bool), own, -np.inf).max(axis=1)
    if labelled is not None and len(labelled):
        near = np.maximum(near, nearest_labelled(picked, labelled, 1)[:, 0])
    return np.where(np.isfinite(near), 1 - near, np.nan)
