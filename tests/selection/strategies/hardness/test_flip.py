import numpy as np
import pytest
from scipy.special import softmax

from selection.strategies.hardness.adversarial import Linear, linear_flip
from selection.strategies.hardness.flip import flip_distance, head_of, pick_smallest_flip
from selection.strategies.pool import Pool
from selection.strategies.uncertainty import NoSettings


def _made(seed=0, n=200, d=6, k=4):
    rng = np.random.default_rng(seed)
    head = Linear(3 * rng.normal(size=(k, d)), rng.normal(size=k))
    x = rng.normal(size=(n, d))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return head, x, softmax(head.logits(x) / 1.3, axis=1)


def test_it_reads_the_distances_of_a_linear_head_off_its_probabilities():
    """A temperature shrinks log-odds and weights alike, so distances do not change."""
    head, x, probs = _made()
    weight = head_of(probs, x, np.random.default_rng(0))
    np.testing.assert_allclose(flip_distance(probs, weight), linear_flip(head, x).epsilon, rtol=0.01)


def test_it_picks_what_lies_nearest_to_a_boundary():
    head, x, probs = _made(seed=1)
    pool = Pool(rows=np.arange(200), probs=probs, embeddings=x)
    picks = pick_smallest_flip(pool, 10, settings=NoSettings(), rng=np.random.default_rng(0))
    nearest = np.argsort(linear_flip(head, x).epsilon)[:10]
    assert len(set(picks.indices.tolist()) & set(nearest.tolist())) >= 9
    assert (np.diff(picks.parts["score"]) <= 0).all()


def test_a_wide_soft_band_is_not_mistaken_for_a_near_boundary():
    """Two items of equal margin: the one between labels that the head tells apart sharply flips first."""
    weight = np.array([[8.0, 0.0, 0.0], [-8.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, -1.0, 0.0]])
    full = np.concatenate([weight, np.zeros((4, 1))], axis=1)
    sharp, soft = [0.4, 0.3, 0.15, 0.15], [0.15, 0.15, 0.4, 0.3]
    first, second = flip_distance(np.array([sharp, soft]), full)
    assert first == pytest.approx(np.log(4 / 3) / 16)
    assert second == pytest.approx(np.log(8 / 3) / np.sqrt(65))  # even to the sharp labels it is further


def test_it_fits_a_large_pool_on_a_sample():
    head, x, probs = _made(n=300)
    many, their = np.tile(x, (70, 1)), np.tile(probs, (70, 1))
    weight = head_of(their, many, np.random.default_rng(0))
    np.testing.assert_allclose(flip_distance(probs, weight), linear_flip(head, x).epsilon, rtol=0.01)
