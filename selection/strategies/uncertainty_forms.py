"""Uncertainty where an item's answer is not one label of several: many labels, spans over tokens, ratings.

All give (n,) in [0, 1], higher = more uncertain, so that they stand in for a measure of `uncertainty`. Inputs
are trusted.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from selection.strategies.pool import Floats, Indices
from selection.strategies.uncertainty import margin, normalised_entropy

Pooling = Literal["mean", "max"]


def multilabel_entropy(probs: Floats, pooling: Pooling = "mean") -> Floats:
    """Binary entropy in bits of every label by itself, the mean or the greatest over labels.

    probs: (n, k) chance that a label applies, each in [0, 1] by itself, k >= 1. O(n k).

    >>> multilabel_entropy(np.array([[0.5, 1.0]])).tolist()
    [0.5]
    """
    return _pooled(_binary_entropy(probs), pooling)


def multilabel_margin(probs: Floats, pooling: Pooling = "mean") -> Floats:
    """1 - |2 p - 1|, how close each label is to its threshold 1/2; the mean or the greatest over labels.

    probs: (n, k) as above. O(n k).
    """
    return _pooled(1 - np.abs(2 * np.asarray(probs, dtype=np.float64) - 1), pooling)


def sequence_entropy(probs: Floats, starts: Indices, pooling: Pooling = "mean") -> Floats:
    """Normalised entropy of every token, the mean or the greatest over an item's tokens.

    Args:
        probs: (t, k) of all tokens of all items, one item after the other, k >= 2.
        starts: (n + 1,) where each item's tokens begin, and last where all end. An item without tokens: 0.

    The mean does not prefer long texts, as a sum would (Settles & Craven 2008). O(t k).
    """
    return by_item(normalised_entropy(probs), starts, pooling)


def sequence_margin(probs: Floats, starts: Indices, pooling: Pooling = "max") -> Floats:
    """Margin of every token, turned to higher = more uncertain; for spans the greatest says most: one unclear
    edge is enough to label. Arguments as `sequence_entropy`.
    """
    return by_item(margin(probs), starts, pooling)


def sequence_least_confidence(probs: Floats, starts: Indices) -> Floats:
    """1 - exp(mean log p of the likeliest label of each token): MNLP (Shen et al. 2017), turned and brought into
    [0, 1]. Arguments as `sequence_entropy`.
    """
    likeliest = np.maximum(probs.max(axis=1).astype(np.float64), 1e-12)
    found: Floats = 1 - np.exp(by_item(np.log(likeliest), starts, "mean"))
    return found


def rating_variance(probs: Floats, values: Floats) -> Floats:
    """Variance of the rating over the greatest there is: half at each end of the scale, (range / 2)^2.

    A model that wavers between 4 and 5 stars is surer than one between 1 and 5; entropy takes them for equal.

    Args:
        probs: (n, k) of the steps of the scale. values: (k,) their numbers, not all equal.

    >>> rating_variance(np.array([[0.5, 0, 0, 0, 0.5], [0, 0, 0, 0.5, 0.5]]), np.arange(1.0, 6.0)).tolist()
    [1.0, 0.0625]
    """
    spread = float(np.ptp(values))
    if not spread > 0:
        raise ValueError("the steps of the scale are all equal, expected different numbers")
    wide = np.asarray(probs, dtype=np.float64)
    mean = wide @ values
    square = wide @ np.square(values)
    return np.clip((square - mean**2) / (spread / 2) ** 2, 0.0, 1.0)


def rating_entropy(probs: Floats) -> Floats:
    """Mean binary entropy in bits of "above step j" for the k - 1 steps: entropy that knows the order.

    probs: (n, k) in the order of the scale, k >= 2. As the binary questions of Frank & Hall 2001. O(n k).
    """
    above = 1 - np.cumsum(np.asarray(probs, dtype=np.float64), axis=1)[:, :-1]
    return _binary_entropy(np.clip(above, 0.0, 1.0)).mean(axis=1)


def _binary_entropy(probs: Floats) -> Floats:
    p = np.asarray(probs, dtype=np.float64)
    q = 1 - p
    return -(p * np.log2(np.where(p > 0, p, 1)) + q * np.log2(np.where(q > 0, q, 1)))


def _pooled(values: Floats, pooling: Pooling) -> Floats:
    return values.mean(axis=1) if pooling == "mean" else values.max(axis=1)


def by_item(values: Floats, starts: Indices, pooling: Pooling) -> Floats:
    """(n,) mean or greatest of each item's values; 0 for none."""
    sizes = np.diff(starts)
    found = np.zeros(len(sizes))
    held = np.flatnonzero(sizes)
    if not len(held):
        return found
    wide = np.asarray(values, dtype=np.float64)
    if pooling == "max":
        found[held] = np.maximum.reduceat(wide, starts[:-1][held])
    else:
        found[held] = np.add.reduceat(wide, starts[:-1][held]) / sizes[held]
    return found
