"""What the blend multiplies a score with (density, balance of classes, cost), and its quotas. All off at first.

n' candidates, k labels, c picks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from selection.strategies.apart import Quota
from selection.strategies.errors import MissingColumn, PoolError
from selection.strategies.pool import Floats, Indices, Pool
from selection.strategies.ranking import Scale
from selection.strategies.uncertainty import check_share

LANDMARKS = 1024
NEAREST = 10
BLOCK = 8192


@dataclass(frozen=True, kw_only=True)
class FactorSettings:
    """Choices that stand beside the three parts of the blend.

    Attributes:
        density_share: how far a score depends on how dense the item's surroundings are, 0 to 1: an item in
            the void loses so much of it, so that noise is not picked for being odd.
        balance: exponent by which items of rare classes count more; 0 is off, 1 is inverse frequency.
        value_per_second: scores are divided by the expected seconds of the item's labelling.
        class_share: at most this share of the batch is predicted to be of one class; 1 is off.
        source_share: at most this share of the batch comes from one source; 1 is off.
    """

    density_share: float = 0.0
    balance: float = 0.0
    value_per_second: bool = False
    class_share: float = 1.0
    source_share: float = 1.0

    def __post_init__(self) -> None:
        for name in ("density_share", "class_share", "source_share"):
            check_share(name, getattr(self, name))
        if not 0 <= self.balance < np.inf:
            raise ValueError(f"balance: found {self.balance}, expected a number of at least 0")


def factors(pool: Pool, open_: Indices, settings: FactorSettings) -> Floats | None:
    """(n',) what the score of each candidate is multiplied with, > 0; None where nothing is asked for. Raises as
    `factors_by_name`, whose product it is.
    """
    return product(factors_by_name(pool, open_, settings))


def product(named: dict[str, Floats]) -> Floats | None:
    return np.asarray(np.prod(list(named.values()), axis=0)) if named else None


def factors_by_name(pool: Pool, open_: Indices, settings: FactorSettings) -> dict[str, Floats]:
    """Of what is asked for: density in [1 - density_share, 1], balance in (0, 1], cost > 0; (n',) each.

    Raises:
        MissingColumn: cost is asked for and the pool has no seconds. PoolError: seconds that are not above 0.
    """
    asked: dict[str, Floats] = {}
    if settings.density_share:
        assert pool.embeddings is not None
        dense = density(pool.embeddings, open_)
        asked["density"] = 1 - settings.density_share * (1 - Scale(dense, "quantile")(dense))
    if settings.balance:
        assert pool.probs is not None
        asked["balance"] = rarity(pool.probs[open_], settings.balance, pool.class_counts)
    if settings.value_per_second:
        asked["cost"] = cost(pool, open_)
    return asked


def cost(pool: Pool, open_: Indices) -> Floats:
    """(n',) median expected seconds of the candidates over those of each: 2 says half the time. O(n').

    Raises:
        MissingColumn: the pool has no seconds. PoolError: seconds that are not above 0.
    """
    if pool.seconds is None:
        raise MissingColumn(
            "value_per_second needs seconds, and the pool has none: label some items first, so that their "
            "times are known, or switch it off"
        )
    seconds = np.asarray(pool.seconds[open_], dtype=np.float64)
    if not (np.isfinite(seconds) & (seconds > 0)).all():
        raise PoolError("some expected seconds are not above 0: estimate them again")
    return np.asarray(np.median(seconds) / seconds)


def density(embeddings: Floats, open_: Indices) -> Floats:
    """(n',) mean similarity of each candidate to its 10 nearest of 1,024 candidates spread evenly by row.

    A sample of the surroundings, not all of them: exact densities cost n'^2. (Settles & Craven 2008, information
    density, with the near in place of all.) An item is no neighbour of itself. O(1024 n' d).
    """
    landmarks = open_[np.unique(np.linspace(0, len(open_) - 1, LANDMARKS).astype(np.int64))]
    held = np.ascontiguousarray(embeddings[landmarks])
    place = np.full(len(embeddings), -1)
    place[landmarks] = np.arange(len(landmarks))
    near = min(NEAREST, len(landmarks) - 1)
    if near < 1:
        return np.ones(len(open_))
    found = np.empty(len(open_))
    for start in range(0, len(open_), BLOCK):
        rows = open_[start : start + BLOCK]
        close = embeddings[rows] @ held.T
        own = np.flatnonzero(place[rows] >= 0)
        close[own, place[rows[own]]] = -np.inf
        # float64 and sorted: the mean must not depend on the order in which the pool comes
        best = np.sort(np.partition(close, -near, axis=1)[:, -near:], axis=1).astype(np.float64)
        found[start : start + len(rows)] = best.mean(axis=1)
    return found


def rarity(probs: Floats, power: float, class_counts: Floats | Indices | None = None) -> Floats:
    """(n',) in (0, 1]: r_i = sum over labels of p_i (least frequent / frequency)^power, over its greatest.

    frequency: labelled items of each label plus one, or where not known the expected share in the pool. O(n' k).

    Raises:
        PoolError: not one count a label, or a count that is not a finite number of at least 0.

    >>> rarity(np.array([[1.0, 0.0], [0.0, 1.0]]), 1.0, np.array([3, 1])).tolist()
    [0.5, 1.0]
    """
    if class_counts is None:
        often = probs.mean(axis=0, dtype=np.float64)
    else:
        counts = np.asarray(class_counts, dtype=np.float64)
        if not (np.isfinite(counts) & (counts >= 0)).all():
            raise PoolError(
                "some counts of labelled items by class are not numbers of at least 0: count them again"
            )
        often = counts + 1
    if len(often) != probs.shape[1]:
        raise PoolError(
            f"found counts of {len(often)} classes and probabilities of {probs.shape[1]}: give one each"
        )
    often = np.maximum(often, 1e-6 * often.max())
    rare = np.einsum("nk,k->n", probs, (often.min() / often) ** power)
    return rare / rare.max()


def quotas_of(pool: Pool, open_: Indices, count: int, settings: FactorSettings) -> list[Quota]:
    """The quotas asked for: by predicted class, and by source where the pool knows it."""
    found = []
    if settings.class_share < 1:
        assert pool.probs is not None
        found.append(_quota(pool.probs[open_].argmax(axis=1), settings.class_share, count))
    if settings.source_share < 1:
        if pool.sources is None:
            raise MissingColumn("source_share needs sources, and the pool has none: set it to 1")
        found.append(_quota(pool.sources[open_], settings.source_share, count))
    return found


def _quota(groups: Indices, share: float, count: int) -> Quota:
    names, of = np.unique(groups, return_inverse=True)
    return Quota(of.astype(np.int64), np.full(len(names), max(1, int(np.ceil(share * count - 1e-9)))))
