from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.strategies import errors
from selection.strategies.batch import control_count, pick_batch
from selection.strategies.pool import Pool, distinct
from selection.strategies.uncertainty import ClippedSettings, margin


def _pool(n=200, seed=0, duplicates=0):
    rng = np.random.default_rng(seed)
    embeddings = rng.normal(size=(n, 5))
    embeddings = (embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)).astype(np.float32)
    clusters = np.arange(n)
    clusters[:duplicates] = clusters[n - duplicates :]
    return Pool(
        rows=np.arange(n), probs=rng.dirichlet(np.ones(3), n), embeddings=embeddings, clusters=clusters
    )


def _batch(pool, count, seed=0, **options):
    return pick_batch(pool, count, rng=np.random.default_rng(seed), **options)


@settings(max_examples=30, deadline=None)
@given(
    count=st.integers(1, 60), share=st.floats(0, 1), seed=st.integers(0, 100), duplicates=st.integers(0, 40)
)
def test_it_has_a_control_arm_of_the_share_asked_and_no_item_twice(count, share, seed, duplicates):
    pool = _pool(duplicates=duplicates)
    batch = _batch(pool, count, seed, strategy="margin", control_share=share)
    assert len(set(pool.clusters[batch.indices].tolist())) == count
    assert (batch.arm == "control").sum() == control_count(count, share)
    control = batch.arm == "control"
    chance = control.sum() / len(distinct(pool))
    assert batch.inclusion_probability[control] == pytest.approx(chance)
    assert np.isnan(batch.inclusion_probability[~control]).all()
    assert np.isnan(batch.parts["score"][control]).all() if "score" in batch.parts else control.all()


def test_it_lets_the_strategy_pick_from_what_the_control_arm_leaves():
    pool = _pool()
    batch = _batch(pool, 40, strategy="margin", control_share=0.5)
    control, picked = batch.indices[batch.arm == "control"], batch.indices[batch.arm == "strategy"]
    left = np.setdiff1d(np.arange(200), control)
    order = left[np.argsort(-margin(pool.probs[left]), kind="stable")]
    assert picked.tolist() == order[:20].tolist()


def test_it_draws_the_control_arm_uniformly_from_the_whole_pool():
    pool = _pool(20)
    counts = np.zeros(20)
    for seed in range(2000):
        batch = _batch(pool, 5, seed, strategy="margin", control_share=0.4)
        counts[batch.indices[batch.arm == "control"]] += 1
    # Each item is drawn with probability 2 / 20: 200 times of 2000, standard deviation 13.
    assert np.abs(counts - 200).max() < 60
    assert counts.sum() == 4000


def test_it_gives_a_random_batch_one_inclusion_probability_in_each_arm():
    batch = _batch(_pool(), 20, strategy="random", control_share=0.25)
    assert batch.inclusion_probability[batch.arm == "control"] == pytest.approx(5 / 200)
    assert batch.inclusion_probability[batch.arm == "strategy"] == pytest.approx(15 / 200)


def test_it_spreads_the_control_arm_over_the_batch():
    places = [
        np.flatnonzero(_batch(_pool(), 20, seed, strategy="margin", control_share=0.1).arm == "control")
        for seed in range(300)
    ]
    assert np.mean(places) == pytest.approx(9.5, abs=0.8)


def test_it_gives_the_same_batch_for_the_same_seed_and_another_for_another():
    first, again, other = (_batch(_pool(), 20, seed, strategy="random") for seed in (3, 3, 4))
    assert first.indices.tolist() == again.indices.tolist() != other.indices.tolist()


def test_it_hands_settings_to_the_strategy():
    pool = _pool()
    batch = _batch(pool, 5, strategy="margin_clipped", settings=ClippedSettings(skip_share=0.5))
    assert margin(pool.probs)[batch.indices].max() <= np.median(margin(pool.probs))


def test_it_leaves_out_what_was_taken_before():
    pool = replace(_pool(30), taken=np.arange(10))
    batch = _batch(pool, 20, strategy="margin", control_share=0.3)
    assert set(batch.indices.tolist()) == set(range(10, 30))


def test_it_can_be_all_control():
    batch = _batch(_pool(), 7, strategy="margin", control_share=1.0)
    assert set(batch.arm.tolist()) == {"control"}
    assert batch.parts == {}


def test_it_rounds_the_control_arm_half_up():
    assert [control_count(count, 0.1) for count in (1, 4, 5, 14, 15, 25, 100)] == [0, 0, 1, 1, 2, 3, 10]


def test_it_refuses_what_it_cannot_do():
    with pytest.raises(
        errors.UnknownStrategy, match="there is no strategy 'guess': use one of random, entropy"
    ):
        _batch(_pool(), 5, strategy="guess")
    with pytest.raises(ValueError, match="control_share: found 1.1, expected a number from 0 to 1"):
        _batch(_pool(), 5, strategy="random", control_share=1.1)
    with pytest.raises(errors.PoolTooSmall, match="pool has 8 items, batch needs 9"):
        _batch(_pool(8), 9, strategy="random")
