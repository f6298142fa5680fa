import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.strategies.k_center import most_central, pick_k_center
from selection.strategies.pool import Pool
from selection.strategies.uncertainty import NoSettings


def _unit(rng, n, d=4):
    vectors = rng.normal(size=(n, d))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _pick(pool, count):
    return pick_k_center(pool, count, settings=NoSettings(), rng=np.random.default_rng(0))


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 40), seed=st.integers(0, 10_000), labelled=st.integers(0, 4))
def test_it_is_exactly_the_farthest_first_greedy(n, seed, labelled):
    rng = np.random.default_rng(seed)
    embeddings, known = _unit(rng, n), _unit(rng, labelled)
    picks = _pick(Pool(rows=np.arange(n), embeddings=embeddings, labelled_embeddings=known), n)
    wide = embeddings.astype(np.float64)
    held, chosen = list(known.astype(np.float64)), []
    if not held:
        centre = wide.mean(axis=0)
        chosen = [int(np.argmax((wide * (centre / np.linalg.norm(centre))).sum(axis=1)))]
        held = [wide[chosen[0]]]
    while len(chosen) < n:
        near = np.max([(wide * member).sum(axis=1) for member in held], axis=0)
        near[chosen] = np.inf
        chosen.append(int(np.argmin(near)))
        held.append(wide[chosen[-1]])
    assert picks.indices.tolist() == chosen


def test_it_covers_within_twice_the_best_radius():
    rng = np.random.default_rng(0)
    centres = np.eye(5)
    points = np.repeat(centres, 10, axis=0) + rng.normal(scale=0.02, size=(50, 5))
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    picks = _pick(Pool(rows=np.arange(50), embeddings=points), 5)
    assert sorted((picks.indices // 10).tolist()) == [0, 1, 2, 3, 4]


def test_it_starts_from_the_most_central_item_where_nothing_is_labelled():
    points = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]], dtype=np.float32)
    picks = _pick(Pool(rows=np.arange(3), embeddings=points), 2)
    assert picks.indices[0] == 1
    assert np.isnan(picks.parts["diversity"][0])
    assert picks.parts["diversity"][1] == pytest.approx(0.4)  # the third: 1 - 0.6
    assert most_central(points, np.arange(3))[0] == 1
