"""Strategies that choose a set standing for the whole pool: facility location and its kin, by lazy greedy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from selection.index.graph import Graph, neighbour_graph, stepped
from selection.strategies.pool import Floats, Indices, Picks, Pool, among, candidates
from selection.strategies.submodular import (
    FacilityLocation,
    FeatureCoverage,
    GraphCut,
    SaturatedCoverage,
    SetFunction,
    lazy_greedy,
)
from selection.strategies.uncertainty import NoSettings, check_share

NEIGHBOURS = 32


@dataclass(frozen=True, kw_only=True)
class GraphSettings:
    """`neighbours`: items whose likeness to an item counts; more are nearer to the full matrix and slower."""

    neighbours: int = NEIGHBOURS

    def __post_init__(self) -> None:
        if self.neighbours < 2:
            raise ValueError(f"neighbours: found {self.neighbours}, expected 2 or more")


@dataclass(frozen=True, kw_only=True)
class SaturatedSettings(GraphSettings):
    """`enough_share`: an item is covered once the chosen have this share of its neighbours' similarity."""

    enough_share: float = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share("enough_share", self.enough_share)


@dataclass(frozen=True, kw_only=True)
class CutSettings(GraphSettings):
    """`redundancy`: weight of likeness among the chosen, >= 0; up to 0.5 more items never speak against one."""

    redundancy: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.redundancy < np.inf:
            raise ValueError(f"redundancy: found {self.redundancy}, expected a number of at least 0")


def pick_facility_location(
    pool: Pool, count: int, *, settings: GraphSettings, rng: np.random.Generator
) -> Picks:
    """Every item of the pool shall have a chosen or labelled one like it: see `submodular.FacilityLocation`.

    Similarities below 0 and to items that are not among the k nearest count as 0. Greedy, ties by row. The
    graph is exact up to 12,288 candidates, beyond that made over FAISS cells with a fixed seed. Deterministic
    on one machine. O(n (800 d + k)) and little a pick; O(n m d) more for m labelled items.

    Parts: diversity and score, the gain: how much better the pool is served, in items.
    """
    open_, vectors = _candidates(pool, count)
    cover = None
    if pool.labelled_embeddings is not None and len(pool.labelled_embeddings):
        cover = nearest_labelled(vectors, pool.labelled_embeddings, 1)[:, 0]
    return _picks(open_, FacilityLocation(_graph(vectors, settings), cover), count)


def pick_saturated_coverage(
    pool: Pool, count: int, *, settings: SaturatedSettings, rng: np.random.Generator
) -> Picks:
    """As facility location, but an item wants several of its neighbours: see `submodular.SaturatedCoverage`.

    Labelled items count where they are as near as an item's own neighbours. Greedy, ties by row. Deterministic
    on one machine. O(n (800 d + k)) for the graph and O(k) a gain on average, of which a pick needs few;
    O(n m d) more for m labelled items. Parts as there.
    """
    open_, vectors = _candidates(pool, count)
    graph = _graph(vectors, settings)
    cover = _near_labelled(pool, vectors, graph.similarity.min(axis=1), settings.neighbours)
    return _picks(open_, SaturatedCoverage(graph, settings.enough_share, cover), count)


def pick_graph_cut(pool: Pool, count: int, *, settings: CutSettings, rng: np.random.Generator) -> Picks:
    """Items like many others and unlike the chosen and labelled ones: see `submodular.GraphCut`.

    Labelled items count where they are as near as an item's own neighbours. Greedy, ties by row. Deterministic
    on one machine. O(n (800 d + k)) for the graph, O(1) a gain and O(k) a pick on average;
    O(n m d) more for m labelled items. Parts as facility location; a gain may be below 0.
    """
    open_, vectors = _candidates(pool, count)
    graph = _graph(vectors, settings)
    near = _near_labelled(pool, vectors, graph.similarity.min(axis=1), settings.neighbours)
    return _picks(open_, GraphCut(graph, settings.redundancy, None if near is None else 2 * near), count)


def pick_feature_coverage(pool: Pool, count: int, *, settings: NoSettings, rng: np.random.Generator) -> Picks:
    """Every direction of the embedding shall be there, both ways: see `submodular.FeatureCoverage`.

    The features of an item are the parts of its embedding above 0 and, apart from them, those below 0 with
    their sign turned. The labelled items are counted first. Greedy, ties by row. Deterministic. O(n d) and a
    few gains of O(d) a pick; memory of another two copies of the embeddings.
    """
    open_, vectors = _candidates(pool, count)
    have = None
    if pool.labelled_embeddings is not None and len(pool.labelled_embeddings):
        have = _halves(pool.labelled_embeddings).sum(axis=0, dtype=np.float64)
    return _picks(open_, FeatureCoverage(_halves(vectors), have), count)


def _candidates(pool: Pool, count: int) -> tuple[Indices, Floats]:
    open_ = candidates(pool, count, {"embeddings"})
    assert pool.embeddings is not None
    return open_, among(pool.embeddings, open_)


def _graph(vectors: Floats, settings: GraphSettings) -> Graph:
    return neighbour_graph(vectors, settings.neighbours)


def _picks(open_: Indices, function: SetFunction, count: int) -> Picks:
    chosen, gains = lazy_greedy(function, count)
    return Picks(open_[chosen], {"diversity": gains, "score": gains.copy()})


def nearest_labelled(vectors: Floats, labelled: Floats, k: int) -> Floats:
    """(n, k) similarities of each item to its nearest labelled items, at least 0, in steps of 2^-16."""
    from selection.index.flat import nearest

    close = nearest(labelled, vectors, k)[1].astype(np.float64)
    return stepped(np.maximum(close, 0.0))


def _near_labelled(pool: Pool, vectors: Floats, least: Floats, neighbours: int) -> Floats | None:
    """(n,) summed similarity to labelled items that are as near as the item's own neighbours."""
    labelled = pool.labelled_embeddings
    if labelled is None or not len(labelled):
        return None
    close = nearest_labelled(vectors, labelled, min(neighbours, len(labelled)))
    return np.where(close >= least[:, None], close, 0.0).sum(axis=1)


def _halves(vectors: Floats) -> Floats:
    return np.concatenate([np.maximum(vectors, 0), np.maximum(-vectors, 0)], axis=1)
