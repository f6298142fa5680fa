import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from selection.evidence.learning_curve import (
    area_gain,
    areas,
    labels_ratio,
    labels_to,
    mean_over_seeds,
    summarise,
)

LABELS = [25, 50, 75, 100]


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_it_measures_the_area_segment_by_segment(accuracy):
    by_hand = sum((accuracy[at] + accuracy[at + 1]) / 2 * 25 for at in range(3)) / 75
    assert areas(LABELS, [accuracy])[0] == pytest.approx(by_hand)


def test_it_weighs_segments_by_their_width():
    assert areas([0, 10, 100], [[0.0, 1.0, 1.0]])[0] == pytest.approx(0.95)


def test_it_takes_the_accuracy_of_a_single_batch_as_its_area():
    assert areas([25], [[0.4], [0.6]]).tolist() == [0.4, 0.6]


def test_it_gives_the_mean_and_the_t_interval_of_every_point():
    curves = np.array([[0.5, 0.6], [0.6, 0.7], [0.7, 0.8]])
    curve = summarise([25, 50], curves)
    assert curve.mean == pytest.approx([0.6, 0.7])
    half = 4.302653 * 0.1 / math.sqrt(3)  # t(0.975, 2 degrees of freedom) from a printed table
    assert curve.low == pytest.approx([0.6 - half, 0.7 - half], abs=1e-6)
    assert curve.high == pytest.approx([0.6 + half, 0.7 + half], abs=1e-6)
    assert curve.area.value == pytest.approx(0.65)
    assert curve.seeds == 3


def test_it_has_no_interval_for_one_seed():
    curve = summarise([25, 50], [[0.5, 0.6]])
    assert curve.mean.tolist() == [0.5, 0.6]
    assert np.isnan(curve.low).all()
    assert curve.area.note == "one seed: no interval"


def test_it_equals_the_paired_t_test():
    rng = np.random.default_rng(0)
    ours, theirs = rng.random((5, 4)), rng.random((5, 4))
    gain = area_gain(LABELS, ours, theirs)
    result = stats.ttest_rel(areas(LABELS, ours), areas(LABELS, theirs))
    interval = result.confidence_interval(0.95)
    assert (gain.low, gain.high) == pytest.approx((interval.low, interval.high))
    assert gain.n == 5


def test_it_sees_a_gain_that_pairing_shows_and_spread_would_hide():
    base = np.array([[0.2] * 4, [0.5] * 4, [0.8] * 4])
    assert area_gain(LABELS, base + [[0.010], [0.011], [0.012]], base).low > 0


def test_it_finds_the_first_batch_that_reaches_the_target():
    assert labels_to(LABELS, [0.2, 0.5, 0.4, 0.6], 0.5) == 50
    assert labels_to(LABELS, [0.2, 0.5, 0.4, 0.6], 0.6) == 100
    assert labels_to(LABELS, [0.2, 0.5, 0.4, 0.6], 0.7) is None


def test_it_compares_label_needs_on_mean_curves():
    random = [[0.2, 0.4, 0.5, 0.6], [0.2, 0.4, 0.5, 0.6]]
    quick = [[0.2, 0.7, 0.7, 0.7], [0.2, 0.5, 0.7, 0.7]]
    assert labels_ratio(LABELS, quick, random) == 0.5
    assert labels_ratio(LABELS, random, random) == 1.0
    assert labels_ratio(LABELS, [[0.1, 0.1, 0.1, 0.1]], random) is None


def test_it_lets_the_baseline_count_its_own_early_arrival():
    early = [[0.2, 0.6, 0.5, 0.6]]
    assert labels_ratio(LABELS, [[0.6, 0.6, 0.6, 0.6]], early) == 0.5
    assert labels_ratio(LABELS, early, early) == 1.0


def test_it_reaches_its_own_end_despite_rounding():
    curves = np.full((3, 4), 0.1) + np.arange(4) / 30
    assert labels_ratio(LABELS, curves, curves) == 1.0


def test_it_says_so_for_a_single_value():
    estimate = mean_over_seeds([0.5])
    assert estimate.value == 0.5
    assert math.isnan(estimate.low)


@pytest.mark.parametrize(
    ("labels", "accuracies", "words"),
    [
        ([25, 50], [[0.5]], r"shape \(2,\) and accuracies of shape \(1, 1\)"),
        ([], np.empty((0, 0)), "one or more of each"),
        ([50, 25], [[0.5, 0.6]], "do not rise"),
        ([25, 50], [[0.5, math.nan]], "not a number"),
    ],
)
def test_it_refuses_curves_that_are_none(labels, accuracies, words):
    with pytest.raises(ValueError, match=words):
        areas(labels, accuracies)


def test_it_refuses_unpaired_curves():
    with pytest.raises(ValueError, match="found 1 curves and 2 of the baseline"):
        area_gain(LABELS, [[0.1] * 4], [[0.1] * 4, [0.2] * 4])
