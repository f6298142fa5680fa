"""Gradients of several tasks that share weights, made to conflict less (PCGrad).

Yu et al. 2020, "Gradient Surgery for Multi-Task Learning": where the gradients of two tasks point against each
other (a negative product), each loses its part along the other, task after task in a random order; the sum is
the step.

All projections are combinations of the given gradients, so they are worked out on the matrix of their products:
the long vectors are read twice, whatever the number of projections.

Shapes: m tasks, d weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Floats = npt.NDArray[np.float64]
Gradients = list[Tensor | None]  # of one task, one a parameter


@dataclass
class Conflicts:
    """How often pairs of tasks conflicted: `met[i, j]` steps of those `steps` in which both had a gradient."""

    tasks: list[str]
    steps: Floats = field(init=False)
    met: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.steps = np.zeros((len(self.tasks), len(self.tasks)))
        self.met = np.zeros_like(self.steps)

    def record(self, products: Floats) -> None:
        """The products (m, m) of one step's gradients, before any projection."""
        has = np.diag(products) > 0
        self.steps += np.outer(has, has)
        self.met += products < 0

    def rates(self) -> Floats:
        """(m, m) shares in [0, 1]; NaN where two tasks never met, and on the diagonal."""
        found = np.full_like(self.met, np.nan)
        np.divide(self.met, self.steps, out=found, where=self.steps > 0)
        np.fill_diagonal(found, np.nan)
        return found


def coefficients(products: npt.NDArray[np.floating], rng: np.random.Generator) -> Floats:
    """(m, m) C such that row i of C G are task i's gradient G_i after its projections.

    Args:
        products: (m, m) G G', the inner products of the gradients.
        rng: the order in which a task meets the others.

    A task without a gradient (product 0 with itself) changes no other. Cost O(m^3).

    >>> coefficients(np.array([[1.0, 0.0], [0.0, 4.0]]), np.random.default_rng(0)).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    >>> coefficients(np.array([[2.0, -1.0], [-1.0, 1.0]]), np.random.default_rng(0)).tolist()
    [[1.0, 1.0], [0.5, 1.0]]
    """
    given = np.asarray(products, dtype=np.float64)
    if given.ndim != 2 or given.shape[0] != given.shape[1] or not np.isfinite(given).all():
        raise ValueError(f"found products of shape {given.shape}, expected finite numbers (m, m)")
    found = np.eye(len(given))
    for task in range(len(given)):
        for other in rng.permutation(len(given)):
            along = float(found[task] @ given[:, other])
            if other != task and along < 0 and given[other, other] > 0:
                found[task, other] -= along / given[other, other]
    return found


def combined(gradients: npt.NDArray[np.floating], rng: np.random.Generator) -> npt.NDArray[np.floating]:
    """(d,) sum of the projected gradients (m, d). Without conflicts it is the plain sum. Cost O(m^2 d)."""
    products = gradients.astype(np.float64) @ gradients.astype(np.float64).T
    weights = coefficients(products, rng).sum(axis=0)
    return np.asarray(weights.astype(gradients.dtype) @ gradients)


def backward(
    losses: Sequence[Tensor],
    parameters: Sequence[Tensor],
    rng: np.random.Generator,
    conflicts: Conflicts | None = None,
) -> None:
    """Put PCGrad's gradient of several losses into the parameters' `grad`, in place of `sum(losses).backward()`.

    Args:
        losses: one a task; of one graph, where they share it. A task that does not reach a parameter has no say
            in it.
        parameters: the shared ones and the tasks' own.
        conflicts: counts what was met.

    Cost m backward passes and m copies of the gradients.
    """
    found: list[Gradients] = [
        list(
            torch.autograd.grad(
                loss, list(parameters), retain_graph=number + 1 < len(losses), allow_unused=True
            )
        )
        for number, loss in enumerate(losses)
    ]
    put(found, parameters, rng, conflicts)


def put(
    found: Sequence[Gradients],
    parameters: Sequence[Tensor],
    rng: np.random.Generator,
    conflicts: Conflicts | None = None,
) -> None:
    """Put the sum of projected gradients into the parameters' `grad`.

    Args:
        found: one list a task, a gradient a parameter; None where the task does not reach it.
    """
    products = np.zeros((len(found), len(found)))
    for i, one in enumerate(found):
        for j, other in enumerate(found[: i + 1]):
            pairs = ((a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None)
            products[i, j] = products[j, i] = sum(float((a.double() * b.double()).sum()) for a, b in pairs)
    if conflicts is not None:
        conflicts.record(products)
    weights = coefficients(products, rng).sum(axis=0)
    for at, parameter in enumerate(parameters):
        given = [(float(w), one[at]) for w, one in zip(weights, found, strict=True)]
        parts = [w * gradient for w, gradient in given if gradient is not None]
        parameter.grad = torch.stack(parts).sum(dim=0) if parts else None
