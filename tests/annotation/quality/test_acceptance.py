"""From which confidence on suggestions may be accepted: the smallest threshold that is proven right enough."""

from __future__ import annotations

import math

import numpy as np
import pytest

from annotation.quality.acceptance import GROWTH, MINIMUM, Pair, accuracy_above, calibrate, fewest
from annotation.quality.intervals import wilson


def pairs(*groups: tuple[float, int, int]) -> list[Pair]:
    """(confidence, right, of)."""
    return [Pair(score, i < right) for score, right, of in groups for i in range(of)]


def brute(given: list[Pair], target: float) -> float | None:
    """The same, step by step: whole sums of binomial terms, sizes that grow one by one."""
    falling = sorted(given, reverse=True)
    proven = None
    for start in (fewest(target), 2 * fewest(target), 4 * fewest(target)):
        size = float(start)
        while start <= len(falling):
            threshold = falling[min(math.ceil(size - 1e-9), len(falling)) - 1].confidence
            above = [one.right for one in falling if one.confidence >= threshold]
            n, right = len(above), sum(above)
            luck = sum(math.comb(n, k) * target**k * (1 - target) ** (n - k) for k in range(right, n + 1))
            if luck > 0.05 / 3:
                break
            proven = threshold if proven is None else min(proven, threshold)
            if size >= len(falling):
                break
            size *= GROWTH
    return proven


def test_it_finds_the_lowest_threshold_that_is_proven() -> None:
    given = pairs((0.99, 100, 100), (0.9, 100, 100), (0.8, 97, 100), (0.7, 60, 100))
    found = calibrate(given, 0.95)
    assert found.threshold == 0.8
    assert found.accuracy == wilson(297, 300)
    assert (found.n, found.lacks) == (400, 0)
    assert calibrate(given, 0.97).threshold == 0.9


def test_it_says_so_where_no_confidence_is_enough() -> None:
    found = calibrate(pairs((0.99, 45, 60), (0.5, 30, 60)), 0.95)
    assert found.threshold is None
    assert found.accuracy == wilson(75, 120)


@pytest.mark.parametrize("n", [0, 1, MINIMUM - 1])
def test_it_needs_fifty_resolved_items(n: int) -> None:
    found = calibrate(pairs((0.99, n, n)), 0.5)
    assert found.threshold is None
    assert found.lacks == MINIMUM - n


def test_the_fewest_that_can_prove_it_must_lie_above_the_threshold() -> None:
    assert fewest(0.95) == 80  # 0.95^79 is more than a third of 5 %, 0.95^80 is not
    assert calibrate(pairs((0.9, 80, 80)), 0.95).threshold == 0.9
    assert calibrate(pairs((0.9, 79, 79)), 0.95).threshold is None
    assert (calibrate(pairs((0.9, 79, 79)), 0.95).lacks, calibrate(pairs((0.9, 80, 80)), 0.95).lacks) == (
        1,
        0,
    )


def test_the_first_failure_ends_a_sequence_and_another_may_go_on() -> None:
    # right at 0.9 and again at 0.3, where only the two longer sequences come: the shortest ended in between
    unlucky = pairs((0.9, 50, 60), (0.8, 39, 40), (0.3, 900, 900))
    assert calibrate(unlucky, 0.9).threshold == 0.3
    # a luck further down does not count where every sequence has ended above it
    lucky = pairs((0.9, 60, 60), (0.5, 150, 260), (0.1, 5000, 5000))
    assert calibrate(lucky, 0.9).threshold == 0.9


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


@pytest.mark.parametrize("target", [0.8, 0.95])
def test_a_wrong_threshold_is_called_proven_less_than_one_time_in_twenty(target: float) -> None:
    """The worst case: at every threshold the share of right ones lies just at the target, or just below it."""
    rng = np.random.default_rng(7)
    wrong = 0
    for _ in range(600):
        scores = rng.random(int(rng.integers(100, 1500)))
        right = rng.random(len(scores)) < target - 1e-9
        given = [Pair(float(score), bool(one)) for score, one in zip(scores, right, strict=True)]
        wrong += calibrate(given, target).threshold is not None
    assert wrong / 600 < 0.05
    assert wrong > 0, "a level that is never used up would cost thresholds that are good"


def test_too_low_a_threshold_is_seldom_proven_where_the_share_falls() -> None:
    """Right with probability c at confidence c ** 0.1: the share above t crosses the target at a known t."""
    rng = np.random.default_rng(8)
    target, wrong, found = 0.9, 0, 0
    for _ in range(300):
        scores = rng.random(1000)
        right = rng.random(1000) < scores**0.25
        given = [Pair(float(score), bool(one)) for score, one in zip(scores, right, strict=True)]
        threshold = calibrate(given, target).threshold
        if threshold is not None:
            found += 1
            share = 0.8 * (1 - threshold**1.25) / (1 - threshold)  # the mean of c^¼ over [t, 1]
            wrong += share < target
    assert wrong / 300 < 0.05
    assert found / 300 > 0.9, "and a threshold that can be proven is found"


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
