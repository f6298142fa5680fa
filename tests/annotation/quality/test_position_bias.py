from __future__ import annotations

import math

import pytest

from annotation.quality.intervals import wilson
from annotation.quality.position_bias import Shown, position_bias

FIRST, SECOND = Shown([["a"], ["b"]], ["a", "b"]), Shown([["a"], ["b"]], ["b", "a"])


def test_it_counts_how_often_the_first_place_wins() -> None:
    bias = position_bias([FIRST] * 7 + [SECOND] * 3)
    assert bias.first == wilson(7, 10)
    assert bias.expected == 0.5
    assert [(one.value, one.n) for one in bias.by_position] == [(0.7, 10), (0.3, 10)]
    assert not bias.is_seen  # 7 of 10 may be chance


@pytest.mark.parametrize(("first", "second"), [(70, 30), (30, 70)])
def test_it_sees_a_bias_either_way(first: int, second: int) -> None:
    assert position_bias([FIRST] * first + [SECOND] * second).is_seen


def test_ties_for_the_first_place_are_counted_apart() -> None:
    tied = Shown([["a", "b"], ["c"]], ["c", "b", "a"])
    last_tied = Shown([["c"], ["a", "b"]], ["c", "b", "a"])
    bias = position_bias([tied, last_tied])
    assert (bias.ties, bias.first.n, bias.first.value) == (1, 1, 1.0)


def test_chance_depends_on_the_number_of_responses() -> None:
    three = Shown([["a"], ["b"], ["c"]], ["b", "c", "a"])
    bias = position_bias([FIRST, three])
    assert bias.expected == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert [one.n for one in bias.by_position] == [2, 2, 1]
    assert [one.value for one in bias.by_position] == [0.5, 0.0, 1.0]


def test_looks_that_do_not_fit_are_left_out() -> None:
    other = Shown([["a"], ["b"]], ["a", "c"])
    bias = position_bias([other, Shown([["a"]], ["a"])])
    assert (bias.first.n, bias.ties, bias.by_position, bias.is_seen) == (0, 0, (), False)
    assert math.isnan(bias.expected)
