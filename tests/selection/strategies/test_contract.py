"""The contract of every strategy, run over the whole registry."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, is_dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.strategies import errors
from selection.strategies.blend import BlendSettings
from selection.strategies.pool import PARTS, Picks, Pool, distinct
from selection.strategies.registry import STRATEGIES
from training.settings_schema import describe

NAMES = list(STRATEGIES)
DETERMINISTIC = [name for name in NAMES if not STRATEGIES[name].stochastic]
NEEDING = [(name, need) for name in NAMES for need in sorted(STRATEGIES[name].needs)]

each_strategy = pytest.mark.parametrize("name", NAMES)
few = settings(max_examples=10, deadline=None)


def make_pool(n: int, *, seed: int = 0, k: int = 4, d: int = 6, labelled: int = 5, repeats: int = 0) -> Pool:
    """Random items in random row order; `repeats` of them are duplicates of others."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(10 * n)[:n].astype(np.int64)
    probs = rng.dirichlet(np.ones(k), n)
    embeddings = _unit(rng.normal(size=(n, d)))
    versions = rng.dirichlet(np.ones(k), (n, 2))
    hardness = rng.random(n)
    clusters = np.arange(n, dtype=np.int64)
    for copy in range(repeats):
        original = int(rng.integers(n - repeats))
        at = n - 1 - copy
        clusters[at] = clusters[original]
        for column in (probs, versions, embeddings, hardness):
            column[at] = column[original]
    return Pool(
        rows=rows,
        probs=probs,
        versions=versions,
        embeddings=embeddings,
        hardness=hardness,
        labelled_embeddings=_unit(rng.normal(size=(labelled, d))) if labelled else None,
        clusters=clusters,
    )


def _unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def pick(name: str, pool: Pool, count: int, seed: int = 0) -> Picks:
    strategy = STRATEGIES[name]
    return strategy.function(pool, count, settings=strategy.settings(), rng=np.random.default_rng(seed))


def shuffled(pool: Pool, seed: int) -> Pool:
    order = np.random.default_rng(seed).permutation(len(pool.rows))
    columns = ("rows", "probs", "versions", "embeddings", "hardness", "clusters")
    return replace(pool, **{name: getattr(pool, name)[order] for name in columns})


sizes = st.tuples(st.integers(2, 40), st.integers(0, 12), st.integers(0, 1000)).filter(lambda s: s[1] < s[0])


@each_strategy
@few
@given(size=sizes, share=st.floats(0.01, 1))
def test_it_picks_as_many_different_items_as_asked(name, size, share):
    n, repeats, seed = size
    pool = make_pool(n, seed=seed, repeats=repeats)
    count = max(1, int(share * len(distinct(pool))))
    picks = pick(name, pool, count, seed)
    assert picks.indices.shape == (count,)
    assert picks.indices.dtype == np.int64
    assert len(set(pool.rows[picks.indices].tolist())) == count


@each_strategy
@few
@given(size=sizes)
def test_it_never_picks_two_of_one_duplicate_cluster(name, size):
    n, repeats, seed = size
    pool = make_pool(n, seed=seed, repeats=repeats)
    everything = len(distinct(pool))
    clusters = pool.clusters[pick(name, pool, everything, seed).indices]
    assert len(np.unique(clusters)) == everything == len(np.unique(pool.clusters))


@each_strategy
@few
@given(size=sizes)
def test_it_gives_the_same_picks_for_the_same_seed(name, size):
    n, repeats, seed = size
    pool = make_pool(n, seed=seed, repeats=repeats)
    count = len(distinct(pool)) // 2 + 1
    first, second = pick(name, pool, count, seed), pick(name, pool, count, seed)
    assert first.indices.tolist() == second.indices.tolist()
    for part in first.parts:
        np.testing.assert_array_equal(first.parts[part], second.parts[part])


@each_strategy
@few
@given(size=sizes)
def test_it_picks_the_same_items_in_whatever_order_the_pool_comes(name, size):
    """Stronger than asked: also with ties and for stochastic strategies, since the door sorts by row."""
    n, repeats, seed = size
    pool = make_pool(n, seed=seed, repeats=repeats)
    other = shuffled(pool, seed + 1)
    count = len(distinct(pool)) // 2 + 1
    here, there = pick(name, pool, count, seed), pick(name, other, count, seed)
    assert pool.rows[here.indices].tolist() == other.rows[there.indices].tolist()


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_it_breaks_ties_by_row(name):
    n = 9
    pool = replace(
        make_pool(n, labelled=0),
        rows=np.arange(n)[::-1].copy(),
        probs=np.full((n, 4), 0.25),
        versions=np.full((n, 2, 4), 0.25),
        hardness=np.ones(n),
        embeddings=np.tile(_unit(np.ones((1, 6))), (n, 1)),
    )
    assert pool.rows[pick(name, pool, 4).indices].tolist() == [0, 1, 2, 3]


@each_strategy
def test_it_leaves_out_taken_items_and_their_duplicates(name):
    pool = replace(make_pool(30, repeats=8), taken=np.arange(0, 20, 2))
    left = len(distinct(pool))
    clusters = pool.clusters[pick(name, pool, left).indices]
    assert not set(clusters.tolist()) & set(pool.clusters[pool.taken].tolist())


@each_strategy
def test_it_keeps_the_score_parts_of_every_pick(name):
    picks = pick(name, make_pool(40), 10)
    assert set(picks.parts) <= set(PARTS)
    assert all(part.shape == (10,) for part in picks.parts.values())
    if name not in ("random", "cold_start"):
        assert np.isfinite(picks.parts["score"]).all()


def test_there_is_no_part_that_no_strategy_gives():
    given = {part for name in NAMES for part in pick(name, make_pool(40), 10).parts}
    seconds = np.linspace(1, 60, 40)
    costly = BlendSettings(value_per_second=True, density_share=0.5, balance=0.5)
    picks = STRATEGIES["blend"].function(
        replace(make_pool(40), seconds=seconds), 10, settings=costly, rng=np.random.default_rng(0)
    )
    named = [picks.parts[name] for name in ("density", "balance", "cost")]
    np.testing.assert_allclose(picks.parts["factor"], np.prod(named, axis=0))
    assert picks.weights == {"uncertainty": 0.4, "diversity": 0.3, "hardness": 0.3}
    assert given | set(picks.parts) == set(PARTS)


@each_strategy
def test_it_gives_the_probabilities_that_it_says_it_has(name):
    picks = pick(name, make_pool(40), 10)
    chance = picks.inclusion_probability
    if name == "random":
        assert chance.tolist() == [0.25] * 10
    elif name == "cold_start":
        assert np.isnan(chance).sum() == 5
        assert set(chance[~np.isnan(chance)].tolist()) == {5 / 40}
    # A tail no larger than the batch has nothing to draw: hence the larger pool.
    known = pick(name, make_pool(400), 5).inclusion_probability is not None
    assert known == (STRATEGIES[name].chance == "inclusion")
    assert ("chance" in picks.parts) == (STRATEGIES[name].chance == "draw")
    assert STRATEGIES[name].stochastic or STRATEGIES[name].chance == "none"


@each_strategy
def test_it_works_with_nothing_labelled(name):
    assert len(pick(name, make_pool(20, labelled=0), 7).indices) == 7
    empty = replace(make_pool(20), labelled_embeddings=np.empty((0, 6), dtype=np.float32))
    without = make_pool(20, labelled=0)
    assert pick(name, empty, 7).indices.tolist() == pick(name, without, 7).indices.tolist()


@each_strategy
def test_it_works_in_float32_and_float64(name):
    pool = make_pool(60)
    wide = replace(pool, probs=pool.probs.astype(np.float64), embeddings=pool.embeddings.astype(np.float64))
    narrow = replace(pool, probs=pool.probs.astype(np.float32))
    assert len(pick(name, wide, 12).indices) == len(pick(name, narrow, 12).indices) == 12


@each_strategy
def test_it_picks_the_only_item(name):
    assert pick(name, make_pool(1, labelled=0), 1).indices.tolist() == [0]


@each_strategy
@pytest.mark.parametrize("count", [13, 1000])
def test_it_refuses_a_batch_larger_than_the_pool(name, count):
    with pytest.raises(
        errors.PoolTooSmall, match=rf"pool has 12 items, batch needs {count}: lower the batch"
    ):
        pick(name, make_pool(12), count)


@each_strategy
def test_it_counts_duplicates_once_when_it_measures_the_pool(name):
    pool = make_pool(12, repeats=4)
    with pytest.raises(errors.PoolTooSmall, match=r"pool has 12 items \(8 that differ and are free\), batch"):
        pick(name, pool, 9)


@each_strategy
@pytest.mark.parametrize("count", [0, -1])
def test_it_refuses_an_empty_batch(name, count):
    with pytest.raises(errors.PoolError, match="expected 1 or more"):
        pick(name, make_pool(12), count)


@each_strategy
def test_it_refuses_an_empty_pool(name):
    empty = make_pool(3)
    empty = Pool(rows=empty.rows[:0], probs=empty.probs[:0], embeddings=empty.embeddings[:0])
    with pytest.raises(errors.PoolTooSmall, match="pool has 0 items, batch needs 1"):
        pick(name, empty, 1)


@pytest.mark.parametrize(("name", "need"), NEEDING)
def test_it_names_the_column_that_is_missing(name, need):
    with pytest.raises(errors.MissingColumn, match=f"needs {need}, and the pool has none"):
        pick(name, replace(make_pool(12), **{need: None}), 3)


@each_strategy
def test_it_says_whether_how_unsure_a_model_is_will_do_for_its_probabilities(name):
    strategy = STRATEGIES[name]
    pool = replace(make_pool(12), probs=None, unsure=np.random.default_rng(0).random((12, 4)))
    if strategy.any_model or "probs" not in strategy.needs:
        assert len(pick(name, pool, 3).indices) == 3
    else:
        with pytest.raises(
            errors.MissingColumn, match="the strategy needs probs, and the pool has none: train"
        ):
            pick(name, pool, 3)
    spoilt = replace(pool, unsure=np.full((12, 4), np.nan))
    if strategy.any_model:
        with pytest.raises(errors.BadProbabilities, match="uncertainties of shape"):
            pick(name, spoilt, 3)


@pytest.mark.parametrize("name", ["blend", "badge", "smallest_flip", "version_disagreement"])
def test_it_checks_the_probabilities_it_reads_where_it_is_told_both(name):
    pool = replace(_spoil_probs(make_pool(12), "nan"), unsure=np.full((12, 4), 0.5))
    with pytest.raises(errors.BadProbabilities, match="1 of 12 rows"):
        pick(name, pool, 3)


def _spoil_probs(pool: Pool, fault: str) -> Pool:
    probs = pool.probs.copy()
    if fault == "nan":
        probs[3, 1] = np.nan
    elif fault == "infinite":
        probs[3, 1] = np.inf
    elif fault == "sum":
        probs[3] *= 0.5
    elif fault == "negative":
        probs[3] = [-0.5, 0.5, 0.5, 0.5]
    return replace(pool, probs=probs)


@pytest.mark.parametrize("fault", ["nan", "infinite", "sum", "negative"])
@each_strategy
def test_it_refuses_probabilities_that_are_none_if_it_reads_them(name, fault):
    pool = _spoil_probs(make_pool(12), fault)
    if "probs" not in STRATEGIES[name].needs:
        assert len(pick(name, pool, 3).indices) == 3
        return
    with pytest.raises(errors.BadProbabilities, match="1 of 12 rows of probabilities are not distributions"):
        pick(name, pool, 3)


@each_strategy
def test_it_refuses_a_model_of_one_label_if_it_reads_probabilities(name):
    pool = replace(make_pool(12), probs=np.ones((12, 1)))
    if "probs" not in STRATEGIES[name].needs:
        assert len(pick(name, pool, 3).indices) == 3
        return
    with pytest.raises(errors.OneClass, match="the model knows 1 label, expected at least 2"):
        pick(name, pool, 3)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("zero", "1 of 12 embeddings of the pool are all zero"),
        ("nan", "not of length one"),
        ("infinite", "not of length one"),
        ("long", "normalise"),
    ],
)
@each_strategy
def test_it_refuses_embeddings_it_cannot_compare_if_it_reads_them(name, fault, words):
    pool = make_pool(12)
    embeddings = pool.embeddings.copy()
    embeddings[4] = {"zero": 0.0, "nan": np.nan, "infinite": np.inf, "long": embeddings[4] * 2}[fault]
    pool = replace(pool, embeddings=embeddings)
    if "embeddings" not in STRATEGIES[name].needs:
        assert len(pick(name, pool, 3).indices) == 3
        return
    with pytest.raises(errors.BadEmbeddings, match=words):
        pick(name, pool, 3)


@pytest.mark.parametrize("fault", [np.nan, np.inf, -np.inf])
@each_strategy
def test_it_refuses_hardness_that_is_no_number_if_it_reads_it(name, fault):
    hardness = make_pool(12).hardness.copy()
    hardness[:2] = fault
    pool = replace(make_pool(12), hardness=hardness)
    if "hardness" not in STRATEGIES[name].needs:
        assert len(pick(name, pool, 3).indices) == 3
        return
    with pytest.raises(errors.BadHardness, match="2 of 12 hardness values are not numbers"):
        pick(name, pool, 3)


def _spoil_versions(versions: np.ndarray, fault: str) -> np.ndarray:
    versions = versions.copy()
    if fault == "nan":
        versions[3, 1, 0] = np.nan
    elif fault == "infinite":
        versions[3, 1, 0] = np.inf
    elif fault == "sum":
        versions[3, 1] *= 0.5
    return {"flat": versions[:, 0], "none": versions[:, :0], "labels": versions[..., :3]}.get(fault, versions)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("nan", "1 of 24 rows of probabilities are not distributions"),
        ("infinite", "1 of 24 rows of probabilities are not distributions"),
        ("sum", "1 of 24 rows of probabilities are not distributions"),
        ("flat", r"have shape \(12, 4\), expected \(items, versions, 4\)"),
        ("none", r"have shape \(12, 0, 4\), expected \(items, versions, 4\)"),
        ("labels", r"have shape \(12, 2, 3\), expected \(items, versions, 4\)"),
    ],
)
@each_strategy
def test_it_refuses_malformed_versions_if_it_reads_them(name, fault, words):
    pool = make_pool(12)
    pool = replace(pool, versions=_spoil_versions(pool.versions, fault))
    if "versions" not in STRATEGIES[name].needs:
        assert len(pick(name, pool, 3).indices) == 3
        return
    with pytest.raises(errors.BadProbabilities, match=words):
        pick(name, pool, 3)


@each_strategy
def test_it_has_settings_that_a_form_can_show(name):
    strategy = STRATEGIES[name]
    assert is_dataclass(strategy.settings)
    given = strategy.settings()
    names = [setting.name for setting in describe(strategy.settings)]
    assert names == list(strategy.settings.__dataclass_fields__)
    for setting in names:
        with pytest.raises(FrozenInstanceError):
            setattr(given, setting, 0)


def test_it_lists_every_strategy_under_its_own_name():
    assert {name: strategy.name for name, strategy in STRATEGIES.items()} == {
        name: name for name in STRATEGIES
    }
    assert set(STRATEGIES) >= {"random", "margin", "entropy", "mmr", "blend", "cold_start", "default"}
    assert len(DETERMINISTIC) >= 6
