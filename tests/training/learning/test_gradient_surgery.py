from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from training.learning import gradient_surgery as surgery

GRADIENTS = st.tuples(st.integers(1, 4), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(-8, 8).map(float))
)


def by_hand(gradients: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The algorithm as the paper writes it, on the vectors themselves."""
    projected = gradients.copy()
    for task in range(len(gradients)):
        for other in rng.permutation(len(gradients)):
            product = projected[task] @ gradients[other]
            if other != task and product < 0:
                projected[task] -= product / (gradients[other] @ gradients[other]) * gradients[other]
    return projected.sum(axis=0)


@settings(max_examples=150, deadline=None)
@given(GRADIENTS, st.integers(0, 3))
def test_it_does_what_the_paper_says(gradients: np.ndarray, seed: int) -> None:
    products = gradients @ gradients.T
    found = surgery.coefficients(products, np.random.default_rng(seed)) @ gradients
    # A product that is zero but for rounding may go either way: such cases are no test.
    if (np.abs(found @ gradients.T)[~np.eye(len(gradients), dtype=bool)] < 1e-6).any() and len(gradients) > 2:
        return
    expected = by_hand(gradients, np.random.default_rng(seed))
    np.testing.assert_allclose(surgery.combined(gradients, np.random.default_rng(seed)), expected, atol=1e-8)


@settings(max_examples=100, deadline=None)
@given(GRADIENTS.filter(lambda found: len(found) == 2), st.integers(0, 3))
def test_it_leaves_two_tasks_that_no_longer_conflict(gradients: np.ndarray, seed: int) -> None:
    weights = surgery.coefficients(gradients @ gradients.T, np.random.default_rng(seed))
    projected = weights @ gradients
    assert (np.diag(projected @ gradients[::-1].T) >= -1e-8).all()  # each with the other's own
    if gradients[0] @ gradients[1] >= 0:
        np.testing.assert_array_equal(projected, gradients)


def test_it_works_out_two_conflicting_gradients() -> None:
    gradients = np.array([[1.0, 0.0], [-1.0, 1.0]])
    # (1, 0) loses its part along (-1, 1) and becomes (0.5, 0.5); (-1, 1) becomes (0, 1).
    np.testing.assert_allclose(surgery.combined(gradients, np.random.default_rng(0)), [0.5, 1.5])


def test_it_cancels_gradients_that_are_opposite_and_passes_over_a_task_without_one() -> None:
    opposite = np.array([[1.0, 2.0], [-1.0, -2.0], [0.0, 0.0]])
    np.testing.assert_allclose(surgery.combined(opposite, np.random.default_rng(0)), [0.0, 0.0], atol=1e-12)


def test_it_puts_the_gradient_into_the_parameters_and_counts_conflicts() -> None:
    shared = torch.tensor([1.0, 1.0], requires_grad=True)
    own = torch.tensor([2.0], requires_grad=True)
    conflicts = surgery.Conflicts(["one", "other"])
    for _ in range(2):
        losses = [shared[0] * 1.0, shared[1] - shared[0] + 0 * own.sum()]
        surgery.backward(losses, [shared, own], np.random.default_rng(0), conflicts)
    assert shared.grad is not None and shared.grad.tolist() == [0.5, 1.5]
    assert own.grad is not None and own.grad.tolist() == [0.0]
    rates = conflicts.rates()
    assert rates[0, 1] == rates[1, 0] == 1.0 and np.isnan(np.diag(rates)).all()


def test_it_is_the_plain_gradient_where_nothing_conflicts() -> None:
    weights = torch.tensor([1.0, 3.0], requires_grad=True)
    surgery.backward([weights[0] ** 2, weights[1] ** 2], [weights], np.random.default_rng(0))
    assert weights.grad is not None and weights.grad.tolist() == [2.0, 6.0]


def test_it_refuses_products_that_are_none() -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 3\), expected finite numbers \(m, m\)"):
        surgery.coefficients(np.zeros((2, 3)), np.random.default_rng(0))
