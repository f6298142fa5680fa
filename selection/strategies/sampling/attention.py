"""How widely attention is spread: wide where a model finds nothing to hold on to.

l  layers      h  heads      q  queries      p  keys (positions)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

SUM_TOLERANCE = 1e-2  # weights in bfloat16 stay within it


def entropy(weights: Floats, *, without_first: bool = False) -> Floats:
    """Entropy of attention weights over their last axis in nats: (..., p) -> (...). O(size).

    Args:
        weights: rows that sum to one; a masked key has weight 0.
        without_first: leave the first position out and scale the rest to one: many models park what
        attention they do
            not need there (Xiao et al. 2024, attention sinks). A row with nothing else has entropy 0.
    """
    given = np.asarray(weights, dtype=np.float64)
    if (given < 0).any() or not np.allclose(given.sum(axis=-1), 1, atol=SUM_TOLERANCE):
        raise ValueError(
            "found attention weights that are negative or do not sum to one: give them after the softmax"
        )
    if without_first:
        given = given[..., 1:]
    total = given.sum(axis=-1, keepdims=True)
    share = np.divide(given, total, out=np.zeros_like(given), where=total > 0)
    return -(share * np.log(np.where(share > 0, share, 1))).sum(axis=-1)


def dispersion(weights: Floats, *, without_first: bool = True) -> Floats:
    """(l,) how widely each layer's last query spreads its attention, in [0, 1]: mean over heads of the
    entropy, divided by the log of the number of keys that it sees.

    Args:
        weights: (l, h, p), of the last query, keys of this prompt only; p >= 1.

    0 throughout where it sees one key (or one beside the first). O(l h p).
    """
    if np.ndim(weights) != 3:
        raise ValueError(f"found attention of shape {np.shape(weights)}, expected (layers, heads, positions)")
    seen = weights.shape[-1] - int(without_first)
    if seen < 2:
        return np.zeros(len(weights))
    return entropy(weights, without_first=without_first).mean(axis=1) / np.log(seen)
