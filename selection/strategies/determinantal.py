"""Determinantal greedy: the batch whose vectors span the greatest volume, longer vectors for unsure items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from selection.strategies.pool import Floats, Indices, Picks, Pool, candidates
from selection.strategies.ranking import top
from selection.strategies.uncertainty import Measure, check_share, measured

LEAST = 1e-9  # a squared height below it is rounding: the item lies in the span of those chosen
JITTER = 1e-8


@dataclass(frozen=True, kw_only=True)
class DeterminantalSettings:
    """Choices of the determinantal greedy.

    Attributes:
        relevance_share: theta of the formula, 0 (volume alone) to less than 1.
        relevance: the uncertainty taken as relevance.
        width: how far likeness reaches: the cosine distance at which it has fallen to 1/e.
        candidates_per_pick: so many items of greatest relevance are looked at for each pick.
    """

    relevance_share: float = 0.7
    relevance: Measure = "margin"
    width: float = 0.5
    candidates_per_pick: int = 20

    def __post_init__(self) -> None:
        check_share("relevance_share", self.relevance_share, below_one=True)
        if not 0 < self.width < np.inf:
            raise ValueError(f"width: found {self.width}, expected a number above 0")
        if self.candidates_per_pick < 1:
            raise ValueError(f"candidates_per_pick: found {self.candidates_per_pick}, expected 1 or more")


def pick_determinantal(
    pool: Pool, count: int, *, settings: DeterminantalSettings, rng: np.random.Generator
) -> Picks:
    """Fast greedy MAP of a determinantal point process (Chen, Zhang & Zhou 2018).

    The next pick is argmax over i of  log det L(S + i) - log det L(S),  L_ij = q_i s_ij q_j,
    s_ij = exp((e_i . e_j - 1) / width), q_i = exp(a u_i), a = theta / (2 (1 - theta)), u the uncertainty.
    Labelled items (q = 1) are in S from the start. Where nothing is left that is not in the span of S, the
    most relevant items fill the batch. Ties by row. Deterministic.

    Looks at `candidates_per_pick` c items of greatest relevance, n' of them: O((m + c)^2 n') for m labelled.

    Parts: uncertainty u_i; diversity, the squared height of the item over what is chosen, in [0, 1]; score, the
    gain of the log determinant (-inf never: cut off at log 1e-9 + 2 a u_i).
    """
    open_ = candidates(pool, count, {"unsure", "embeddings"})
    assert pool.embeddings is not None
    relevance = measured(pool, open_, settings.relevance).astype(np.float64)
    short = np.sort(top(relevance, min(len(open_), settings.candidates_per_pick * count)))
    share = settings.relevance_share
    log_quality = share / (2 * (1 - share)) * relevance[short]
    vectors = pool.embeddings[open_[short]].astype(np.float64)
    known = None
    if pool.labelled_embeddings is not None and len(pool.labelled_embeddings):
        known = pool.labelled_embeddings.astype(np.float64)
    chosen, heights, scores = greedy_map(vectors, log_quality, count, width=settings.width, known=known)
    parts = {"uncertainty": relevance[short[chosen]], "diversity": heights, "score": scores}
    return Picks(open_[short[chosen]], parts)


def kernel(left: Floats, right: Floats, width: float) -> Floats:
    """s_ij = exp((e_i . e_j - 1) / width) of the rows of (n, d) and (m, d): in (0, 1], 1 for equal ones."""
    return np.asarray(np.exp((left @ right.T - 1) / width))


def greedy_map(
    vectors: Floats, log_quality: Floats, count: int, *, width: float, known: Floats | None = None
) -> tuple[Indices, Floats, Floats]:
    """(positions, squared heights, gains of the log determinant). vectors: (n, d); known: (m, d), in S already.

    Keeps the rows of the Cholesky factor of S for every item, so that a pick costs O(n (m + c)).
    """
    n = len(vectors)
    height = np.ones(n)
    held = np.empty((0, n))
    if known is not None:
        own = kernel(known, known, width) + JITTER * np.eye(len(known))
        held = solve_triangular(np.linalg.cholesky(own), kernel(known, vectors, width), lower=True)
        height = height - np.einsum("mn,mn->n", held, held)
    rows = np.concatenate([held, np.empty((count, n))])
    filled = len(held)
    chosen, heights, scores = np.empty(count, dtype=np.int64), np.empty(count), np.empty(count)
    free = np.ones(n, dtype=bool)
    for rank in range(count):
        gains = np.log(np.maximum(height, LEAST)) + 2 * log_quality
        at = int(np.argmax(np.where(free, gains, -np.inf)))
        chosen[rank], heights[rank], scores[rank] = at, max(height[at], 0.0), gains[at]
        free[at] = False
        if height[at] > LEAST:
            close = kernel(vectors, vectors[at : at + 1], width)[:, 0]
            row = (close - rows[:filled, at] @ rows[:filled]) / np.sqrt(height[at])
            rows[filled] = row
            filled += 1
            height = height - row**2
    return chosen, heights, scores
