from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.quality import closeness
from annotation.quality.agreement import krippendorff_alpha
from annotation.quality.ratings import Ratings


def nominal(labels):
    return lambda i, j: float(labels[i] != labels[j])


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), min_size=2, max_size=15))
def test_with_a_nominal_distance_it_is_the_nominal_alpha(units):
    items = np.array([u for u, values in enumerate(units) for _ in values])
    labels = [value for values in units for value in values]
    raters = np.array([r for values in units for r in range(len(values))])
    ratings = Ratings(items, raters, np.array(labels), len(units), 4, 4)
    ours = closeness.alpha_by_distance(items, nominal(labels), resamples=0)
    theirs = krippendorff_alpha(ratings, resamples=0)
    assert ours.value == pytest.approx(theirs.value, nan_ok=True)
    assert ours.n == theirs.n


def test_it_estimates_expected_disagreement_from_random_pairs_where_there_are_many():
    rng = np.random.default_rng(1)
    values = rng.random(600)
    items = np.repeat(np.arange(300), 2)
    exact = closeness.alpha_by_distance(items, lambda i, j: abs(values[i] - values[j]), resamples=0)
    apart = np.abs(values[:, None] - values[None, :])
    expected = apart.sum() / (600 * 599)
    observed = np.abs(values[0::2] - values[1::2]).mean()
    assert exact.value == pytest.approx(1 - observed / expected, abs=0.02)


def test_its_interval_holds_the_value_and_ends_at_one():
    values = [0, 0, 1, 1, 2, 2, 3, 2]
    found = closeness.alpha_by_distance(
        np.repeat(np.arange(4), 2), lambda i, j: abs(values[i] - values[j]) / 3
    )
    assert found.low <= found.value <= found.high <= 1.0
    assert found.n == 4


def test_it_says_why_there_is_no_figure():
    assert closeness.alpha_by_distance(np.array([0, 1]), nominal("ab")).note == closeness.NO_PAIRS
    assert closeness.alpha_by_distance(np.array([0, 0]), nominal("aa")).note == closeness.NO_SPREAD
    assert np.isnan(closeness.mean_closeness(np.array([0, 1]), nominal("ab")).value)


def test_closeness_is_one_less_the_mean_distance_of_an_items_pairs():
    items = np.array([5, 7, 5, 5])
    kept, close = closeness.closeness_by_item(
        items, lambda i, j: {(0, 2): 0.0, (0, 3): 0.6, (2, 3): 0.3}[i, j]
    )
    assert kept.tolist() == [5]
    assert close.tolist() == pytest.approx([0.7])
    assert closeness.mean_closeness(items, lambda i, j: 0.25).value == pytest.approx(0.75)
