"""TracIn: how much the steps of training on an item have lowered the losses of validation items.

value_i = sum over checkpoints t of rate_t g_i(t) . g_val(t)   (Pruthi, Liu, Kale & Sundararajan 2020), on
the last layer, where a gradient is the outer product of a residual (k,) and a feature vector (d,):
g_i . g_j = (r_i . r_j) (x_i . x_j). A sum over checkpoints, so a new checkpoint adds its own term to what is
there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from selection.strategies.value.head import Array


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """One moment of training.

    Attributes:
        x, residuals: (n, d), (n, k) of the training items; val_x, val_residuals: (m, d), (m, k). A residual
        is
            p - onehot(label) by the model of that moment; features are the last layer's input, with a column
            of ones where the layer has a bias.
        rate: learning rate that acted there.
    """

    x: Array
    residuals: Array
    val_x: Array
    val_residuals: Array
    rate: float


def tracin(checkpoints: Iterable[Checkpoint], before: Array | None = None) -> Array:
    """(n,) fall of the mean validation loss that each training item brought about; higher = worth more.

    Args:
        before: the values of earlier checkpoints, to which these are added; None for 0.

    Cost O((n + m) k d) a checkpoint: against the mean validation gradient, (k, d).
    """
    total = before
    for point in checkpoints:
        mean = point.val_residuals.T @ point.val_x / len(point.val_x)
        term = point.rate * np.einsum("nk,nk->n", point.residuals, point.x @ mean.T)
        total = term if total is None else total + term
    if total is None:
        raise ValueError("found no checkpoint, expected at least one: keep some while training")
    return total


def tracin_pairs(checkpoints: Iterable[Checkpoint]) -> Array:
    """(n, m) the same for every pair: column j says which items taught validation item j. O(n m (k + d))
    each.
    """
    total: Array | None = None
    for point in checkpoints:
        term = point.rate * (point.residuals @ point.val_residuals.T) * (point.x @ point.val_x.T)
        total = term if total is None else total + term
    if total is None:
        raise ValueError("found no checkpoint, expected at least one: keep some while training")
    return total
