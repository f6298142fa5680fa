"""How small a push on an embedding flips the prediction, and which real items lie where it flips.

An attack works in embedding space: what it finds is a direction, never a text. So the suggestions are the
real pool items nearest to the pushed embedding, not a decoded one.

Fast gradient sign (Goodfellow et al. 2015), projected gradient descent (Madry et al. 2018), the distance to
the boundary of a linear head in closed form (Moosavi-Dezfooli et al. 2016), which is the twin of the search.

n  items      d  width of an embedding      k  labels
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

Floats = npt.NDArray[np.floating[Any]]
Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Norm = Literal["l2", "linf"]


class Head(Protocol):
    """Any differentiable map of embeddings to logits."""

    def logits(self, x: Array) -> Array:
        """(n, k) of (n, d)."""

    def pull(self, x: Array, cotangent: Array) -> Array:
        """(n, d): the gradient of sum(cotangent * logits) at each row; cotangent (n, k). A vector-Jacobian
        product.
        """


@dataclass(frozen=True)
class Linear:
    """weight: (k, d), bias: (k,)."""

    weight: Array
    bias: Array

    def logits(self, x: Array) -> Array:
        return x @ self.weight.T + self.bias

    def pull(self, x: Array, cotangent: Array) -> Array:
        return cotangent @ self.weight


def loss_gradient(head: Head, x: Array, labels: Ints) -> Array:
    """(n, d) gradient of the cross-entropy of each item with its label. O(n k d) for a linear head."""
    residuals = np.asarray(softmax(head.logits(x), axis=1), dtype=np.float64)
    residuals[np.arange(len(labels)), labels] -= 1.0
    return head.pull(x, residuals)


def fgsm(head: Head, x: Array, labels: Ints, epsilon: float, *, norm: Norm = "linf") -> Array:
    """(n, d) one step of size epsilon that raises the loss most, to first order: along the gradient's sign
    (linf) or the gradient (l2). A zero gradient moves nothing.
    """
    return x + epsilon * _steepest(loss_gradient(head, x, labels), norm)


def pgd(
    head: Head,
    x: Array,
    labels: Ints,
    epsilon: float,
    *,
    norm: Norm = "l2",
    steps: int = 20,
    share: float = 0.15,
) -> Array:
    """(n, d) the same in many steps of `share` epsilon, each pulled back into the ball of radius epsilon
    around x.

    Starts at x, so nothing is drawn. O(steps) gradients.
    """
    moved = x.copy()
    for _ in range(steps):
        moved = moved + share * epsilon * _steepest(loss_gradient(head, moved, labels), norm)
        moved = x + _into_ball(moved - x, epsilon, norm)
    return moved


@dataclass(frozen=True)
class Flip:
    """Attributes:
    epsilon: (n,) size of the smallest push found; lower = nearer to a boundary = harder. inf: none was found.
    moved: (n, d) the embedding just beyond the boundary. target: (n,) the label it turns into.
    """

    epsilon: Array
    moved: Array
    target: Ints


def linear_flip(head: Linear, x: Array, *, norm: Norm = "l2", beyond: float = 1e-6) -> Flip:
    """The smallest push that changes the likeliest label of a linear head, in closed form.

    epsilon = min over c != y of (z_y - z_c) / |w_y - w_c|, in the dual norm: l2 for l2, l1 for linf. The
    push goes `beyond` (relatively) further, to stand on the other side. Labels of equal weights can never
    replace each other.
    O(n k d + k^2 d); for many labels O(n k) memory a block of one label.
    """
    logits = head.logits(x)
    top = logits.argmax(axis=1)
    order = 2 if norm == "l2" else 1
    sizes = np.array([np.linalg.norm(head.weight - row, ord=order, axis=1) for row in head.weight])
    gaps = logits[np.arange(len(x)), top][:, None] - logits
    size = sizes[top]
    ratio = np.divide(gaps, size, out=np.full_like(gaps, np.inf), where=size > 0)
    ratio[np.arange(len(x)), top] = np.inf
    target = ratio.argmin(axis=1).astype(np.int64)
    epsilon = ratio[np.arange(len(x)), target]
    direction = _steepest(head.weight[target] - head.weight[top], norm)
    step = np.where(np.isfinite(epsilon), epsilon * (1 + beyond) + 1e-12, 0.0)
    return Flip(epsilon, x + step[:, None] * direction, target)


def smallest_flip(
    head: Head,
    x: Array,
    *,
    largest: float = 2.0,
    norm: Norm = "l2",
    targets: int = 5,
    halvings: int = 20,
    steps: int = 10,
) -> Flip:
    """The smallest push found that changes the likeliest label of any head: an upper bound.

    For each of the `targets` likeliest other labels a projected ascent on the gap of the two logits, its
    radius halved in on. Unit vectors are at most 2 apart, so 2 is the largest push that makes sense.
    O(targets halvings steps) gradients; for a linear head exact up to largest / 2^halvings within its
    targets.
    """
    logits = head.logits(x)
    n, k = logits.shape
    order = np.argsort(-logits, axis=1, kind="stable")
    top = order[:, 0]
    best, moved, target = np.full(n, np.inf), x.copy(), top.copy()
    for place in range(1, min(targets, k - 1) + 1):
        goal = order[:, place]
        cotangent = np.zeros((n, k))
        cotangent[np.arange(n), goal], cotangent[np.arange(n), top] = 1.0, -1.0
        low, high = np.zeros(n), np.full(n, largest)
        for _ in range(halvings):
            middle = (low + high) / 2
            did, at = _pushed(head, x, top, cotangent, middle, norm, steps)
            better = did & (middle < best)
            best, target = np.where(better, middle, best), np.where(better, goal, target)
            moved[better] = at[better]
            low, high = np.where(did, low, middle), np.where(did, middle, high)
    if np.isfinite(best).any():
        target = np.where(np.isfinite(best), head.logits(moved).argmax(axis=1), target)
    return Flip(best, moved, target.astype(np.int64))


def _pushed(
    head: Head, x: Array, top: Ints, cotangent: Array, radius: Array, norm: Norm, steps: int
) -> tuple[npt.NDArray[np.bool_], Array]:
    moved = x.copy()
    for _ in range(steps):
        moved = moved + radius[:, None] * _steepest(head.pull(moved, cotangent), norm) / 2
        moved = x + _into_ball(moved - x, radius, norm)
    return head.logits(moved).argmax(axis=1) != top, moved


def nearest_real(moved: Floats, pool_embeddings: Floats, count: int, *, excluded: Ints | None = None) -> Ints:
    """(n, count) positions of the pool items nearest to each pushed embedding, nearest first.

    Args:
        moved: (n, d); brought to length one first. pool_embeddings: (m, d), rows of length one.
        excluded: (n,) a pool position that is not to come back for each item (itself), -1 for none.

    O(n m d) by FAISS.
    """
    from selection.index.flat import nearest

    lengths = np.linalg.norm(moved, axis=1, keepdims=True)
    asked = np.divide(moved, lengths, out=np.zeros_like(moved), where=lengths > 0)
    spare = 0 if excluded is None else 1
    found, _similarity = nearest(pool_embeddings, asked, min(count + spare, len(pool_embeddings)))
    if excluded is None:
        return found
    kept = [row[row != own][:count] for row, own in zip(found, excluded, strict=True)]
    return np.array(kept, dtype=np.int64)


def _steepest(gradient: Array, norm: Norm) -> Array:
    """Directions of size one in the norm that raise most."""
    if norm == "linf":
        return np.sign(gradient)
    lengths = np.linalg.norm(gradient, axis=1, keepdims=True)
    return np.divide(gradient, lengths, out=np.zeros_like(gradient), where=lengths > 0)


def _into_ball(push: Array, radius: float | Array, norm: Norm) -> Array:
    size = np.broadcast_to(np.asarray(radius, dtype=np.float64), (len(push),))[:, None]
    if norm == "linf":
        return np.clip(push, -size, size)
    lengths = np.linalg.norm(push, axis=1, keepdims=True)
    return push * np.minimum(1.0, np.divide(size, lengths, out=np.ones_like(lengths), where=lengths > 0))
