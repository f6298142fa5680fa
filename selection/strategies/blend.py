"""The weighted blend of uncertainty, diversity and hardness."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from selection.strategies.apart import Gain, apart_among, similarity
from selection.strategies.blend_factors import FactorSettings, factors_by_name, product, quotas_of
from selection.strategies.errors import PoolError
from selection.strategies.pool import Floats, Indices, Picks, Pool, among, candidates
from selection.strategies.ranking import Scale, Scaling
from selection.strategies.schedule import Weights, weights_at
from selection.strategies.uncertainty import MEASURES, Measure, normalised_entropy
from training.learning.threads import one_blas_thread

SAMPLE = 20_000  # candidates whose distances the scale of diversity is fitted on
BLOCK = 4096
LOSS_QUANTILE = 0.95
LEAST_DISTANCE = 1e-6


@dataclass(frozen=True, kw_only=True)
class BlendSettings(FactorSettings):
    """Choices of the blend.

    Attributes:
        alpha, beta, gamma: weights of uncertainty, diversity and hardness.
        uncertainty: which one.
        scaling: how each part is brought into [0, 1].
        moving_rounds: over so many rounds the weights go to the last ones; 0 lets them stay.
        last_alpha, last_beta, last_gamma: where they go to.
    """

    alpha: float = 0.4
    beta: float = 0.3
    gamma: float = 0.3
    uncertainty: Measure = "margin"
    scaling: Scaling = "quantile"
    moving_rounds: int = 0
    last_alpha: float = 0.4
    last_beta: float = 0.1
    last_gamma: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        Weights(self.alpha, self.beta, self.gamma)
        Weights(self.last_alpha, self.last_beta, self.last_gamma, names="last_")
        if self.moving_rounds < 0:
            raise ValueError(f"moving_rounds: found {self.moving_rounds}, expected 0 or more")

    def weights(self, turn: int) -> Weights:
        """Those of round `turn` (from 0)."""
        first = Weights(self.alpha, self.beta, self.gamma)
        last = Weights(self.last_alpha, self.last_beta, self.last_gamma)
        return weights_at(first, last, turn, self.moving_rounds)


@dataclass(frozen=True, kw_only=True)
class PublishedSettings:
    """`alpha`, `beta`, `gamma`: weights of uncertainty, diversity and hardness."""

    alpha: float = 0.4
    beta: float = 0.3
    gamma: float = 0.3

    def __post_init__(self) -> None:
        Weights(self.alpha, self.beta, self.gamma)


def pick_blend(pool: Pool, count: int, *, settings: BlendSettings, rng: np.random.Generator) -> Picks:
    """Greedy: the next pick is argmax over i of  f_i (alpha U_i + beta D_i + gamma H_i).

    U is the uncertainty, D = 1 - max similarity to what is labelled or picked already, H the hardness, each
    brought into [0, 1] by a robust scale (see `ranking.Scale`). The scale of D is fitted on the distances to
    the labelled items, or where none are labelled to the first pick (which U and H choose alone), of at most
    20,000 candidates spread evenly; after that D only falls as the batch grows. f is 1 unless settings ask
    for density, balance or cost (`blend_factors.factors`); quotas are kept as far as there are items. Ties by
    row, in the arithmetic of `apart`. Deterministic. O(n d (m + c)) at worst.

    Parts: uncertainty U_i, diversity D_i at the time of the pick (NaN for a first pick without labelled
    items), hardness H_i; of what is asked for density, balance and cost, and their product, the factor f_i;
    score. The weights of this round stand beside them.
    """
    open_ = candidates(pool, count, {"probs", "embeddings", "hardness"})
    assert pool.probs is not None and pool.embeddings is not None and pool.hardness is not None
    weights = settings.weights(pool.turn)
    unsure = _scaled(MEASURES[settings.uncertainty](among(pool.probs, open_)), settings.scaling)
    hard = _scaled(among(pool.hardness, open_), settings.scaling)
    named = factors_by_name(pool, open_, settings)
    factor = product(named)
    parts = {"uncertainty": unsure, "hardness": hard, **named}
    fixed = weights.alpha * unsure + weights.gamma * hard
    if factor is not None:
        fixed = factor * fixed
    scale = Scale(_distances(pool, open_, int(np.argmax(fixed))), settings.scaling)
    return _greedy(
        pool,
        open_,
        count,
        parts,
        fixed,
        lambda near: scale(1 - near),
        weights,
        factor,
        settings,
    )


def pick_blend_published(
    pool: Pool, count: int, *, settings: PublishedSettings, rng: np.random.Generator
) -> Picks:
    """The blend as published: Score = 0.4 U + 0.3 D + 0.3 H with

    * U = entropy / log k;
    * D = min distance to what is labelled or picked / the greatest such distance in the pool at the start;
      the distance is 1 - cosine;
    * H = the loss over its 95th percentile, cut off at 1 (0 everywhere if that is 0).

    Greedy, D falling as the batch grows. One outlying item can squeeze D, and for U the weight of a label set
    of many unlikely labels is high: `blend` does better (see docs). Ties by row. Deterministic.
    O(n k + n d (m + c)) at worst for m labelled items; the greatest distance needs all of the n m. Parts as in
    `pick_blend`.
    """
    open_ = candidates(pool, count, {"probs", "embeddings", "hardness"})
    assert pool.probs is not None and pool.embeddings is not None and pool.hardness is not None
    unsure = normalised_entropy(among(pool.probs, open_)).astype(np.float64)
    hard = over_percentile(among(pool.hardness, open_))
    fixed = settings.alpha * unsure + settings.gamma * hard
    greatest = float(_distances(pool, open_, int(np.argmax(fixed)), sample=len(open_)).max())
    if greatest < LEAST_DISTANCE:
        greatest = 1.0  # all items coincide: rounding is no distance
    return _greedy(
        pool,
        open_,
        count,
        {"uncertainty": unsure, "hardness": hard},
        fixed,
        lambda near: np.clip((1 - near) / greatest, 0.0, 1.0),
        Weights(settings.alpha, settings.beta, settings.gamma),
    )


def over_percentile(losses: Floats) -> Floats:
    """(n,) losses >= 0 over their 95th percentile, cut off at 1; all 0 where that is 0. O(n).

    >>> over_percentile(np.arange(101.0))[[0, 19, 95, 100]].tolist()
    [0.0, 0.2, 1.0, 1.0]
    """
    high = float(np.quantile(losses, LOSS_QUANTILE))
    if high <= 0:
        return np.zeros(len(losses))
    return np.clip(np.asarray(losses, dtype=np.float64) / high, 0.0, 1.0)


def _greedy(
    pool: Pool,
    open_: Indices,
    count: int,
    parts: dict[str, Floats],
    fixed: Floats,
    spread: Gain,
    weights: Weights,
    factor: Floats | None = None,
    settings: FactorSettings | None = None,
) -> Picks:
    assert pool.embeddings is not None
    near = None if pool.labelled_near is None else pool.labelled_near[open_]
    if near is not None and not np.isfinite(near).all():
        raise PoolError(
            "some similarities to labelled items (labelled_near) are not finite numbers: work them out again, "
            "or leave them out"
        )
    places, found = apart_among(
        pool.embeddings,
        open_,
        fixed,
        lambda near: weights.beta * spread(near),
        count,
        weight=factor,
        members=pool.labelled_embeddings,
        members_near=near,
        quotas=() if settings is None else quotas_of(pool, open_, count, settings),
    )
    kept = {"uncertainty": parts["uncertainty"][places], "diversity": np.full(count, np.nan)}
    there = ~np.isnan(found.near)
    kept["diversity"][there] = spread(found.near[there])
    kept |= {name: part[places] for name, part in parts.items() if name != "uncertainty"}
    if factor is not None:
        kept["factor"] = factor[places]
    note = "" if not found.lifted else f"quotas left nothing to pick: the last {found.lifted} go beyond them"
    said = {"uncertainty": weights.alpha, "diversity": weights.beta, "hardness": weights.gamma}
    return Picks(open_[places], {**kept, "score": found.scores}, note=note, weights=said)


def _distances(pool: Pool, open_: Indices, first: int, *, sample: int = SAMPLE) -> Floats:
    """1 - max similarity to the labelled items, or to the first pick, of an even sample of candidates."""
    assert pool.embeddings is not None
    shown = open_
    if len(open_) > sample:
        shown = open_[np.linspace(0, len(open_) - 1, sample).astype(np.int64)]
    labelled = pool.labelled_embeddings
    if labelled is None or not len(labelled):
        return 1 - similarity(pool.embeddings[shown], pool.embeddings[open_[first]])
    embeddings, to_all = pool.embeddings, labelled.T

    def nearest(start: int) -> Floats:
        return (embeddings[shown[start : start + BLOCK]] @ to_all).max(axis=1)

    with one_blas_thread(), ThreadPoolExecutor(os.cpu_count()) as threads:
        near = list(threads.map(nearest, range(0, len(shown), BLOCK)))
    return 1 - np.concatenate(near).astype(np.float64)


def _scaled(scores: Floats, how: Scaling) -> Floats:
    return Scale(scores, how)(scores)
