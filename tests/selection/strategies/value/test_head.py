import numpy as np
import pytest

from selection.strategies.value import head as heads
from selection.strategies.value.head import Curvature, Head, with_one
from training.learning import probe


def _made(seed=0, n=40, d=4, k=3):
    rng = np.random.default_rng(seed)
    x, labels = with_one(rng.normal(size=(n, d))), rng.integers(k, size=n)
    return x, labels, heads.fit(x, labels, k, ridge=0.5)


def _objective(flat, x, labels, ridge):
    head = Head(flat.reshape(3, -1), ridge)
    return head.losses(x, labels).sum() + ridge / 2 * (head.weight[:, :-1] ** 2).sum()


def test_it_finds_the_head_that_scikit_learn_finds():
    x, labels, found = _made(n=120)
    theirs = probe.fit(x[:, :-1], labels, 3, c=2.0, seed=0)
    np.testing.assert_allclose(found.weight[:, :-1], theirs.coef, atol=2e-3)


def test_it_ends_where_the_objective_is_flat():
    x, labels, found = _made()
    slope = found.residuals(x, labels).T @ x
    slope[:, :-1] += 0.5 * found.weight[:, :-1]
    assert np.abs(slope).max() < 1e-4


def test_it_has_the_curvature_of_finite_differences():
    x, labels, found = _made()
    flat, step = found.weight.ravel(), 1e-4
    matrix = Curvature(found, x).matrix()
    level = np.zeros((3, 5))
    level[:, -1] = 1 / np.sqrt(3)
    matrix -= np.outer(level.ravel(), level.ravel())  # the flat direction, which `matrix` fills
    for at in (0, 4, 7, 14):
        for other in (0, 9, 14):
            first, second = np.eye(15)[at] * step, np.eye(15)[other] * step
            value = sum(
                sign * _objective(flat + a * first + b * second, x, labels, 0.5)
                for a, b, sign in ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))
            ) / (4 * step**2)
            assert matrix[at, other] == pytest.approx(value, abs=1e-3)


def test_its_products_are_those_of_its_matrix():
    x, _labels, found = _made(seed=2)
    curvature = Curvature(found, x)
    direction = np.random.default_rng(1).normal(size=(3, 5))
    direction[:, -1] -= direction[:, -1].mean()
    np.testing.assert_allclose(
        curvature.times(direction).ravel(), curvature.matrix() @ direction.ravel(), atol=1e-10
    )
    everyone = np.arange(len(x))
    np.testing.assert_allclose(curvature.times(direction, everyone), curvature.times(direction))


def test_it_finds_the_greatest_eigenvalue():
    x, _labels, found = _made(seed=3)
    curvature = Curvature(found, x)
    greatest = np.linalg.eigvalsh(curvature.matrix())[-1]
    assert curvature.most_curved(np.random.default_rng(0)) == pytest.approx(greatest, rel=0.05)


def test_it_counts_an_item_of_weight_two_as_two():
    x, labels, _found = _made()
    doubled = heads.fit(np.concatenate([x, x[:1]]), np.concatenate([labels, labels[:1]]), 3, ridge=0.5)
    weights = np.ones(len(x))
    weights[0] = 2.0
    weighted = heads.fit(x, labels, 3, ridge=0.5, weights=weights, start=doubled)
    np.testing.assert_allclose(weighted.weight[:, :-1], doubled.weight[:, :-1], atol=1e-5)


@pytest.mark.parametrize(
    ("x", "labels", "words"),
    [
        (np.ones((2, 3)), np.array([0]), "found 2 embeddings and 1 labels"),
        (np.empty((0, 3)), np.array([], dtype=int), "at least one"),
        (np.ones((2, 3)), np.array([0, 3]), "found labels from 0 to 3, expected 0 to 2"),
        (np.full((2, 3), np.nan), np.array([0, 1]), "not numbers"),
    ],
)
def test_it_refuses_what_it_cannot_fit(x, labels, words):
    with pytest.raises(ValueError, match=words):
        heads.fit(x, labels, 3, ridge=1.0)


def test_it_refuses_a_head_without_a_bound():
    x, labels, _found = _made()
    with pytest.raises(ValueError, match="found a ridge of 0, expected more than 0"):
        heads.fit(x, labels, 3, ridge=0)
