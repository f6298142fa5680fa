import numpy as np
import pytest

from selection.strategies.coldstart import ColdStartSettings, pick_cold_start
from selection.strategies.pool import Pool


def _pool(n=60):
    vectors = np.random.default_rng(0).normal(size=(n, 5))
    return Pool(
        rows=np.arange(n),
        embeddings=(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32),
    )


@pytest.mark.parametrize(
    ("count", "share", "drawn"), [(10, 0.5, 5), (7, 0.5, 4), (8, 1.0, 8), (8, 0.0, 0), (1, 0.5, 1)]
)
def test_it_draws_half_and_spreads_half(count, share, drawn):
    picks = pick_cold_start(
        _pool(), count, settings=ColdStartSettings(random_share=share), rng=np.random.default_rng(0)
    )
    is_drawn = ~np.isnan(picks.inclusion_probability)
    assert is_drawn.sum() == drawn
    assert (np.isnan(picks.parts["diversity"]) == is_drawn).all()
    assert len(set(picks.indices.tolist())) == count
    assert picks.note == (
        f"no model is needed: {drawn} items drawn at random, {count - drawn} spread over clusters"
    )


def test_it_alternates_the_two_halves():
    picks = pick_cold_start(_pool(), 10, settings=ColdStartSettings(), rng=np.random.default_rng(0))
    is_drawn = ~np.isnan(picks.inclusion_probability)
    assert [int(is_drawn[at : at + 2].sum()) for at in range(0, 10, 2)] == [1] * 5


def test_it_reaches_a_rare_kind_that_a_draw_would_miss():
    """Two items in a thousand are of another kind: a draw of 20 has one in 4 % of cases."""
    rng = np.random.default_rng(0)
    vectors = np.zeros((1000, 8))
    vectors[:, 0] = 1
    vectors[:2] = np.eye(8)[1]
    vectors += rng.normal(scale=0.02, size=vectors.shape)
    pool = Pool(
        rows=np.arange(1000),
        embeddings=(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32),
    )
    hits = 0
    for seed in range(5):
        picks = pick_cold_start(pool, 20, settings=ColdStartSettings(), rng=np.random.default_rng(seed))
        hits += bool({0, 1} & set(picks.indices.tolist()))
    assert hits >= 3


def test_it_refuses_a_share_that_is_none():
    with pytest.raises(ValueError, match="random_share: found -1, expected a number from 0 to 1"):
        ColdStartSettings(random_share=-1)
