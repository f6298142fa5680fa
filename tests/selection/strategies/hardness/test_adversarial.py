import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax

from selection.strategies.hardness.adversarial import (
    Linear,
    fgsm,
    linear_flip,
    loss_gradient,
    nearest_real,
    pgd,
    smallest_flip,
)

few = settings(max_examples=20, deadline=None)
each_norm = pytest.mark.parametrize("norm", ["l2", "linf"])


def _linear(seed, n=12, d=5, k=3):
    rng = np.random.default_rng(seed)
    return Linear(rng.normal(size=(k, d)), rng.normal(size=k) / 2), rng.normal(size=(n, d))


class Curved:
    """A head that is not linear: logits of a quadratic, its gradient by hand."""

    def __init__(self, seed=0, d=4, k=3):
        self.forms = np.random.default_rng(seed).normal(size=(k, d, d))

    def logits(self, x):
        return np.einsum("nd,kde,ne->nk", x, self.forms, x)

    def pull(self, x, cotangent):
        both = self.forms + np.swapaxes(self.forms, 1, 2)
        return np.einsum("nk,kde,ne->nd", cotangent, both, x)


def _loss(head, x, labels):
    return -log_softmax(head.logits(x), axis=1)[np.arange(len(x)), labels]


def _size(push, norm):
    return np.linalg.norm(push, axis=1) if norm == "l2" else np.abs(push).max(axis=1)


@pytest.mark.parametrize("head", [_linear(0, d=4)[0], Curved()])
def test_its_gradient_is_that_of_finite_differences(head):
    x, labels, step = np.random.default_rng(1).normal(size=(5, 4)), np.array([0, 1, 2, 0, 1]), 1e-6
    gradient = loss_gradient(head, x, labels)
    for axis in range(4):
        push = step * np.eye(4)[axis]
        slope = (_loss(head, x + push, labels) - _loss(head, x - push, labels)) / (2 * step)
        np.testing.assert_allclose(gradient[:, axis], slope, atol=1e-5)


@each_norm
def test_attacks_stay_in_their_ball_and_raise_the_loss(norm):
    head, x = Curved(), np.random.default_rng(2).normal(size=(30, 4))
    labels = head.logits(x).argmax(axis=1)
    one, many = fgsm(head, x, labels, 0.05, norm=norm), pgd(head, x, labels, 0.05, norm=norm)
    for moved in (one, many):
        assert _size(moved - x, norm).max() <= 0.05 + 1e-9
        assert (_loss(head, moved, labels) > _loss(head, x, labels)).all()
    assert (_loss(head, many, labels) >= _loss(head, one, labels) - 1e-3).all()


def test_fgsm_is_the_sign_of_the_gradient_of_two_labels():
    head = Linear(np.array([[1.0, -2.0], [0.0, 0.0]]), np.zeros(2))
    assert fgsm(head, np.array([[1.0, 0.0]]), np.array([0]), 0.1).tolist() == [[0.9, 0.1]]


def test_the_smallest_push_of_two_labels_is_the_distance_to_the_line():
    """3 x + 4 y = 0 from (1, 1): 7 / 5 in l2, 7 / 7 in linf."""
    head, x = Linear(np.array([[3.0, 4.0], [0.0, 0.0]]), np.zeros(2)), np.array([[1.0, 1.0]])
    assert linear_flip(head, x).epsilon == pytest.approx([1.4])
    assert linear_flip(head, x, norm="linf").epsilon == pytest.approx([1.0])


@each_norm
@few
@given(seed=st.integers(0, 999), k=st.integers(2, 6))
def test_the_smallest_push_flips_and_a_little_less_does_not(norm, seed, k):
    head, x = _linear(seed, k=k)
    top = head.logits(x).argmax(axis=1)
    flip = linear_flip(head, x, norm=norm)
    assert (head.logits(flip.moved).argmax(axis=1) == flip.target).all()
    assert (flip.target != top).all()
    np.testing.assert_allclose(_size(flip.moved - x, norm), flip.epsilon, rtol=1e-4)
    assert (head.logits(x + 0.999 * (flip.moved - x)).argmax(axis=1) == top).all()
    rng = np.random.default_rng(seed)
    for _ in range(50):  # no push in any direction flips within the radius
        push = rng.normal(size=x.shape)
        push *= (0.999 * flip.epsilon / _size(push, norm))[:, None]
        assert (head.logits(x + push).argmax(axis=1) == top).all()


@each_norm
@few
@given(seed=st.integers(0, 999), k=st.integers(2, 5))
def test_the_search_finds_what_the_closed_form_gives(norm, seed, k):
    head, x = _linear(seed, k=k)
    exact = linear_flip(head, x, norm=norm)
    found = smallest_flip(head, x, norm=norm, largest=10.0)
    np.testing.assert_allclose(found.epsilon, exact.epsilon, atol=2e-4, rtol=1e-3)
    top = head.logits(x).argmax(axis=1)
    assert (head.logits(found.moved).argmax(axis=1) != top).all()


def test_the_search_flips_a_head_that_is_not_linear():
    head, x = Curved(), np.random.default_rng(5).normal(size=(20, 4))
    top = head.logits(x).argmax(axis=1)
    found = smallest_flip(head, x, largest=4.0)
    reached = np.isfinite(found.epsilon)
    assert reached.mean() > 0.9
    assert (head.logits(found.moved[reached]).argmax(axis=1) == found.target[reached]).all()
    assert (found.target[reached] != top[reached]).all()
    assert (np.linalg.norm(found.moved - x, axis=1)[reached] <= found.epsilon[reached] + 1e-9).all()


def test_a_head_that_tells_nothing_apart_never_flips():
    head, x = Linear(np.zeros((3, 2)), np.array([1.0, 0.0, 0.0])), np.ones((4, 2))
    assert np.isinf(linear_flip(head, x).epsilon).all()
    assert np.isinf(smallest_flip(head, x).epsilon).all()
    assert linear_flip(head, x).moved.tolist() == x.tolist()


def test_it_suggests_the_real_items_next_to_the_pushed_one_and_never_the_item_itself():
    angles = np.linspace(0, np.pi / 2, 7)
    pool = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    moved = 3 * np.stack([np.cos(angles[[2]] + 0.1), np.sin(angles[[2]] + 0.1)], axis=1)
    assert nearest_real(moved, pool, 2).tolist() == [[2, 3]]
    assert nearest_real(moved, pool, 2, excluded=np.array([2])).tolist() == [[3, 1]]
    assert nearest_real(moved, pool, 2, excluded=np.array([-1])).tolist() == [[2, 3]]
