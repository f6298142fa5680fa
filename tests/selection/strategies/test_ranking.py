import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.strategies.ranking import Scale, top

numbers = st.floats(-10, 10, allow_nan=False)


@given(st.lists(st.integers(0, 5), max_size=30), st.integers(0, 30))
def test_it_takes_the_highest_scores_and_of_equals_the_first(scores, count):
    count = min(count, len(scores))
    by_hand = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:count]
    assert top(np.array(scores, dtype=float), count).tolist() == by_hand


@pytest.mark.parametrize("how", ["rank", "quantile"])
@given(
    reference=st.lists(numbers, min_size=1, max_size=30), scores=st.lists(numbers, min_size=2, max_size=30)
)
def test_it_scales_into_the_unit_interval_and_keeps_the_order(how, reference, scores):
    given_scores = np.sort(np.array(scores))
    scaled = Scale(np.array(reference), how)(given_scores)
    assert ((scaled >= 0) & (scaled <= 1)).all()
    assert (np.diff(scaled) >= 0).all()


def test_it_cuts_off_what_lies_outside_of_the_smallest_spread():
    scale = Scale(np.array([0.0, 5e-324]), "quantile")
    assert scale(np.array([-1.0, 0.0, 5e-324, 1.0])).tolist() == [0.0, 0.0, 1.0, 1.0]


def test_it_ranks_by_the_share_below_with_half_of_the_ties():
    assert Scale(np.array([1.0, 2.0, 2.0, 5.0]), "rank")(np.array([0.0, 1.0, 2.0, 9.0])).tolist() == [
        0.0,
        0.125,
        0.5,
        1.0,
    ]


def test_it_is_not_squeezed_by_an_outlier():
    scores = np.append(np.linspace(0, 1, 100), 1e9)
    scaled = Scale(scores, "quantile")(scores)
    assert scaled[-1] == 1.0
    assert scaled[50] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("how", ["rank", "quantile"])
def test_it_lets_a_constant_part_speak_for_nobody(how):
    assert Scale(np.full(5, 3.0), how)(np.full(5, 3.0)).tolist() == [0.5] * 5


def test_it_falls_back_to_the_extremes_where_the_quantiles_meet():
    scores = np.array([0.0] * 99 + [1.0])
    scaled = Scale(scores, "quantile")(scores)
    assert scaled[0] == 0.0
    assert scaled[-1] == 1.0
