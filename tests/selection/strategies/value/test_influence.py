import numpy as np
import pytest
from scipy.stats import spearmanr

from selection.strategies.value import head as heads
from selection.strategies.value.head import Curvature, with_one
from selection.strategies.value.influence import conjugate_gradient, influence, solve_exactly

K = 3


@pytest.fixture(scope="module")
def made():
    """Three noisy kinds in five dimensions: 60 training items, a tenth with a wrong label, 40 validation
    items.
    """
    rng = np.random.default_rng(7)
    centres = rng.normal(size=(K, 5)) * 1.5

    def draw(n):
        labels = rng.integers(K, size=n)
        return with_one(centres[labels] + rng.normal(size=(n, 5))), labels

    (x, labels), (val_x, val_labels) = draw(60), draw(40)
    wrong = rng.choice(60, size=6, replace=False)
    labels[wrong] = (labels[wrong] + 1) % K
    head = heads.fit(x, labels, K, ridge=1.0)
    return head, x, labels, val_x, val_labels, wrong


@pytest.fixture(scope="module")
def left_out(made):
    """(60,) true rise of the mean validation loss when the head is fitted without the item."""
    head, x, labels, val_x, val_labels, _wrong = made
    whole = head.losses(val_x, val_labels).mean()
    rises = []
    for item in range(60):
        weights = np.ones(60)
        weights[item] = 0.0
        without = heads.fit(x, labels, K, ridge=1.0, weights=weights, start=head)
        rises.append(without.losses(val_x, val_labels).mean() - whole)
    return np.array(rises)


METHODS = [("newton", 0.995), ("exact", 0.9), ("cg", 0.9), ("lissa", 0.9), ("arnoldi", 0.9)]


@pytest.mark.parametrize(("method", "least"), METHODS)
def test_it_ranks_items_as_true_leave_one_out_does(made, left_out, method, least):
    head, x, labels, val_x, val_labels, _wrong = made
    found = influence(head, x, labels, val_x, val_labels, method=method, rng=np.random.default_rng(1))
    assert spearmanr(found.values, left_out).statistic > least


def test_it_is_of_the_size_of_true_leave_one_out(made, left_out):
    head, x, labels, val_x, val_labels, _wrong = made
    found = influence(head, x, labels, val_x, val_labels, method="exact").values
    slope = (found @ left_out) / (left_out @ left_out)
    assert 0.7 < slope < 1.0  # first order: a little too small for items of high leverage
    newton = influence(head, x, labels, val_x, val_labels, method="newton").values
    np.testing.assert_allclose(newton, left_out, atol=0.005)
    assert np.abs(left_out).max() > 0.03


def test_it_finds_the_same_by_conjugate_gradient_as_exactly(made):
    head, x, labels, val_x, val_labels, _wrong = made
    exact = influence(head, x, labels, val_x, val_labels, method="exact")
    found = influence(head, x, labels, val_x, val_labels, method="cg")
    np.testing.assert_allclose(found.values, exact.values, atol=1e-8)
    assert exact.steps == 0 and found.steps > 3


def test_it_finds_wrong_labels_harmful(made):
    head, x, labels, val_x, val_labels, wrong = made
    values = influence(head, x, labels, val_x, val_labels).values
    assert values[wrong].mean() < 0 < np.delete(values, wrong).mean()


def test_it_takes_fewer_steps_from_the_solution_before(made):
    head, x, labels, val_x, val_labels, _wrong = made
    fewer = heads.fit(x[:58], labels[:58], K, ridge=1.0)
    before = influence(fewer, x[:58], labels[:58], val_x, val_labels)
    cold = influence(head, x, labels, val_x, val_labels)
    warm = influence(head, x, labels, val_x, val_labels, start=before.solution)
    np.testing.assert_allclose(warm.values, cold.values, atol=1e-8)
    again = influence(head, x, labels, val_x, val_labels, start=cold.solution)
    assert again.steps <= 1
    assert warm.steps <= cold.steps


def test_it_solves_what_it_was_asked(made):
    head, x, _labels, _val_x, _val_labels, _wrong = made
    curvature = Curvature(head, x)
    target = np.random.default_rng(0).normal(size=head.weight.shape)
    target[:, -1] -= target[:, -1].mean()
    for solution in (solve_exactly(curvature, target), conjugate_gradient(curvature, target)[0]):
        np.testing.assert_allclose(curvature.times(solution), target, atol=1e-6)


def test_it_refuses_an_exact_solution_that_is_too_large():
    x = with_one(np.random.default_rng(0).normal(size=(10, 999)))
    head = heads.Head(np.zeros((5, 1000)), 1.0)
    with pytest.raises(ValueError, match="5000 parameters, an exact solution takes at most 4000: use cg"):
        solve_exactly(Curvature(head, x), np.zeros((5, 1000)))


@pytest.mark.parametrize("method", ["lissa", "arnoldi"])
def test_it_asks_for_an_rng_where_it_draws(made, method):
    head, x, labels, val_x, val_labels, _wrong = made
    with pytest.raises(ValueError, match=f"the method {method} draws at random: give it an rng"):
        influence(head, x, labels, val_x, val_labels, method=method)
