"""K-center: every item of the pool shall have a chosen or labelled one near by."""

from __future__ import annotations

import numpy as np

from selection.strategies.apart import apart_among, similarity
from selection.strategies.pool import Floats, Indices, Picks, Pool, candidates
from selection.strategies.uncertainty import NoSettings

BLOCK = 65_536


def pick_k_center(pool: Pool, count: int, *, settings: NoSettings, rng: np.random.Generator) -> Picks:
    """Farthest first, exact greedy (Gonzalez 1985; as a core-set for active learning Sener & Savarese 2018).

    The next pick is the item whose closest chosen or labelled item is farthest: argmin over i of max over j
    of e_i . e_j. The largest distance that is left is at most twice that of the best choice there is. With
    nothing labelled the first pick is the item nearest to the mean of the pool. Ties by row, in the arithmetic
    of `apart`. Deterministic. O(n c d) at worst.

    Parts: diversity 1 - max similarity (NaN for a first pick without labelled items); score, the same (for
    such a first pick the similarity to the mean).
    """
    open_ = candidates(pool, count, {"embeddings"})
    assert pool.embeddings is not None
    labelled = pool.labelled_embeddings
    first, central = None, 0.0
    if labelled is None or not len(labelled):
        first, central = most_central(pool.embeddings, open_)
    places, found = apart_among(
        pool.embeddings, open_, np.zeros(len(open_)), np.negative, count, members=labelled, first=first
    )
    apart = 1 - found.near
    scores = apart.copy()
    if first is not None:
        scores[0] = central
    return Picks(open_[places], {"diversity": apart, "score": scores})


def most_central(embeddings: Floats, open_: Indices) -> tuple[int, float]:
    """(place in `open_`, similarity) of the item nearest to their mean, in float64; the lower place of equal
    ones. The mean is summed in the order of `open_`. O(n d).
    """
    total = np.zeros(embeddings.shape[1])
    for start in range(0, len(open_), BLOCK):
        total += embeddings[open_[start : start + BLOCK]].sum(axis=0, dtype=np.float64)
    length = float(np.linalg.norm(total))
    centre = total / length if length > 0 else total
    best, value = 0, -np.inf
    for start in range(0, len(open_), BLOCK):
        close = similarity(embeddings[open_[start : start + BLOCK]], centre)
        at = int(np.argmax(close))
        if close[at] > value:
            best, value = start + at, float(close[at])
    return best, value
