"""The weighted blend of uncertainty, diversity and hardness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from selection.strategies.diversity import Closest
from selection.strategies.pool import Floats, Picks, Pool, candidates
from selection.strategies.ranking import Scale, Scaling
from selection.strategies.uncertainty import MEASURES, Measure
from training.learning.threads import one_blas_thread


@dataclass(frozen=True, kw_only=True)
class BlendSettings:
    """Choices of the blend.

    Attributes:
        alpha, beta, gamma: weights of uncertainty, diversity and hardness.
        uncertainty: which one.
        scaling: how each part is brought into [0, 1].
    """

    alpha: float = 0.4
    beta: float = 0.3
    gamma: float = 0.3
    uncertainty: Measure = "margin"
    scaling: Scaling = "quantile"

    def __post_init__(self) -> None:
        for name in ("alpha", "beta", "gamma"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name}: found {getattr(self, name)}, expected a number of at least 0")
        if self.alpha + self.beta + self.gamma == 0:
            raise ValueError(
                "alpha, beta and gamma are all 0, expected at least one above: nothing would count"
            )


def pick_blend(pool: Pool, count: int, *, settings: BlendSettings, rng: np.random.Generator) -> Picks:
    """Greedy: the next pick is argmax over i of  alpha U_i + beta D_i + gamma H_i.

    U is the uncertainty, D = 1 - max similarity to what is labelled or picked already, H the hardness, each
    brought into [0, 1] by a robust scale (see `ranking.Scale`). The scale of D is fitted on the distances to
    the labelled items, or where none are labelled to the first pick (which U and H choose alone); after that
    D only falls as the batch grows. Ties by row. Deterministic. Cost O(n d (m + c)), with rank scaling
    O(n log n) more a pick.

    Parts: uncertainty U_i, diversity D_i at the time of the pick (NaN for a first pick without labelled
    items), hardness H_i, score.
    """
    open_ = candidates(pool, count, {"probs", "embeddings", "hardness"})
    assert pool.probs is not None and pool.embeddings is not None and pool.hardness is not None
    unsure = _scaled(MEASURES[settings.uncertainty](pool.probs[open_]), settings.scaling)
    hard = _scaled(pool.hardness[open_], settings.scaling)
    fixed = settings.alpha * unsure + settings.gamma * hard
    closest = Closest(pool.embeddings[open_], pool.labelled_embeddings)
    scale: Scale | None = None
    free = np.ones(len(open_), dtype=bool)
    chosen = np.empty(count, dtype=np.int64)
    spread = np.full(count, np.nan)
    scores = np.empty(count)
    with one_blas_thread():
        for rank in range(count):
            total = fixed
            if closest.similarity is not None:
                distance = 1 - closest.similarity
                scale = scale or Scale(distance, settings.scaling)
                apart = scale(distance)
                total = fixed + settings.beta * apart
            at = int(np.argmax(np.where(free, total, -np.inf)))
            chosen[rank], scores[rank], free[at] = at, total[at], False
            if closest.similarity is not None:
                spread[rank] = apart[at]
            closest.add(at)
    return Picks(
        open_[chosen],
        {"uncertainty": unsure[chosen], "diversity": spread, "hardness": hard[chosen], "score": scores},
    )


def _scaled(scores: Floats, how: Scaling) -> Floats:
    return Scale(scores, how)(scores)
