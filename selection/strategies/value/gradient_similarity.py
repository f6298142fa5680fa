"""Gradient similarity: does learning from an item pull the model the way the validation items do?

value_i = cosine of g_i and the mean validation gradient, on the last layer; in [-1, 1], below 0 the item
pulls the other way. (As in gradient matching: Killamsetty et al. 2021, GRAD-MATCH; Mirzasoleiman et al.
2020, CRAIG.)
"""

from __future__ import annotations

import numpy as np

from selection.strategies.value.head import Array


def gradient_similarity(x: Array, residuals: Array, val_x: Array, val_residuals: Array) -> Array:
    """(n,) cosine in [-1, 1] of each item's gradient with the mean validation gradient.

    Args:
        x: (n, d) features, residuals: (n, k) p - onehot(label). val_x: (m, d), val_residuals: (m, k).

    A gradient is residual (x) feature, so its length is the product of their lengths and its product with
    the mean G (k, d) is r^T G x: nothing of size n k d is made. 0 where a gradient is zero (a certain, right
    prediction).
    Cost O((n + m) k d), memory O(n k).
    """
    mean = val_residuals.T @ val_x / len(val_x)
    products = np.einsum("nk,nk->n", residuals, x @ mean.T)
    lengths = np.linalg.norm(residuals, axis=1) * np.linalg.norm(x, axis=1) * np.linalg.norm(mean)
    return np.divide(products, lengths, out=np.zeros(len(x)), where=lengths > 0)


def pair_similarity(x: Array, residuals: Array, val_x: Array, val_residuals: Array) -> Array:
    """(n, m) cosine of every pair of gradients: cosine of the residuals times cosine of the features. O(n m
    (k + d)).
    """
    return (_unit(residuals) @ _unit(val_residuals).T) * (_unit(x) @ _unit(val_x).T)


def _unit(rows: Array) -> Array:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
