"""Where models, or versions of one model, disagree about an item: by their labels and from version to
version. How far their probabilities are apart (BALD, vote entropy) is in selection.strategies.disagreement.

v  models or versions, in order      n  items      k  labels; probs: (v, n, k)
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]


def flips(probs: Floats) -> Ints:
    """(n,) how often the likeliest label changed from one version to the next, 0 to v - 1. O(v n k).

    A label that goes back and forth as data grows is not settled by more of the same data. Ties: the first
    label.
    """
    _check(probs)
    labels = probs.argmax(axis=2)
    return (labels[1:] != labels[:-1]).sum(axis=0).astype(np.int64)


def churn(before: Floats, after: Floats) -> float:
    """The share of items whose likeliest label differs between two models (n, k): what people would notice.

    (Milani Fard et al. 2016, predictive churn.) O(n k).
    """
    return float((before.argmax(axis=1) != after.argmax(axis=1)).mean())


def pairwise_disagreement(probs: Floats) -> Floats:
    """(n,) share of the pairs of models whose likeliest labels differ, in [0, 1].

    By counting votes: 1 - sum_c n_c (n_c - 1) / (v (v - 1)), so no pair is looked at. O(v n + n k).
    """
    _check(probs)
    count, n, k = probs.shape
    votes = np.zeros((n, k))
    np.add.at(votes, (np.tile(np.arange(n), count), probs.argmax(axis=2).ravel()), 1)
    return 1.0 - (votes * (votes - 1)).sum(axis=1) / (count * (count - 1))


def drift(before: Floats, after: Floats) -> Floats:
    """(n,) total variation between two versions (n, k): half the sum of |differences|, in [0, 1]. O(n k)."""
    return np.abs(after - before).sum(axis=1) / 2


def _check(probs: Floats) -> None:
    if probs.ndim != 3 or len(probs) < 2:
        raise ValueError(
            f"found probabilities of shape {probs.shape}, expected (models, items, labels) with two models"
        )
