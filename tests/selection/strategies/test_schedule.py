import pytest

from selection.strategies.schedule import Weights, course, weights_at

EARLY, LATE = Weights(0.3, 0.6, 0.1), Weights(0.3, 0.1, 0.6)


@pytest.mark.parametrize(
    ("turn", "beta", "gamma"), [(-1, 0.6, 0.1), (0, 0.6, 0.1), (2, 0.4, 0.3), (5, 0.1, 0.6), (50, 0.1, 0.6)]
)
def test_it_moves_on_a_straight_line_and_then_stays(turn, beta, gamma):
    weights = weights_at(EARLY, LATE, turn, 5)
    assert (weights.alpha, weights.beta, weights.gamma) == pytest.approx((0.3, beta, gamma))


def test_it_stays_where_it_is_when_nothing_shall_move():
    assert weights_at(EARLY, LATE, 7, 0) == EARLY


def test_it_gives_a_chart_a_line_for_each_weight():
    assert course(EARLY, LATE, 5, shown=3)["gamma"] == pytest.approx([0.1, 0.2, 0.3])
    assert set(course(EARLY, LATE, 5, shown=3)) == {"alpha", "beta", "gamma"}


def test_it_names_the_weight_that_is_wrong():
    with pytest.raises(ValueError, match="last_gamma: found -1, expected a number of at least 0"):
        Weights(1, 1, -1, names="last_")
