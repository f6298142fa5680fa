from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import log_softmax

from training.learning import calibration


def smoothed_nll(logits: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    n, k = logits.shape
    targets = np.full((n, k), 1 / (n + 2) / (k - 1))
    targets[np.arange(n), labels] = (n + 1) / (n + 2)
    return float(-(targets * log_softmax(logits / temperature, axis=1)).sum())


def sample(seed: int, n: int = 200, k: int = 5, scale: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Labels that are really drawn from softmax(logits / scale): the right temperature is near `scale`."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, k)) * 2 * scale
    probs = calibration.calibrated(logits, scale).astype(float)
    return logits, np.array([rng.choice(k, p=row / row.sum()) for row in probs])


@pytest.mark.parametrize("seed", range(5))
def test_it_finds_the_minimum_that_a_fine_grid_finds(seed: int) -> None:
    logits, labels = sample(seed)
    grid = np.exp(np.linspace(np.log(0.05), np.log(20), 4001))
    best = grid[np.argmin([smoothed_nll(logits, labels, t) for t in grid])]
    found = calibration.fit_temperature(logits, labels)
    assert found == pytest.approx(best, rel=2e-3)
    assert smoothed_nll(logits, labels, found) <= smoothed_nll(logits, labels, best) + 1e-9


def test_it_recovers_the_temperature_that_made_the_labels() -> None:
    logits, labels = sample(0, n=20_000, scale=2.5)
    assert calibration.fit_temperature(logits, labels) == pytest.approx(2.5, rel=0.03)


def test_it_scales_the_temperature_with_the_logits() -> None:
    logits, labels = sample(1)
    once = calibration.fit_temperature(logits, labels)
    assert calibration.fit_temperature(logits * 3, labels) == pytest.approx(once * 3, rel=1e-9)


def test_it_does_not_depend_on_item_order_nor_on_shifts_nor_on_precision() -> None:
    logits, labels = sample(2)
    order = np.random.default_rng(0).permutation(len(labels))
    once = calibration.fit_temperature(logits, labels)
    assert calibration.fit_temperature(logits[order] + 7, labels[order]) == pytest.approx(once, rel=1e-9)
    assert calibration.fit_temperature(logits.astype(np.float32), labels) == pytest.approx(once, rel=1e-5)


def test_it_stays_above_zero_where_all_answers_are_right() -> None:
    logits = np.eye(4)[np.tile(np.arange(4), 25)] * 6.0
    temperature = calibration.fit_temperature(logits, logits.argmax(axis=1))
    assert 0.5 < temperature < 3
    assert calibration.calibrated(logits, temperature).max() < 1


def test_it_gives_the_hottest_temperature_to_a_model_that_is_always_wrong() -> None:
    logits, labels = sample(3)
    assert calibration.fit_temperature(logits, logits.argmin(axis=1)) == calibration.HOTTEST


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        (np.zeros((0, 3)), np.zeros(0, int)),
        (np.random.default_rng(0).normal(size=(19, 3)), np.zeros(19, int)),
        (np.ones((50, 3)), np.zeros(50, int)),
        (np.ones((50, 1)), np.zeros(50, int)),
    ],
    ids=["none", "too few", "all equal", "one label"],
)
def test_it_leaves_the_temperature_alone_where_data_say_nothing(
    logits: np.ndarray, labels: np.ndarray
) -> None:
    assert calibration.fit_temperature(logits, labels) == 1.0


def test_it_refuses_what_is_not_a_table_of_finite_logits() -> None:
    with pytest.raises(ValueError, match="diverged"):
        calibration.fit_temperature(np.full((30, 2), np.nan), np.zeros(30, int))
    with pytest.raises(ValueError, match="outside 0..1"):
        calibration.fit_temperature(np.zeros((30, 2)), np.full(30, 2))
    with pytest.raises(ValueError, match="expected"):
        calibration.fit_temperature(np.zeros((30, 2)), np.zeros(29, int))
    with pytest.raises(ValueError, match="above 0"):
        calibration.calibrated(np.zeros((1, 2)), 0.0)


def test_it_calibrates_rows_that_sum_to_one_and_keep_their_order() -> None:
    logits = np.array([[2.0, 0.0, -1000.0]])
    probs = calibration.calibrated(logits, 2.0)
    assert probs.dtype == np.float32
    assert probs[0] == pytest.approx([math.e / (math.e + 1), 1 / (math.e + 1), 0], rel=1e-6)


def test_it_has_the_negative_log_likelihood_of_a_coin() -> None:
    assert calibration.negative_log_likelihood(np.zeros((4, 2)), np.array([0, 1, 0, 1])) == pytest.approx(
        math.log(2)
    )
    assert math.isnan(calibration.negative_log_likelihood(np.zeros((0, 2)), np.zeros(0, int)))


# Four answers in two bins, worked by hand: the lower bin holds 0.4 (wrong) and 0.5 (right): |1/2 - 0.45| =
# 0.05; the upper holds 0.8 (right) and 0.9 (wrong): |1/2 - 0.85| = 0.35. ECE = (2 * 0.05 + 2 * 0.35) / 4 =
# 0.2.
WORKED_PROBS = np.array([[0.4, 0.3, 0.3], [0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.05, 0.05, 0.9]])
WORKED_LABELS = np.array([1, 0, 1, 0])


def test_it_finds_the_calibration_error_of_a_worked_example() -> None:
    assert calibration.ece(WORKED_PROBS, WORKED_LABELS, bins=2) == pytest.approx(0.2)
    bins = calibration.reliability(WORKED_PROBS.max(axis=1), WORKED_PROBS.argmax(axis=1) == WORKED_LABELS, 2)
    assert bins.counts.tolist() == [2, 2]
    assert bins.confidence == pytest.approx([0.45, 0.85])
    assert bins.accuracy == pytest.approx([0.5, 0.5])


def brute_ece(confidence: np.ndarray, correct: np.ndarray, bins: int) -> float:
    edges = np.linspace(0, 1, bins + 1)
    total = 0.0
    for i in range(bins):
        inside = [
            j
            for j, value in enumerate(confidence)
            if (value > edges[i] or (i == 0 and value >= 0)) and (value <= edges[i + 1] or i == bins - 1)
        ]
        if inside:
            gap = abs(np.mean([correct[j] for j in inside]) - np.mean([confidence[j] for j in inside]))
            total += len(inside) / len(confidence) * gap
    return total


@settings(max_examples=60, deadline=None)
@given(
    probs=hnp.arrays(
        np.float64,
        st.tuples(st.integers(1, 40), st.integers(2, 6)),
        elements=st.floats(0.0009765625, 1, width=32),
    ),
    bins=st.integers(1, 20),
    seed=st.integers(0, 100),
)
def test_it_finds_the_calibration_error_of_a_loop_over_bins(probs: np.ndarray, bins: int, seed: int) -> None:
    probs = probs / probs.sum(axis=1, keepdims=True)
    labels = np.random.default_rng(seed).integers(0, probs.shape[1], len(probs))
    brute = brute_ece(probs.max(axis=1), probs.argmax(axis=1) == labels, bins)
    found = calibration.ece(probs, labels, bins)
    assert found == pytest.approx(brute, abs=1e-12)
    assert 0 <= found <= 1


def test_it_puts_values_on_an_edge_into_the_bin_below() -> None:
    confidence = np.array([0.0, 1 / 15, 2 / 15, 1.0])
    assert calibration.bin_of(confidence).tolist() == [0, 0, 1, 14]


def test_it_counts_an_unknown_label_as_wrong_and_gives_nan_for_no_items() -> None:
    assert calibration.ece(np.array([[1.0, 0.0]]), np.array([-1])) == 1.0
    assert math.isnan(calibration.ece(np.zeros((0, 2)), np.zeros(0, int)))
    assert math.isnan(calibration.error_of(calibration.reliability(np.zeros(0), np.zeros(0))))


def test_it_refuses_logits_and_unequal_lengths_for_reliability() -> None:
    with pytest.raises(ValueError, match="not logits"):
        calibration.reliability(np.array([3.0]), np.array([True]))
    with pytest.raises(ValueError, match="not logits"):
        calibration.reliability(np.array([np.nan]), np.array([True]))
    with pytest.raises(ValueError, match="expected"):
        calibration.reliability(np.array([0.5]), np.array([True, False]))
    with pytest.raises(ValueError, match="1 or more"):
        calibration.reliability(np.array([0.5]), np.array([True]), bins=0)
