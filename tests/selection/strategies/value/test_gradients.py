"""TracIn and gradient similarity against gradients that are laid out."""

import numpy as np
import pytest

from selection.strategies.value.gradient_similarity import gradient_similarity, pair_similarity
from selection.strategies.value.head import Head, with_one
from selection.strategies.value.tracin import Checkpoint, tracin, tracin_pairs

N, M, D, K = 9, 5, 4, 3


def _checkpoint(seed):
    rng = np.random.default_rng(seed)
    head = Head(rng.normal(size=(K, D + 1)), 1.0)
    x, val_x = with_one(rng.normal(size=(N, D))), with_one(rng.normal(size=(M, D)))
    residuals = head.residuals(x, rng.integers(K, size=N))
    return Checkpoint(
        x=x,
        residuals=residuals,
        val_x=val_x,
        val_residuals=head.residuals(val_x, rng.integers(K, size=M)),
        rate=0.1 * (seed + 1),
    )


def _laid_out(residuals, x):
    return np.array([np.outer(r, row).ravel() for r, row in zip(residuals, x, strict=True)])


def test_it_sums_products_of_gradients_over_checkpoints():
    points = [_checkpoint(0), _checkpoint(1)]
    expected = sum(
        p.rate * _laid_out(p.residuals, p.x) @ _laid_out(p.val_residuals, p.val_x).T for p in points
    )
    np.testing.assert_allclose(tracin_pairs(points), expected)
    np.testing.assert_allclose(tracin(points), expected.mean(axis=1))


def test_it_adds_a_new_checkpoint_to_what_is_there():
    points = [_checkpoint(0), _checkpoint(1), _checkpoint(2)]
    np.testing.assert_allclose(tracin(points[2:], before=tracin(points[:2])), tracin(points))


def test_it_foretells_a_small_step():
    """The fall of the validation loss after a small step on one item is rate times the product of
    gradients.
    """
    rng = np.random.default_rng(3)
    head = Head(rng.normal(size=(K, D + 1)), 1.0)
    x, labels = with_one(rng.normal(size=(N, D))), rng.integers(K, size=N)
    val_x, val_labels = with_one(rng.normal(size=(M, D))), rng.integers(K, size=M)
    rate = 1e-5
    values = tracin(
        [
            Checkpoint(
                x=x,
                residuals=head.residuals(x, labels),
                val_x=val_x,
                val_residuals=head.residuals(val_x, val_labels),
                rate=rate,
            )
        ]
    )
    before = head.losses(val_x, val_labels).mean()
    for item in range(N):
        step = rate * np.outer(head.residuals(x, labels)[item], x[item])
        after = Head(head.weight - step, 1.0).losses(val_x, val_labels).mean()
        assert before - after == pytest.approx(values[item], rel=1e-3, abs=1e-10)


@pytest.mark.parametrize("function", [tracin, tracin_pairs])
def test_it_asks_for_a_checkpoint(function):
    with pytest.raises(ValueError, match="found no checkpoint"):
        function([])


def test_it_is_the_cosine_of_gradients_that_are_laid_out():
    point = _checkpoint(4)
    given = (point.x, point.residuals, point.val_x, point.val_residuals)
    own, theirs = _laid_out(point.residuals, point.x), _laid_out(point.val_residuals, point.val_x)
    mean = theirs.mean(axis=0)
    expected = own @ mean / np.linalg.norm(own, axis=1) / np.linalg.norm(mean)
    np.testing.assert_allclose(gradient_similarity(*given), expected)
    pairs = own @ theirs.T / np.linalg.norm(own, axis=1)[:, None] / np.linalg.norm(theirs, axis=1)
    np.testing.assert_allclose(pair_similarity(*given), pairs)


def test_it_is_one_for_an_item_among_itself_and_zero_without_a_gradient():
    x, residuals = np.array([[1.0, 2.0], [3.0, 1.0]]), np.array([[0.5, -0.5], [0.0, 0.0]])
    assert gradient_similarity(x, residuals, x[:1], residuals[:1]) == pytest.approx([1.0, 0.0])
    assert gradient_similarity(x, residuals, x[:1], -residuals[:1])[0] == pytest.approx(-1.0)
    assert pair_similarity(x, residuals, x, residuals)[1].tolist() == [0.0, 0.0]
