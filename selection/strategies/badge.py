"""BADGE: a spread of the gradients that labels would give, without ever writing the gradients down."""

from __future__ import annotations

import numpy as np

from selection.strategies.pool import Picks, Pool, among, candidates
from selection.strategies.uncertainty import NoSettings


def pick_badge(pool: Pool, count: int, *, settings: NoSettings, rng: np.random.Generator) -> Picks:
    """k-means++ over gradient embeddings (Ash et al. 2020).

    g_i = (p_i - y_i) (x) x_i is the gradient of the last layer's loss if the likeliest label y_i (one-hot) were
    true: long where the model is unsure, pointing where the item would push it. The first pick is the longest
    (ties by row); each next is drawn with a chance that grows with the squared distance to the closest pick.

    g has k d entries, and only inner products are needed: g_i . g_j = ((p_i - y_i) . (p_j - y_j)) (x_i . x_j).
    So memory is O(n) beside the inputs, and the cost O(n c (k + d)).

    What is labelled shows in the probabilities: near it the model is sure and gradients are short. Stochastic;
    the part `chance` is the probability of the draw given the draws before it (1 for the first pick). The
    probability that the whole design picks an item is not known.

    Parts: uncertainty |g_i|; diversity and score, the squared distance (NaN, then |g_i|^2, for the first).
    """
    open_ = candidates(pool, count, {"probs", "embeddings"})
    assert pool.probs is not None and pool.embeddings is not None
    errors = pool.probs[open_].astype(np.float64)
    errors[np.arange(len(open_)), errors.argmax(axis=1)] -= 1
    vectors = among(pool.embeddings, open_)
    squares = np.einsum("nk,nk->n", errors, errors) * np.einsum("nd,nd->n", vectors, vectors)
    chosen = np.empty(count, dtype=np.int64)
    apart, chance = np.full(count, np.nan), np.ones(count)
    free = np.ones(len(open_), dtype=bool)
    distance = np.full(len(open_), np.inf)
    at = int(np.argmax(squares))
    for rank in range(count):
        if rank:
            # What is left coincides with picks: the rest is drawn evenly.
            weights = np.where(free, distance, 0.0)
            if not weights.max() > 1e-12:
                weights = free.astype(np.float64)
            total = np.cumsum(weights)
            at = int(np.searchsorted(total, rng.random() * total[-1], side="right"))
            at = min(at, int(np.flatnonzero(weights)[-1]))
            apart[rank], chance[rank] = distance[at], weights[at] / total[-1]
        chosen[rank], free[at] = at, False
        product = (errors @ errors[at]) * (vectors @ vectors[at])
        distance = np.minimum(distance, np.maximum(squares + squares[at] - 2 * product, 0.0))
    scores = apart.copy()
    scores[0] = squares[chosen[0]]
    parts = {
        "uncertainty": np.sqrt(squares[chosen]),
        "diversity": apart,
        "chance": chance,
        "score": scores,
    }
    return Picks(open_[chosen], parts)
