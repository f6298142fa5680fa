from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from annotation.quality import intervals
from annotation.quality.intervals import (
    Estimate,
    bootstrap,
    bootstrap_mean,
    paired,
    percentile_interval,
    wilson,
)


@given(
    st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.sampled_from([0.9, 0.95]),
)
def test_it_gives_the_wilson_interval_that_scipy_gives(counts, confidence):
    successes, n = counts
    found = wilson(successes, n, confidence)
    expected = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    assert found.value == successes / n
    assert found.low == pytest.approx(expected.low, abs=1e-12)
    assert found.high == pytest.approx(expected.high, abs=1e-12)


def test_it_gives_the_published_wilson_interval():
    # Newcombe 1998, Statistics in Medicine 17: 81 of 263, 15 of 148, 0 of 20, 1 of 29
    for successes, n, low, high in [
        (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718),
    ]:  # fmt: skip
        found = wilson(successes, n)
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_it_knows_nothing_before_the_first_check():
    found = wilson(0, 0)
    assert math.isnan(found.value)
    assert (found.low, found.high, found.n, found.note) == (0.0, 1.0, 0, "nothing was checked")


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5)])
def test_it_refuses_impossible_counts(successes, n):
    with pytest.raises(ValueError, match="expected 0 <= successes <= trials"):
        wilson(successes, n)


def test_it_makes_an_estimate_json():
    assert Estimate(0.5, math.nan, 1.0, 3, "why").to_json() == {
        "value": 0.5, "low": None, "high": 1.0, "n": 3, "note": "why",
    }  # fmt: skip


def test_it_estimates_a_mean_like_the_normal_approximation():
    values = np.random.default_rng(1).normal(3, 2, 2_000)
    found = bootstrap_mean(values, resamples=4_000)
    half = 1.96 * values.std() / np.sqrt(2_000)
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.01)
    assert found.high == pytest.approx(values.mean() + half, abs=0.01)


@pytest.mark.parametrize("profiles", [3, 800])
def test_it_draws_profiles_like_a_bootstrap_that_draws_items(profiles):
    rng = np.random.default_rng(2)
    values = rng.integers(0, profiles, 2_000) / profiles
    found = bootstrap_mean(values, resamples=3_000)
    naive = np.array([values[rng.integers(0, 2_000, 2_000)].mean() for _ in range(3_000)])
    low, high = percentile_interval(naive)
    spread = naive.std()
    assert found.low == pytest.approx(low, abs=0.15 * spread)
    assert found.high == pytest.approx(high, abs=0.15 * spread)


def test_it_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(300):
        found = bootstrap_mean(rng.random(80) < 0.7, resamples=400, rng=rng)
        hits += found.low <= 0.7 <= found.high
    assert 0.90 <= hits / 300 <= 0.98


def test_it_gives_the_same_interval_twice_and_another_with_another_generator():
    values = np.arange(50.0)
    assert bootstrap_mean(values) == bootstrap_mean(values)
    assert bootstrap_mean(values) != bootstrap_mean(values, rng=np.random.default_rng(9))


def test_it_does_not_care_for_the_order_of_values():
    values = np.random.default_rng(4).normal(size=100).round(1)
    assert bootstrap_mean(values) == bootstrap_mean(values[::-1])


def test_it_gives_no_interval_without_resamples_and_a_point_for_equal_values():
    found = bootstrap_mean([1.0, 2.0], resamples=0)
    assert found.value == 1.5 and math.isnan(found.low) and math.isnan(found.high)
    assert bootstrap_mean([2.0, 2.0, 2.0]) == Estimate(2.0, 2.0, 2.0, 3)


def test_it_has_no_mean_of_nothing_and_refuses_nan():
    found = bootstrap_mean([])
    assert math.isnan(found.value) and found.note == "there are no values"
    with pytest.raises(ValueError, match="leave out what was not measured"):
        bootstrap_mean([1.0, math.nan])


def test_it_leaves_out_resamples_that_do_not_define_the_figure():
    def statistic(weights):
        return np.where(weights[:, 0] > 0, weights[:, 0], np.nan)

    found = bootstrap(np.array([1, 1]), statistic, resamples=400)
    lost = int(found.note.split()[0])
    assert 60 < lost < 140  # a quarter of the resamples has no item of the first profile
    assert (found.low, found.high) == (1.0, 2.0)
    assert percentile_interval(np.array([math.nan])) == pytest.approx((math.nan, math.nan), nan_ok=True)


def test_it_compares_pairs():
    rng = np.random.default_rng(5)
    difficulty = rng.normal(size=400)
    a, b = difficulty + 0.1, difficulty + rng.normal(0, 0.01, 400)
    found = paired(a, b)
    assert found.value == pytest.approx(0.1, abs=0.01)
    assert 0.09 < found.low < found.value < found.high < 0.11
    with pytest.raises(ValueError, match="same items on both sides"):
        paired([1.0], [1.0, 2.0])


def test_it_bounds_its_memory_by_chunks(monkeypatch):
    sizes = []

    def statistic(weights):
        sizes.append(weights.shape)
        return weights[:, 0]

    monkeypatch.setattr(intervals, "_CHUNK", 100)
    bootstrap(np.full(10, 5), statistic, resamples=25)
    assert sizes == [(1, 10), (10, 10), (10, 10), (5, 10)]


def test_it_gives_the_median_with_its_order_statistics():
    # n = 10 at 95 %: the published ranks are the 2nd and the 9th value, with a coverage of 97.9 %.
    found = intervals.median([9, 1, 8, 2, 7, 3, 6, 4, 5, 10])
    assert (found.value, found.low, found.high, found.n) == (5.5, 2.0, 9.0, 10)


def test_it_gives_a_median_of_few_values_without_an_interval():
    found = intervals.median([3.0, 1.0, 2.0])
    assert found.value == 2.0
    assert math.isnan(found.low) and math.isnan(found.high)
    assert math.isnan(intervals.median([]).value)
    assert intervals.median([1, 2, 3, 4, 5, 6]).low == 1.0


@pytest.mark.parametrize("n", [6, 7, 50, 999, 1000, 1001, 1500])
def test_it_covers_the_median_as_the_binomial_says(n):
    low = int(intervals.median(np.arange(1, n + 1)).low)
    assert stats.binom.cdf(low - 1, n, 0.5) <= 0.025 + (1e-3 if n > 1000 else 0)
    assert stats.binom.cdf(low, n, 0.5) > 0.025 - (1e-3 if n > 1000 else 0)


def test_it_refuses_a_median_with_nan():
    with pytest.raises(ValueError, match="NaN"):
        intervals.median([1.0, float("nan")])
