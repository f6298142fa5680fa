"""Influence: how much the validation loss would rise if a training item had been left out.

value_i = g_val^T H^-1 g_i, with g_val the mean gradient of the validation losses, g_i that of the item's
loss and H the Hessian of the whole objective (Koh & Liang 2017). Above 0: leaving the item out hurts. To
first order it is the true leave-one-out difference; the tests compare it with refitted heads.

"newton" takes a whole Newton step of leaving the item out, (H - h_i)^-1 g_i with the item's own curvature
h_i taken out of H (Rad & Maleki 2020), and measures the losses there: nearly the true figure, for small
heads and few items.

The one hard part is s = H^-1 g_val. Four ways: exact (small heads), conjugate gradient (the default), LiSSA
(Agarwal, Bullins & Hazan 2017: stochastic, for many items) and Arnoldi (Schioppa et al. 2022: the top of the
spectrum, found once and used for many validation sets). After a new model or new items, start conjugate
gradient from the solution before: `start`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from selection.strategies.value.head import Array, Curvature, Head, Ints

Method = Literal["newton", "exact", "cg", "lissa", "arnoldi"]
MOST_EXACT = 4_000  # parameters: 128 MB and some seconds


@dataclass(frozen=True)
class Influence:
    """Attributes:
    values: (n,) rise of the mean validation loss (nats) without the item, to first order; higher = worth
    more.
    solution: (k, d + 1) H^-1 g_val: what the next call may start from.
    steps: products with H that it took; 0 for the exact way.
    """

    values: Array
    solution: Array
    steps: int


def influence(
    head: Head,
    x: Array,
    labels: Ints,
    val_x: Array,
    val_labels: Ints,
    *,
    method: Method = "cg",
    start: Array | None = None,
    rng: np.random.Generator | None = None,
) -> Influence:
    """The value of every training item. x: (n, d + 1), val_x: (m, d + 1), see `head.with_one`.

    `head` should be fitted to the training items: elsewhere H and the gradients belong to no optimum.
    Cost: that of the solution, plus O((n + m) k d).

    Raises ValueError: a head too large for "exact", or no rng for a stochastic method.
    """
    curvature = Curvature(head, x)
    target = mean_gradient(head, val_x, val_labels)
    if method in ("lissa", "arnoldi") and rng is None:
        raise ValueError(f"the method {method} draws at random: give it an rng")
    steps = 0
    if method == "newton":
        return _newton(head, curvature, labels, val_x, val_labels)
    if method == "exact":
        solution = solve_exactly(curvature, target)
    elif method == "cg":
        solution, steps = conjugate_gradient(curvature, target, start=start)
    elif method == "lissa":
        assert rng is not None
        solution, steps = lissa(curvature, target, rng=rng, start=start)
    else:
        assert rng is not None
        solution, steps = Spectrum.of(curvature, rng=rng).solve(target), Spectrum.STEPS
    return Influence(of_solution(head, x, labels, solution), solution, steps)


def mean_gradient(head: Head, x: Array, labels: Ints) -> Array:
    """(k, d + 1) mean gradient of the losses of items (n, d + 1); the ridge is no part of it. O(n k d)."""
    return head.residuals(x, labels).T @ x / len(x)


def of_solution(head: Head, x: Array, labels: Ints, solution: Array) -> Array:
    """(n,) s . g_i = (p_i - onehot)^T S x_i, without laying gradients out. O(n k d)."""
    return np.einsum("nk,nk->n", head.residuals(x, labels), x @ solution.T)


def solve_exactly(curvature: Curvature, target: Array) -> Array:
    """H^-1 target by a Cholesky factor. O(n D^2 + D^3)."""
    from scipy.linalg import cho_factor, cho_solve

    _check_size(target)
    return np.asarray(cho_solve(cho_factor(curvature.matrix()), target.ravel())).reshape(target.shape)


def _newton(head: Head, curvature: Curvature, labels: Ints, val_x: Array, val_labels: Ints) -> Influence:
    """Woodbury: (H - U A U^T)^-1 U r = H^-1 U (1 - A M)^-1 r, with U = 1_k (x) x_i, A = diag(p) - p p^T and
    M = U^T H^-1 U. O(D^3 + n (D^2 + m k d)).
    """
    target = mean_gradient(head, val_x, val_labels)
    _check_size(target)
    k, width = target.shape
    inverse = np.linalg.inv(curvature.matrix())
    blocks = inverse.reshape(k, width, k, width)
    residuals, x, probs = head.residuals(curvature.x, labels), curvature.x, curvature.probs
    before = float(head.losses(val_x, val_labels).mean())
    values = np.empty(len(x))
    for item in range(len(x)):
        moved = blocks @ x[item]  # (k, d + 1, k): H^-1 U
        bend = np.diag(probs[item]) - np.outer(probs[item], probs[item])
        own = np.einsum("d,adb->ab", x[item], moved)
        step = moved @ np.linalg.solve(np.eye(k) - bend @ own, residuals[item])
        values[item] = Head(head.weight + step, head.ridge).losses(val_x, val_labels).mean() - before
    return Influence(values, (inverse @ target.ravel()).reshape(k, width), 0)


def _check_size(target: Array) -> None:
    if target.size > MOST_EXACT:
        raise ValueError(
            f"the head has {target.size} parameters, an exact solution takes at most {MOST_EXACT}: use cg"
        )


def conjugate_gradient(
    curvature: Curvature,
    target: Array,
    *,
    start: Array | None = None,
    tolerance: float = 1e-8,
    most: int = 1_000,
) -> tuple[Array, int]:
    """H^-1 target and the number of steps (Hestenes & Stiefel 1952); ends at |rest| <= tolerance |target|.

    A start near the solution saves steps: that is how values are brought up to date. O(steps n k d).
    """
    found = np.zeros_like(target) if start is None else start.copy()
    rest = target - curvature.times(found) if start is not None else target.copy()
    direction, size = rest.copy(), float((rest**2).sum())
    aim = tolerance**2 * float((target**2).sum())
    steps = 0
    while size > aim and steps < most:
        moved = curvature.times(direction)
        step = size / float((direction * moved).sum())
        found += step * direction
        rest -= step * moved
        size, before = float((rest**2).sum()), size
        direction = rest + size / before * direction
        steps += 1
    return found, steps


def lissa(
    curvature: Curvature,
    target: Array,
    *,
    rng: np.random.Generator,
    start: Array | None = None,
    batch: int = 256,
    steps: int = 2_000,
) -> tuple[Array, int]:
    """H^-1 target by s <- s + (target - H_batch s) / scale over random batches, averaged over the last half.

    The expected s after t steps is the Neumann series sum_j (I - H / scale)^j target / scale, which converges
    where scale > the greatest eigenvalue; here scale is 1.2 times the one found. The average takes most of
    the batches' noise out. O(steps batch k d): not dependent on n.
    """
    n = len(curvature.x)
    scale = 1.2 * curvature.most_curved(rng)
    found = np.zeros_like(target) if start is None else start.copy()
    total, kept = np.zeros_like(target), 0
    for step in range(steps):
        rows = rng.integers(n, size=min(batch, n)) if batch < n else None
        found = found + (target - curvature.times(found, rows)) / scale
        if step >= steps // 2:
            total, kept = total + found, kept + 1
    return total / kept, steps


@dataclass(frozen=True)
class Spectrum:
    """The largest eigenvalues (r,) and eigenvectors (r, k, d + 1) of H.

    H^-1 is replaced by its part on them: rank r, where the data bends the objective. The rest of the space is
    given the inverse of the ridge, or of the least eigenvalue kept where that is larger: what lies between the
    two was not kept, and the ridge's own inverse would make far too much of it.
    """

    STEPS = 60

    values: Array
    vectors: Array
    ridge: float

    @classmethod
    def of(
        cls, curvature: Curvature, *, rng: np.random.Generator, steps: int = 60, keep: int = 40
    ) -> Spectrum:
        """Arnoldi iteration with full orthogonalisation from a random start. O(steps n k d + steps^2 D)."""
        shape = curvature.shape
        size = int(np.prod(shape))
        steps = min(steps, size)
        basis = np.zeros((steps, size))
        first = rng.normal(size=shape)
        first[:, -1] -= first[:, -1].mean()  # stay out of the direction in which H is flat
        basis[0] = first.ravel() / np.linalg.norm(first)
        done = steps
        moved = np.zeros((steps, size))
        for at in range(steps):
            moved[at] = curvature.times(basis[at].reshape(shape)).ravel()
            if at + 1 == steps:
                break
            rest = moved[at] - basis[: at + 1].T @ (basis[: at + 1] @ moved[at])
            rest -= basis[: at + 1].T @ (basis[: at + 1] @ rest)  # once more: rounding
            length = np.linalg.norm(rest)
            if length < 1e-10 * np.linalg.norm(moved[at]):
                done = at + 1
                break
            basis[at + 1] = rest / length
        small = basis[:done] @ moved[:done].T
        values, turned = np.linalg.eigh((small + small.T) / 2)
        best = np.argsort(-values)[:keep]
        best = best[values[best] > 0]
        return cls(values[best], (turned[:, best].T @ basis[:done]).reshape(-1, *shape), curvature.ridge)

    def solve(self, target: Array) -> Array:
        """H^-1 target, within what the kept vectors span and the ridge outside. O(r D)."""
        shares = np.einsum("rkd,kd->r", self.vectors, target)
        within = np.einsum("r,rkd->kd", shares, self.vectors)
        rest = (target - within) / max(self.ridge, float(self.values.min()))
        return np.einsum("r,rkd->kd", shares / self.values, self.vectors) + rest
