"""From which confidence on suggestions may be accepted: the smallest threshold that is proven right enough."""

from __future__ import annotations

import numpy as np
import pytest

from annotation.quality.acceptance import MINIMUM, Pair, accuracy_above, calibrate
from annotation.quality.intervals import wilson


def pairs(*groups: tuple[float, int, int]) -> list[Pair]:
    """(confidence, right, of)."""
    return [Pair(score, i < right) for score, right, of in groups for i in range(of)]


def brute(given: list[Pair], target: float) -> float | None:
    """The same by trying every threshold."""
    for threshold in sorted({one.confidence for one in given}):
        found = accuracy_above(given, threshold)
        if found.n >= MINIMUM and found.low >= target:
            return threshold
    return None


def test_it_finds_the_smallest_threshold_that_reaches_the_target() -> None:
    given = pairs((0.99, 100, 100), (0.9, 100, 100), (0.8, 97, 100), (0.7, 60, 100))
    found = calibrate(given, 0.95)
    assert found.threshold == 0.8
    assert found.accuracy == wilson(297, 300)
    assert (found.n, found.lacks) == (400, 0)
    assert calibrate(given, 0.98).threshold == 0.9


def test_it_says_so_where_no_confidence_is_enough() -> None:
    found = calibrate(pairs((0.99, 45, 60), (0.5, 30, 60)), 0.95)
    assert found.threshold is None
    assert found.accuracy == wilson(75, 120)


@pytest.mark.parametrize("n", [0, 1, MINIMUM - 1])
def test_it_needs_fifty_resolved_items(n: int) -> None:
    found = calibrate(pairs((0.99, n, n)), 0.5)
    assert found.threshold is None
    assert found.lacks == MINIMUM - n


def test_fifty_must_lie_above_the_threshold() -> None:
    # all of the 49 surest are right, and with the 50th, which is wrong, the share is still above the target
    given = pairs((0.9, 49, 49), (0.8, 0, 1), (0.1, 0, 200))
    assert calibrate(given, 0.85).threshold == 0.8
    assert calibrate(given[:49] + given[50:], 0.85).threshold is None


def test_equal_confidences_stand_or_fall_together() -> None:
    given = pairs((0.9, 80, 80), (0.9, 0, 80))
    assert calibrate(given, 0.9).threshold is None


def test_it_finds_what_trying_all_thresholds_finds() -> None:
    rng = np.random.default_rng(5)
    for _ in range(40):
        scores = np.round(rng.random(int(rng.integers(0, 400))), 2)
        given = [Pair(float(score), bool(rng.random() < score)) for score in scores]
        for target in (0.5, 0.8, 0.9):
            assert calibrate(given, target).threshold == brute(given, target)


def test_the_curve_is_thinned_and_holds_the_threshold() -> None:
    rng = np.random.default_rng(6)
    given = [Pair(float(score), bool(rng.random() < 0.5 + score / 2)) for score in rng.random(3000)]
    found = calibrate(given, 0.9)
    thresholds = [step.threshold for step in found.curve]
    assert thresholds == sorted(thresholds)
    assert len(thresholds) <= 42
    assert found.threshold in thresholds
    for step in found.curve:
        assert step.accuracy == accuracy_above(given, step.threshold)


@pytest.mark.parametrize("score", [-0.1, 1.1, float("nan")])
def test_it_refuses_what_is_no_probability(score: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        calibrate([Pair(score, True)], 0.9)
    with pytest.raises(ValueError, match="target"):
        calibrate([], 1.0)
