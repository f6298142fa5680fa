import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.strategies.badge import pick_badge
from selection.strategies.pool import Pool
from selection.strategies.uncertainty import NoSettings


def _pool(seed, n, k=3, d=4):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, d))
    return Pool(
        rows=np.arange(n),
        probs=rng.dirichlet(np.ones(k), n),
        embeddings=vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
    )


def _by_explicit_gradients(pool, count, rng):
    """k-means++ over the (n, k d) gradients themselves, with the same draws."""
    errors = pool.probs - np.eye(pool.probs.shape[1])[pool.probs.argmax(axis=1)]
    gradients = (errors[:, :, None] * pool.embeddings[:, None, :]).reshape(len(errors), -1)
    chosen = [int(np.argmax((gradients**2).sum(axis=1)))]
    chances = [1.0]
    for _ in range(count - 1):
        distance = ((gradients[:, None] - gradients[chosen]) ** 2).sum(axis=2).min(axis=1)
        distance[chosen] = 0
        total = np.cumsum(distance)
        chosen.append(int(np.searchsorted(total, rng.random() * total[-1], side="right")))
        chances.append(distance[chosen[-1]] / total[-1])
    return chosen, chances


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(2, 30))
def test_it_is_k_means_plus_plus_over_the_gradients(seed, n):
    pool = _pool(seed, n)
    picks = pick_badge(pool, n // 2 + 1, settings=NoSettings(), rng=np.random.default_rng(seed))
    chosen, chances = _by_explicit_gradients(pool, n // 2 + 1, np.random.default_rng(seed))
    assert picks.indices.tolist() == chosen
    assert picks.parts["chance"] == pytest.approx(chances)


def test_it_draws_evenly_once_all_that_is_left_coincides():
    pool = Pool(rows=np.arange(6), probs=np.full((6, 2), 0.5), embeddings=np.tile([[1.0, 0.0]], (6, 1)))
    picks = pick_badge(pool, 6, settings=NoSettings(), rng=np.random.default_rng(0))
    assert sorted(picks.indices.tolist()) == list(range(6))
    assert picks.parts["chance"] == pytest.approx([1, 1 / 5, 1 / 4, 1 / 3, 1 / 2, 1])
