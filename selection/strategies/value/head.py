"""The linear head that values are worked out for: multinomial logistic regression, with its derivatives.

n  training items      d  width of an embedding      k  labels      D = k (d + 1)  parameters

Objective (as the probe's, divided by C):  L(W) = sum_i weight_i loss_i(W) + ridge / 2 |W without
intercepts|^2, loss_i = -log softmax(W x_i)[y_i], x_i an embedding with a one behind it. Gradients are never
laid out as (n, D): the gradient of loss_i is the outer product of its residual p_i - onehot(y_i) and x_i.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from training.learning.threads import one_blas_thread

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MOST_ITERATIONS = 2_000
SMALL_GRADIENT = 1e-8


@dataclass(frozen=True)
class Head:
    """Attributes:
    weight: (k, d + 1), the intercepts last.
    ridge: strength of the L2 term, 1 / C of scikit-learn; above 0.
    """

    weight: Array
    ridge: float

    def logits(self, x: Array) -> Array:
        """(n, k). x: (n, d + 1)."""
        return x @ self.weight.T

    def residuals(self, x: Array, labels: Ints) -> Array:
        """(n, k) p - onehot(label): the gradient of each loss with respect to the logits."""
        found = np.asarray(softmax(self.logits(x), axis=1), dtype=np.float64)
        found[np.arange(len(labels)), labels] -= 1.0
        return found

    def losses(self, x: Array, labels: Ints) -> Array:
        """(n,) -log p(label), nats."""
        logits = self.logits(x)
        return np.asarray(logsumexp(logits, axis=1) - logits[np.arange(len(labels)), labels])


def with_one(embeddings: npt.ArrayLike) -> Array:
    """(n, d + 1) float64: embeddings with a column of ones behind, so that intercepts are weights too."""
    given = np.asarray(embeddings, dtype=np.float64)
    return np.concatenate([given, np.ones((len(given), 1))], axis=1)


def fit(
    x: Array, labels: Ints, k: int, *, ridge: float, weights: Array | None = None, start: Head | None = None
) -> Head:
    """The head of least L, by L-BFGS to a gradient below 1e-8: close enough to compare leave-one-out with.

    Args:
        x: (n, d + 1), see `with_one`. labels: (n,) in 0..k-1. weights: (n,) how much each item counts.
        start: a head to begin from, as of the version before: far fewer steps.

    Cost O(steps n k d). Raises ValueError: no item, a ridge that is not above 0, or a label out of range.
    """
    check(x, labels, k)
    if not ridge > 0:
        raise ValueError(f"found a ridge of {ridge}, expected more than 0: without it the head has no bound")
    shape = (k, x.shape[1])
    each = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)

    def objective(flat: Array) -> tuple[float, Array]:
        head = Head(flat.reshape(shape), ridge)
        plain = head.weight.copy()
        plain[:, -1] = 0.0
        value = float(each @ head.losses(x, labels)) + ridge / 2 * float((plain**2).sum())
        slope = (head.residuals(x, labels) * each[:, None]).T @ x + ridge * plain
        return value, slope.ravel()

    first = np.zeros(shape) if start is None else start.weight
    options = {
        "maxiter": MOST_ITERATIONS,
        "gtol": SMALL_GRADIENT,
        "ftol": 1e-15,
        "maxfun": 4 * MOST_ITERATIONS,
    }
    with one_blas_thread():
        found = minimize(objective, first.ravel(), jac=True, method="L-BFGS-B", options=options)
    return Head(np.asarray(found.x, dtype=np.float64).reshape(shape), ridge)


def check(x: Array, labels: Ints, k: int) -> None:
    """ValueError unless there are items, a label for each, all in 0..k-1, and all numbers finite."""
    if not len(x) or len(x) != len(labels):
        raise ValueError(
            f"found {len(x)} embeddings and {len(labels)} labels, expected as many and at least one"
        )
    if np.min(labels) < 0 or np.max(labels) >= k:
        raise ValueError(f"found labels from {np.min(labels)} to {np.max(labels)}, expected 0 to {k - 1}")
    if not np.isfinite(x).all():
        raise ValueError("found embeddings that are not numbers: embed these items again")


class Curvature:
    """The Hessian of L at a head: H = sum_i (diag(p_i) - p_i p_i^T) (x) x_i x_i^T + ridge, as products.

    Adding one number to all intercepts changes no probability, so H is flat that way; every gradient is at a
    right angle to it. `matrix` fills that one direction in, products leave it out: solutions are the same.
    """

    def __init__(self, head: Head, x: Array, weights: Array | None = None) -> None:
        self.x = x
        self.probs = np.asarray(softmax(head.logits(x), axis=1), dtype=np.float64)
        self.weights = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)
        self.ridge = head.ridge
        self.shape = head.weight.shape

    def times(self, direction: Array, rows: Ints | None = None) -> Array:
        """H v as (k, d + 1), for v (k, d + 1). With `rows`, the data term is those items' scaled to all n.

        Cost O(n k d), memory O(n k).
        """
        x, probs, weights = self.x, self.probs, self.weights
        scale = 1.0
        if rows is not None:
            x, probs, weights, scale = x[rows], probs[rows], weights[rows], len(x) / len(rows)
        moved = x @ direction.T
        moved = probs * (moved - (probs * moved).sum(axis=1, keepdims=True)) * weights[:, None]
        out = scale * (moved.T @ x)
        out[:, :-1] += self.ridge * direction[:, :-1]
        return out

    def matrix(self) -> Array:
        """(D, D), labels in the outer place; the flat direction filled with 1. Cost O(n D^2)."""
        k, width = self.shape
        full = np.empty((k, width, k, width))
        for a in range(k):
            for b in range(a, k):
                share = self.weights * self.probs[:, a] * ((a == b) - self.probs[:, b])
                full[a, :, b, :] = (self.x * share[:, None]).T @ self.x
                full[b, :, a, :] = full[a, :, b, :].T
        flat = full.reshape(k * width, k * width)
        ridge = np.full((k, width), self.ridge)
        ridge[:, -1] = 0.0
        flat[np.diag_indices(k * width)] += ridge.ravel()
        level = np.zeros((k, width))
        level[:, -1] = 1.0 / np.sqrt(k)
        return flat + np.outer(level.ravel(), level.ravel())

    def most_curved(self, rng: np.random.Generator, rounds: int = 30) -> float:
        """The greatest eigenvalue of H, by power iteration: from below, within a few per cent."""
        direction = rng.normal(size=self.shape)
        size = 1.0
        for _ in range(rounds):
            direction = self.times(direction / np.linalg.norm(direction))
            size = float(np.linalg.norm(direction))
        return size
