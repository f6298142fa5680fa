from dataclasses import replace

import numpy as np
import pytest

from selection.strategies import errors
from selection.strategies.blend import BlendSettings, pick_blend
from selection.strategies.blend_factors import FactorSettings, density, factors, rarity
from selection.strategies.pool import Pool
from selection.strategies.registry import STRATEGIES

RNG = np.random.default_rng


def _unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def _pool(n=60, k=3, **more):
    rng = RNG(0)
    return Pool(
        rows=np.arange(n),
        probs=rng.dirichlet(np.ones(k), n),
        embeddings=_unit(rng.normal(size=(n, 5))),
        hardness=rng.random(n),
        **more,
    )


def _pick(pool, count, **chosen):
    return pick_blend(pool, count, settings=BlendSettings(**chosen), rng=RNG(0))


def test_it_multiplies_with_nothing_unless_asked():
    assert factors(_pool(), np.arange(60), FactorSettings()) is None
    assert "factor" not in _pick(_pool(), 5).parts


def test_it_does_not_pick_an_item_for_being_odd_once_density_counts():
    """Fifty items around one direction and one far off: pure diversity takes the odd one first."""
    rng = RNG(1)
    vectors = np.tile(np.eye(4)[0], (51, 1)) + rng.normal(scale=0.2, size=(51, 4))
    vectors[50] = [-1, 0, 0, 0]
    pool = Pool(
        rows=np.arange(51),
        probs=np.full((51, 2), 0.5),
        embeddings=_unit(vectors),
        hardness=np.ones(51),
        labelled_embeddings=_unit(vectors[:1]),
    )
    assert _pick(pool, 1, scaling="rank").indices.tolist() == [50]
    assert 50 not in _pick(pool, 10, scaling="rank", density_share=1.0).indices.tolist()


def test_its_density_is_the_mean_of_the_nearest_others():
    embeddings = _unit(RNG(2).normal(size=(40, 5)))
    close = embeddings.astype(np.float64) @ embeddings.T
    np.fill_diagonal(close, -np.inf)
    expected = np.sort(close, axis=1)[:, -10:].mean(axis=1)
    assert density(embeddings, np.arange(40)) == pytest.approx(expected, abs=1e-6)
    assert density(embeddings, np.arange(1)).tolist() == [1.0]


def test_it_lets_rare_classes_count_more():
    probs = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    assert rarity(probs, 1.0, np.array([9, 4, 0])) == pytest.approx([0.1, 0.2, 0.15, 1.0])
    assert rarity(probs, 0.0, np.array([9, 4, 0])).tolist() == [1.0] * 4
    # without counts: the shares in the pool, 1.5, 1.5 and 1 of 4
    assert rarity(probs, 1.0) == pytest.approx([2 / 3, 2 / 3, 2 / 3, 1.0])
    with pytest.raises(errors.PoolError, match="counts of 2 classes and probabilities of 3"):
        rarity(probs, 1.0, np.array([1, 2]))


@pytest.mark.parametrize("fault", [np.nan, np.inf, -1.0])
def test_it_refuses_counts_of_classes_that_are_none(fault):
    pool = _pool(class_counts=np.array([9, fault, 2]))
    with pytest.raises(
        errors.PoolError, match="some counts of labelled items by class are not numbers of at"
    ):
        _pick(pool, 5, balance=1.0)
    assert len(_pick(pool, 5).indices) == 5  # nothing asks for them


@pytest.mark.parametrize("fault", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("balance", [0.0, 1.0])
@pytest.mark.parametrize("pick", ["blend", "blend_published"])
def test_it_refuses_a_nearness_to_what_is_labelled_that_is_no_number(fault, balance, pick):
    pool = _pool(labelled_embeddings=_unit(RNG(3).normal(size=(4, 5))), class_counts=np.array([9, 1, 2]))
    near = (pool.embeddings @ pool.labelled_embeddings.T).max(axis=1)
    near[7] = fault
    strategy = STRATEGIES[pick]
    chosen = strategy.settings(balance=balance) if pick == "blend" else strategy.settings()
    with pytest.raises(errors.PoolError, match="similarities to labelled items .* are not finite numbers"):
        strategy.function(replace(pool, labelled_near=near), 5, settings=chosen, rng=RNG(0))


def test_it_prefers_what_is_worth_more_a_second():
    n = 30
    pool = replace(_pool(n), seconds=np.where(np.arange(n) < 3, 1.0, 100.0))
    assert sorted(_pick(pool, 3, value_per_second=True, beta=0.0).indices.tolist()) == [0, 1, 2]


def test_it_says_what_is_missing_for_the_cost():
    with pytest.raises(errors.MissingColumn, match="value_per_second needs seconds, and the pool has none"):
        _pick(_pool(), 3, value_per_second=True)
    with pytest.raises(errors.PoolError, match="some expected seconds are not above 0"):
        _pick(replace(_pool(), seconds=np.zeros(60)), 3, value_per_second=True)
    with pytest.raises(errors.MissingColumn, match="source_share needs sources, and the pool has none"):
        _pick(_pool(), 3, source_share=0.5)


def test_it_keeps_the_quota_of_a_class_and_of_a_source():
    pool = replace(_pool(), sources=np.repeat([4, 9], [50, 10]))
    picks = _pick(pool, 12, class_share=0.5, source_share=0.5)
    assert np.bincount(pool.probs[picks.indices].argmax(axis=1)).max() <= 6
    assert np.unique(pool.sources[picks.indices], return_counts=True)[1].max() <= 6
    assert picks.note == ""


def test_it_fills_the_batch_beyond_a_quota_and_says_so():
    pool = replace(_pool(), sources=np.repeat([4, 9], [58, 2]))
    picks = _pick(pool, 12, source_share=0.5)
    assert len(set(picks.indices.tolist())) == 12
    assert picks.note == "quotas left nothing to pick: the last 4 go beyond them"


@pytest.mark.parametrize("wrong", [{"density_share": 1.5}, {"class_share": -0.1}, {"source_share": 2}])
def test_it_refuses_shares_that_are_none(wrong):
    with pytest.raises(ValueError, match="expected a number from 0 to 1"):
        BlendSettings(**wrong)


def test_it_refuses_a_balance_below_zero():
    with pytest.raises(ValueError, match="balance: found -1, expected a number of at least 0"):
        BlendSettings(balance=-1)
