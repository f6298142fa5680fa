import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.strategies.value.data_shapley import (
    Walks,
    data_shapley,
    exact_shapley,
    summary,
    with_player,
)

few = settings(max_examples=15, deadline=None)


class Game:
    """A random game of up to 10 players: a weighted majority with a bonus for pairs. Counts its calls."""

    def __init__(self, seed, n):
        rng = np.random.default_rng(seed)
        self.weights, self.pairs = rng.normal(size=n), rng.normal(size=(n, n))
        self.calls = 0

    def __call__(self, who):
        self.calls += 1
        chosen = np.asarray(who, dtype=int)
        return float(np.tanh(self.weights[chosen].sum() + self.pairs[np.ix_(chosen, chosen)].sum() / 4))


def test_it_enumerates_the_glove_game():
    """One left glove and two right ones, a pair is worth 1: 2/3, 1/6, 1/6 (Shapley's textbook example)."""
    pair = lambda who: float(0 in who and (1 in who or 2 in who))  # noqa: E731
    assert exact_shapley(pair, 3) == pytest.approx([2 / 3, 1 / 6, 1 / 6])


@few
@given(seed=st.integers(0, 999), n=st.integers(1, 8))
def test_it_enumerates_values_that_add_up(seed, n):
    game = Game(seed, n)
    assert exact_shapley(game, n).sum() == pytest.approx(game(range(n)) - game([]))


@pytest.mark.parametrize("n", [2, 5, 8, 10])
def test_it_comes_as_close_to_enumeration_as_its_intervals_say(n):
    game = Game(n, n)
    exact = exact_shapley(game, n)
    found = data_shapley(game, n, rng=np.random.default_rng(1), half_width=0.03, most_orders=20_000)
    assert found.settled
    assert np.abs(found.values - exact).max() < 0.06
    assert ((found.high - found.low) / 2).max() <= 0.03


def test_its_intervals_hold_as_often_as_they_say():
    held = []
    for seed in range(60):
        game = Game(seed, 4)
        exact = exact_shapley(game, 4)
        found = data_shapley(game, 4, rng=np.random.default_rng(seed), half_width=0.05)
        held.append(((found.low <= exact) & (exact <= found.high)).mean())
    assert 0.9 <= np.mean(held) <= 0.99


def test_it_stops_as_soon_as_it_is_sure():
    """Players that only add up have no spread: 30 orders are enough, and the values are exact."""
    found = data_shapley(lambda who: float(len(who)), 4, rng=np.random.default_rng(0))
    assert found.settled and len(found.walks.orders) == 30
    assert found.values.tolist() == [1.0] * 4


def test_it_says_that_it_is_not_sure_where_it_had_to_stop():
    found = data_shapley(Game(1, 6), 6, rng=np.random.default_rng(0), half_width=1e-6, most_orders=40)
    assert not found.settled and len(found.walks.orders) == 40


def test_it_goes_on_from_the_walks_before_as_if_it_had_never_stopped():
    game, at_once = Game(3, 5), np.random.default_rng(9)
    whole = data_shapley(game, 5, rng=at_once, half_width=0, most_orders=60)
    rng = np.random.default_rng(9)
    part = data_shapley(game, 5, rng=rng, half_width=0, most_orders=25)
    rest = data_shapley(game, 5, rng=rng, before=part.walks, half_width=0, most_orders=60)
    np.testing.assert_allclose(rest.values, whole.values)
    np.testing.assert_allclose(rest.low, whole.low)
    assert rest.walks.orders.tolist() == whole.walks.orders.tolist()


def test_it_spares_evaluations_once_nothing_more_can_be_gained():
    """The first of three players makes the value; the rest of an order is worth less than the truncation."""
    calls = []

    def saturating(who):
        calls.append(len(who))
        return 1.0 - 0.5 ** len(who) if len(who) else 0.0

    found = data_shapley(
        saturating, 10, rng=np.random.default_rng(0), truncation=0.1, half_width=0, most_orders=30
    )
    assert found.walks.reached.tolist() == [4] * 30  # 1 - 1/16 is within 0.1 of 1 - 1/1024
    assert found.walks.evaluations == 2 + 30 * 4
    assert found.values.sum() == pytest.approx(1 - 1 / 16)


@few
@given(seed=st.integers(0, 999), n=st.integers(1, 6), truncation=st.sampled_from([0.0, 0.2]))
def test_it_takes_in_a_new_player_as_if_it_had_walked_those_orders(seed, n, truncation):
    game = Game(seed, n + 1)
    rng = np.random.default_rng(seed)
    before = data_shapley(game, n, rng=rng, half_width=0, most_orders=30, truncation=truncation)
    after = with_player(before.walks, game, rng=rng, truncation=truncation)
    assert np.sort(after.orders, axis=1).tolist() == [list(range(n + 1))] * 30
    if truncation == 0:
        for order, marginals in zip(after.orders, after.marginals, strict=True):
            value = game([])
            for place in range(n + 1):
                following = game(np.sort(order[: place + 1]))
                assert marginals[place] == pytest.approx(following - value, abs=1e-9)
                value = following


def test_it_values_a_new_player_right_with_half_of_the_work():
    game = Game(5, 8)
    rng = np.random.default_rng(2)
    before = data_shapley(game, 7, rng=rng, half_width=0, most_orders=3000)
    after = with_player(before.walks, game, rng=rng)
    found = summary(after)
    np.testing.assert_allclose(found.values, exact_shapley(game, 8), atol=0.05)
    spent = after.evaluations - before.walks.evaluations
    assert spent == pytest.approx(3000 * 8 / 2, rel=0.15)


def test_it_tells_how_far_it_is():
    seen = []
    data_shapley(
        Game(0, 3), 3, rng=np.random.default_rng(0), half_width=0, most_orders=5, on_order=seen.append
    )
    assert seen == [1, 2, 3, 4, 5]


def test_it_refuses_no_player_and_walks_of_others():
    with pytest.raises(ValueError, match="found 0 players, expected 1 or more"):
        data_shapley(lambda who: 0.0, 0, rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="found walks of 3 players, expected 4: use with_player"):
        data_shapley(lambda who: 0.0, 4, rng=np.random.default_rng(0), before=Walks.none(3))
