"""TypiClust: the most typical item of each cluster that nothing is labelled in yet. For small budgets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from selection.strategies.diversity import SEEDS
from selection.strategies.pool import Floats, Indices, Picks, Pool, candidates

NEAREST = 20
MOST_NEAR = 4096  # members of a cluster that are compared with one another; of larger ones an even sample


@dataclass(frozen=True, kw_only=True)
class TypiclustSettings:
    """`most_clusters`: no more clusters than this, however many labels there are."""

    most_clusters: int = 500

    def __post_init__(self) -> None:
        if self.most_clusters < 1:
            raise ValueError(f"most_clusters: found {self.most_clusters}, expected 1 or more")


def pick_typiclust(pool: Pool, count: int, *, settings: TypiclustSettings, rng: np.random.Generator) -> Picks:
    """Clusters of labelled and unlabelled items together, and the most typical item of those with the fewest
    labels (Hacohen, Dekel & Weinshall 2022).

    As many clusters as labels and picks together, at most `most_clusters`. Again and again the cluster with
    the fewest labelled and picked items is taken, of equal ones the larger, then the lower; of it the item of
    greatest typicality that is left: 1 / mean distance to its 20 nearest in the cluster. More picks than
    clusters fill the batch by second most typical items. Stochastic by the start of k-means, with no selection
    probability. O(n clusters d + the squared sizes of the clusters that are looked at).

    Parts: diversity and score, the typicality.
    """
    from selection.index.kmeans import kmeans

    open_ = candidates(pool, count, {"embeddings"})
    assert pool.embeddings is not None
    vectors = pool.embeddings[open_]
    labelled = pool.labelled_embeddings
    known = 0 if labelled is None else len(labelled)
    seed = int(rng.integers(SEEDS))
    every = vectors if labelled is None or not known else np.concatenate([vectors, labelled])
    clusters = min(known + count, settings.most_clusters, len(every))
    of = kmeans(every, clusters, seed=seed).of if clusters > 1 else np.zeros(len(every), dtype=np.int64)
    filled = np.bincount(of[len(vectors) :], minlength=clusters)
    sizes = np.bincount(of, minlength=clusters)
    left = np.bincount(of[: len(vectors)], minlength=clusters)
    queues: dict[int, list[tuple[int, float]]] = {}
    chosen, scores = np.empty(count, dtype=np.int64), np.empty(count)
    for rank in range(count):
        cluster = int(np.lexsort((-sizes, np.where(left > 0, filled, np.iinfo(np.int64).max)))[0])
        if cluster not in queues:
            queues[cluster] = _by_typicality(
                vectors, every[of == cluster], np.flatnonzero(of[: len(vectors)] == cluster)
            )
        chosen[rank], scores[rank] = queues[cluster].pop()
        filled[cluster] += 1
        left[cluster] -= 1
    return Picks(open_[chosen], {"diversity": scores, "score": scores.copy()})


def _by_typicality(vectors: Floats, members: Floats, own: Indices) -> list[tuple[int, float]]:
    """(position, typicality) of the unlabelled items `own` of a cluster, the most typical last.

    `members` begins with them, in their order; the labelled ones of the cluster come after.
    """
    among = np.ones(len(own), dtype=bool)
    if len(members) > MOST_NEAR:
        sample = np.linspace(0, len(members) - 1, MOST_NEAR).astype(np.int64)
        among = np.isin(np.arange(len(own)), sample)
        members = members[sample]
    typical = typicality(vectors[own], members, among)
    order = np.lexsort((-own, typical))
    return [(int(own[at]), float(typical[at])) for at in order]


def typicality(vectors: Floats, members: Floats, among: npt.NDArray[np.bool_]) -> Floats:
    """(r,) 1 / mean Euclidean distance of each of `vectors` (r, d) to its 20 nearest of `members` (s, d).

    An item that is `among` (r,) the members is left out of its own nearest (its distance is 0); one that is not,
    since the members are a sample, keeps them all. A lone item has typicality 0; in (0, 1e6]. O(r s d).
    """
    near = min(NEAREST, len(members) - 1)
    if near < 1:
        return np.zeros(len(vectors))
    found = np.empty(len(vectors))
    for start in range(0, len(vectors), MOST_NEAR):
        close = (vectors[start : start + MOST_NEAR] @ members.T).astype(np.float64)
        best = np.sort(np.partition(close, -near - 1, axis=1)[:, -near - 1 :], axis=1)
        inside = among[start : start + len(close), None]
        best = np.where(inside, best[:, :-1], best[:, 1:])
        apart = np.sqrt(np.maximum(2 - 2 * best, 0.0)).mean(axis=1)
        # Rounded, so that items that coincide tie whatever the last bits of the products are.
        found[start : start + len(close)] = np.round(1 / np.maximum(apart, 1e-6), 5)
    return found
