"""The uniform draw: the yardstick, and the control arm."""

from __future__ import annotations

import numpy as np

from selection.strategies.pool import Picks, Pool, candidates
from selection.strategies.uncertainty import NoSettings


def pick_random(pool: Pool, count: int, *, settings: NoSettings, rng: np.random.Generator) -> Picks:
    """`count` of the n' items that may be picked, without replacement, each with probability count / n'.
    O(n).
    """
    open_ = candidates(pool, count)
    chosen = open_[rng.choice(len(open_), size=count, replace=False)]
    return Picks(chosen, {}, np.full(count, count / len(open_)))
