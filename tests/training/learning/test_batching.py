from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.learning import batching

lengths = st.lists(st.integers(1, 300), min_size=1, max_size=120)


@given(lengths, st.integers(1, 2000))
def test_it_puts_every_text_into_one_batch_within_the_budget(sizes: list[int], budget: int) -> None:
    batches = batching.token_batches(sizes, budget)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(sizes)))
    for batch in batches:
        longest = max(sizes[i] for i in batch)
        assert len(batch) == 1 or len(batch) * longest <= budget
    longest_first = [max(sizes[i] for i in batch) for batch in batches]
    assert longest_first == sorted(longest_first, reverse=True)


def test_it_makes_no_batches_of_no_texts() -> None:
    assert batching.token_batches([], 100) == []


@given(lengths, st.integers(1, 20), st.integers(1, 60), st.integers(0, 3))
def test_it_visits_every_item_once_in_a_pass(
    sizes: list[int], batch_size: int, steps: int, seed: int
) -> None:
    batches = batching.schedule(sizes, batch_size=batch_size, steps=steps, seed=seed)
    assert len(batches) == steps
    a_pass = -(-len(sizes) // batch_size)
    for start in range(0, steps - a_pass + 1, a_pass):
        seen = np.concatenate(batches[start : start + a_pass])
        assert sorted(seen.tolist()) == list(range(len(sizes)))
    again = batching.schedule(sizes, batch_size=batch_size, steps=steps, seed=seed)
    assert all((one == other).all() for one, other in zip(batches, again, strict=True))


def test_it_gives_passes_and_seeds_orders_of_their_own() -> None:
    batches = [tuple(batch) for batch in batching.schedule([5] * 64, batch_size=8, steps=16, seed=0)]
    assert batches[:8] != batches[8:]
    assert batches != [tuple(batch) for batch in batching.schedule([5] * 64, batch_size=8, steps=16, seed=1)]


def test_weights_say_how_often_an_item_comes() -> None:
    weights = [1.0, 1.0, 4.0, 1.0, 0.5, 0.5]  # of eight in all: shares of 0.75, 3 and 0.375 of six
    batches = batching.schedule([5] * 6, batch_size=3, steps=800, seed=0, weights=weights)
    passes = [np.bincount(np.concatenate(batches[at : at + 2]), minlength=6) for at in range(0, 800, 2)]
    assert {int(one.sum()) for one in passes} == {6}
    assert {int(one[2]) for one in passes} == {3}
    assert all(set(np.array(passes)[:, item]) == {0, 1} for item in (0, 1, 3, 4, 5))
    np.testing.assert_allclose(np.mean(passes, axis=0), [0.75, 0.75, 3, 0.75, 0.375, 0.375], atol=0.05)
    again = batching.schedule([5] * 6, batch_size=3, steps=800, seed=0, weights=weights)
    assert all((one == other).all() for one, other in zip(batches, again, strict=True))


def test_equal_weights_change_nothing() -> None:
    sizes = [7, 3, 9, 4, 4, 8, 1]
    plain = batching.schedule(sizes, batch_size=2, steps=20, seed=3)
    alike = batching.schedule(sizes, batch_size=2, steps=20, seed=3, weights=[2.0] * 7)
    assert [one.tolist() for one in plain] == [one.tolist() for one in alike]


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=40), st.integers(0, 9))
def test_an_item_comes_as_often_as_its_share_rounded_down_or_up(weights: list[float], seed: int) -> None:
    found = batching.drawn(weights, np.random.default_rng(seed))
    shares = len(weights) * np.array(weights) / sum(weights)
    assert len(found) == len(weights)
    assert (np.abs(np.bincount(found, minlength=len(weights)) - shares) < 1 + 1e-9).all()


def test_it_puts_items_of_alike_length_together() -> None:
    sizes = np.random.default_rng(0).integers(5, 100, 1600)
    batches = batching.schedule(sizes, batch_size=16, steps=100, seed=0)
    padded = sum(len(batch) * sizes[batch].max() for batch in batches)
    plain = sum(16 * sizes[i : i + 16].max() for i in range(0, 1600, 16))
    assert padded < 1.1 * sizes.sum() < 1.5 * sizes.sum() < plain


@given(
    st.integers(1, 20),
    st.integers(1, 6),
    st.lists(st.floats(0.1, 5), min_size=20, max_size=20),
)
def test_it_makes_the_mean_over_ranks_the_weighted_mean_of_the_batch(
    count: int, world: int, weights: list[float]
) -> None:
    rng = np.random.default_rng(count)
    batch, losses = rng.permutation(20)[:count], rng.random(20)
    sums = []
    seen: list[int] = []
    for rank in range(world):
        items, scales = batching.share_of(batch, np.array(weights), rank, world)
        assert len(items) >= 1
        sums.append(float((losses[items] * scales).sum()))
        seen += [int(item) for item, scale in zip(items, scales, strict=True) if scale > 0]
    assert sorted(seen) == sorted(batch.tolist())
    assert np.mean(sums) == pytest.approx(
        np.average(losses[batch], weights=np.array(weights)[batch]), rel=1e-5
    )


def test_it_does_not_count_an_item_of_weight_zero() -> None:
    items, scales = batching.share_of(np.array([0, 1]), np.array([0.0, 2.0]), 0, 1)
    assert items.tolist() == [0, 1] and scales.tolist() == [0.0, 1.0]


@pytest.mark.parametrize(("sizes", "batch_size", "steps"), [([], 4, 1), ([1], 0, 1), ([1], 1, 0)])
def test_it_refuses_a_schedule_of_nothing(sizes: list[int], batch_size: int, steps: int) -> None:
    with pytest.raises(ValueError, match="expected 1 or more"):
        batching.schedule(sizes, batch_size=batch_size, steps=steps, seed=0)
