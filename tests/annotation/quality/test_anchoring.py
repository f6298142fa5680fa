"""Anchoring: two shares and the interval of their difference, from outcomes drawn at random."""

from __future__ import annotations

import math

import numpy as np
import pytest

from annotation.quality.anchoring import Anchoring, Outcome, anchoring, by_key
from annotation.quality.intervals import newcombe


def outcomes(shown: tuple[int, int], hidden: tuple[int, int]) -> list[Outcome]:
    """(agree, of) with the suggestion shown and hidden."""
    found = []
    for is_shown, (agree, of) in ((True, shown), (False, hidden)):
        found += [Outcome(is_shown, True)] * agree + [Outcome(is_shown, False)] * (of - agree)
    return found


# The eight examples of Newcombe (1998), table II, method 10.
PAPER = [
    ((56, 70), (48, 80), 0.0524, 0.3339),
    ((9, 10), (3, 10), 0.1705, 0.8090),
    ((6, 7), (2, 7), 0.0582, 0.8062),
    ((5, 56), (0, 29), -0.0381, 0.1926),
    ((0, 10), (0, 20), -0.1611, 0.2775),
    ((0, 10), (0, 10), -0.2775, 0.2775),
    ((10, 10), (0, 20), 0.6791, 1.0),
    ((10, 10), (0, 10), 0.6075, 1.0),
]


@pytest.mark.parametrize(("a", "b", "low", "high"), PAPER)
def test_it_gives_the_intervals_of_the_paper(a, b, low, high):
    found = newcombe(*a, *b)
    assert found.low == pytest.approx(low, abs=5e-5)
    assert found.high == pytest.approx(high, abs=5e-5)
    assert found.n == a[1] + b[1]


def test_the_interval_turns_round_with_its_sides():
    one, other = newcombe(9, 10, 3, 10), newcombe(3, 10, 9, 10)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


def test_it_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(1000):
        a, b = rng.binomial(200, 0.85), rng.binomial(25, 0.7)
        found = newcombe(int(a), 200, int(b), 25)
        held += found.low <= 0.15 <= found.high
    assert 0.93 <= held / 1000 <= 0.98


def test_it_compares_shown_with_hidden():
    found = anchoring(outcomes((56, 70), (48, 80)))
    assert (found.shown.value, found.shown.n) == (0.8, 70)
    assert (found.hidden.value, found.hidden.n) == (0.6, 80)
    assert found.difference.value == pytest.approx(0.2)
    assert found.is_proven
    assert not anchoring(outcomes((5, 10), (5, 10))).is_proven


@pytest.mark.parametrize("given", [[], outcomes((3, 4), (0, 0)), outcomes((0, 0), (1, 2))])
def test_one_side_alone_proves_nothing(given):
    found = anchoring(given)
    assert math.isnan(found.difference.value)
    assert (found.difference.low, found.difference.high) == (-1.0, 1.0)
    assert not found.is_proven


def test_it_tells_people_apart_most_answers_first():
    rows = by_key(
        [("ana", one) for one in outcomes((1, 2), (1, 1))] + [("bo", one) for one in outcomes((4, 4), (0, 4))]
    )
    assert [(row.key, row.shown.n, row.hidden.n) for row in rows] == [("bo", 4, 4), ("ana", 2, 1)]
    assert isinstance(rows[0], Anchoring)
    assert rows[0].difference.value == 1.0
