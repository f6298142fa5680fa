"""Strategies that spread the batch over clusters.

Similarity is the inner product of unit vectors, the cosine, in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from selection.strategies.pool import Floats, Indices, Picks, Pool, candidates
from selection.strategies.ranking import top
from selection.strategies.uncertainty import check_share, measured

SEEDS = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class ClusterSettings:
    """Choices of cluster sampling.

    Attributes:
        clusters: how many; 0 for as many as picks.
        quota: how many picks a cluster gets: as many as every other, or by its size.
        count_labelled: with equal quotas, the labelled items of a cluster count as picked.
    """

    clusters: int = 0
    quota: Literal["equal", "size"] = "equal"
    count_labelled: bool = False

    def __post_init__(self) -> None:
        if self.clusters < 0:
            raise ValueError(f"clusters: found {self.clusters}, expected 0 or more")


def pick_kmeans(pool: Pool, count: int, *, settings: ClusterSettings, rng: np.random.Generator) -> Picks:
    """Cluster sampling: of each cluster the items nearest to its centre (Zhdanov 2019).

    By default there are as many clusters as picks, one item of each. Larger clusters come first. Where
    clusters stay empty, or are fewer than picks, the next nearest of the larger ones fill the batch; where
    they are more, the smallest get none. Stochastic by the start of k-means, with no selection probability.
    O(n clusters d).

    Parts: diversity and score, the similarity to the cluster's centre.
    """
    open_ = candidates(pool, count, {"embeddings"})
    assert pool.embeddings is not None
    vectors = pool.embeddings[open_]
    clusters = min(settings.clusters or count, len(open_))
    labelled = pool.labelled_embeddings
    have = None
    if settings.count_labelled and settings.quota == "equal" and labelled is not None and len(labelled):
        from selection.index.kmeans import kmeans

        found = kmeans(vectors, clusters, seed=int(rng.integers(SEEDS)))
        of, similarity = found.of, found.similarity
        have = np.bincount((labelled @ found.centres.T).argmax(axis=1), minlength=clusters)
    else:
        of, similarity = _clusters(vectors, clusters, rng)
    if settings.quota == "size":
        chosen = by_size(of, similarity, count)
    else:
        chosen = one_of_each(of, similarity, count, have)
    scores = similarity[chosen]
    return Picks(open_[chosen], {"diversity": scores, "score": scores})


@dataclass(frozen=True, kw_only=True)
class DiverseSettings:
    """Choices of margin over clusters.

    Attributes:
        candidates_per_pick: so many items by margin are looked at for each pick (beta).
        skip_share: this share of the pool, its most uncertain items, is passed over: mostly noise.
        of_each: which item of a cluster is picked.
    """

    candidates_per_pick: int = 10
    skip_share: float = 0.02
    of_each: Literal["typical", "uncertain"] = "typical"

    def __post_init__(self) -> None:
        if self.candidates_per_pick < 1:
            raise ValueError(f"candidates_per_pick: found {self.candidates_per_pick}, expected 1 or more")
        check_share("skip_share", self.skip_share, below_one=True)


def pick_margin_diverse(
    pool: Pool, count: int, *, settings: DiverseSettings, rng: np.random.Generator
) -> Picks:
    """The beta c items of smallest margin, in c clusters, and of each cluster the item nearest to its centre.

    First the most uncertain `skip_share` of the pool is passed over, as far as beta c items are left. With
    `of_each` "uncertain" the most uncertain item of each cluster is picked in place of the most typical one.

    After Zhdanov 2019 ("Diverse mini-batch active learning") and Citovsky et al. 2021 (Cluster-Margin).
    Stochastic by the start of k-means, with no inclusion probability. Cost O(n k + beta c^2 d).

    Parts: uncertainty, the margin turned to higher = more uncertain; diversity, the similarity to the
    cluster's centre (how well the item stands for its cluster); score, the one of the two that chose it.
    """
    open_ = candidates(pool, count, {"unsure", "embeddings"})
    assert pool.embeddings is not None
    uncertain = measured(pool, open_, "margin")
    wanted = min(settings.candidates_per_pick * count, len(open_))
    skipped = min(int(settings.skip_share * len(open_)), len(open_) - wanted)
    short = np.sort(top(uncertain, skipped + wanted)[skipped:])
    of, similarity = _clusters(pool.embeddings[open_[short]], count, rng)
    scores = similarity if settings.of_each == "typical" else uncertain[short]
    chosen = one_of_each(of, scores, count)
    parts = {
        "uncertainty": uncertain[short[chosen]],
        "diversity": similarity[chosen],
        "score": scores[chosen],
    }
    return Picks(open_[short[chosen]], parts)


def one_of_each(of: Indices, scores: Floats, count: int, have: Indices | None = None) -> Indices:
    """`count` positions: the best of every cluster, the largest cluster first, then their second best, ...

    Args:
        of: (n,) cluster of each item. Equally large clusters stand by their lower first position.
        scores: (n,), higher is better; of equal scores the lower position is better.
        count: at most n.
        have: (clusters,) how many of each cluster there are already; None for none.

    Cost O(n log n).

    >>> one_of_each(np.array([0, 0, 1, 0]), np.array([0.1, 0.9, 0.5, 0.3]), 3).tolist()
    [1, 2, 3]
    """
    _names, firsts, of, sizes = np.unique(of, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((np.arange(len(of)), -scores, of))
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    place = np.empty(len(of), dtype=np.int64)  # rank of the item within its cluster
    place[order] = np.arange(len(of)) - np.repeat(starts, sizes)
    if have is not None:
        place = place + have[_names][of]
    return np.lexsort((firsts[of], -sizes[of], place))[:count].astype(np.int64)


def by_size(of: Indices, scores: Floats, count: int) -> Indices:
    """`count` positions, of each cluster a share by its size (largest remainders, of equal ones the larger
    cluster, then the lower), the best of each; ordered by cluster size, then by score. O(n log n).

    >>> by_size(np.array([0, 0, 1, 0]), np.array([0.1, 0.9, 0.5, 0.3]), 2).tolist()
    [1, 2]
    """
    _names, of, sizes = np.unique(of, return_inverse=True, return_counts=True)
    exact = count * sizes / len(of)
    quota = np.floor(exact).astype(np.int64)
    more = np.lexsort((-sizes, -(exact - quota)))[: count - int(quota.sum())]
    quota[more] += 1
    order = np.lexsort((np.arange(len(of)), -scores, of))
    place = np.arange(len(of)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    kept = order[place < quota[of[order]]]
    return kept[np.lexsort((kept, -scores[kept], of[kept], -sizes[of[kept]]))].astype(np.int64)


def _clusters(embeddings: Floats, count: int, rng: np.random.Generator) -> tuple[Indices, Floats]:
    """(cluster, similarity to its centre) of each; no clustering where everything is picked anyway."""
    from selection.index.kmeans import kmeans

    seed = int(rng.integers(SEEDS))
    if count >= len(embeddings):
        return np.arange(len(embeddings)), np.ones(len(embeddings), dtype=np.float32)
    found = kmeans(embeddings, count, seed=seed)
    return found.of, found.similarity
