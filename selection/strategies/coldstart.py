"""The first batch, before there is a model: nothing is uncertain yet, so cover what there is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from selection.strategies.diversity import ClusterSettings, pick_kmeans
from selection.strategies.pool import Floats, Picks, Pool, candidates
from selection.strategies.random_sampling import pick_random
from selection.strategies.uncertainty import NoSettings, check_share


@dataclass(frozen=True, kw_only=True)
class ColdStartSettings:
    """`random_share`: share of the batch drawn uniformly; the rest is spread over clusters."""

    random_share: float = 0.5

    def __post_init__(self) -> None:
        check_share("random_share", self.random_share)


def pick_cold_start(
    pool: Pool, count: int, *, settings: ColdStartSettings, rng: np.random.Generator
) -> Picks:
    """A uniform draw first, then from the rest one item of each cluster, nearest to its centre.

    The draw keeps the picture honest, the clusters bring in rare kinds early. The two alternate in the batch,
    so that labelling only a part of it gives both. Drawn items have inclusion probability (count drawn) / n',
    the others NaN. Cost O(n c d).
    """
    open_ = candidates(pool, count, {"embeddings"})
    drawn_count = int(np.ceil(settings.random_share * count))
    spread_count = count - drawn_count
    taken = np.empty(0, dtype=np.int64) if pool.taken is None else np.asarray(pool.taken, dtype=np.int64)
    drawn = spread = np.empty(0, dtype=np.int64)
    typical: Floats = np.empty(0)
    if drawn_count:
        drawn = pick_random(pool, drawn_count, settings=NoSettings(), rng=rng).indices
    if spread_count:
        rest = replace(pool, taken=np.concatenate([taken, drawn]))
        picks = pick_kmeans(rest, spread_count, settings=ClusterSettings(), rng=rng)
        spread, typical = picks.indices, picks.parts["diversity"]
    # Even places by share: the i-th of a group of g stands at (i + 1/2) / g of the way.
    places = np.concatenate([(np.arange(size) + 0.5) / size for size in (drawn_count, spread_count) if size])
    order = np.argsort(places, kind="stable")
    chance = np.full(drawn_count, drawn_count / len(open_))
    return Picks(
        np.concatenate([drawn, spread])[order],
        {"diversity": np.concatenate([np.full(drawn_count, np.nan), typical])[order]},
        np.concatenate([chance, np.full(spread_count, np.nan)])[order],
        note=f"no model is needed: {drawn_count} items drawn at random, {spread_count} spread over clusters",
    )
