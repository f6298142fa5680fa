"""Data Shapley by truncated Monte Carlo (Ghorbani & Zou 2019), with a stop by confidence, and kept up to
date.

s_i = mean over orders of v(those before i and i) - v(those before i). Each random order is walked from the
empty set; once v is within `truncation` of v(all), the rest of the order counts 0. What is estimated is the
truncated value: its bias is at most `truncation` for each item, and 0 with a truncation of 0.

The orders and marginals are kept, so that a later call goes on from there, and a new item is put into the
orders that there are (Zhang et al. 2023, the pivot method): what stood before it stays, only what comes
after is worked out again, on average half.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Utility = Callable[[Ints], float]

LEAST_ORDERS = 30  # fewer say too little about their own spread


@dataclass(frozen=True)
class Walks:
    """Random orders that were walked: t orders of n players.

    Attributes:
        orders: (t, n) int64. marginals: (t, n) by place in the order, 0 behind `reached`.
        reached: (t,) places that were worked out. evaluations: calls of the utility so far.
    """

    orders: Ints
    marginals: Array
    reached: Ints
    evaluations: int = 0

    @classmethod
    def none(cls, n: int) -> Walks:
        return cls(np.empty((0, n), dtype=np.int64), np.empty((0, n)), np.empty(0, dtype=np.int64))

    def by_player(self) -> Array:
        """(t, n) marginals by player."""
        out = np.empty_like(self.marginals)
        np.put_along_axis(out, self.orders, self.marginals, axis=1)
        return out


@dataclass(frozen=True)
class Shapley:
    """Attributes:
    values: (n,). low, high: (n,) interval of each at the confidence asked for.
    walks: what a later call goes on from. settled: the widest interval is as narrow as asked.
    """

    values: Array
    low: Array
    high: Array
    walks: Walks
    settled: bool


def data_shapley(
    utility: Utility,
    n: int,
    *,
    rng: np.random.Generator,
    before: Walks | None = None,
    half_width: float = 0.01,
    confidence: float = 0.95,
    truncation: float = 0.0,
    most_orders: int = 2_000,
    check_every: int = 10,
    on_order: Callable[[int], None] = lambda done: None,
) -> Shapley:
    """Walk orders until every item's interval is at most `half_width` to each side, or `most_orders` are
    walked.

    Args:
        utility: v of an ascending array of players; v of none is asked too. n: players.
        before: walks of an earlier call, which are counted in.
        on_order: told how many orders are done; may raise to stop.

    Intervals are Student's t over orders, looked at every `check_every` orders from 30 on; looking often
    makes the true confidence a little smaller than the asked one. Cost: up to n + 2 evaluations an order.
    """
    if n < 1:
        raise ValueError(f"found {n} players, expected 1 or more")
    walks = before or Walks.none(n)
    if walks.orders.shape[1] != n:
        raise ValueError(f"found walks of {walks.orders.shape[1]} players, expected {n}: use with_player")
    nothing, everything = utility(np.empty(0, dtype=np.int64)), utility(np.arange(n))
    orders, marginals, reached = list(walks.orders), list(walks.marginals), list(walks.reached)
    evaluations = walks.evaluations + 2
    kept = _sums(walks.by_player())
    while len(orders) < most_orders:
        is_look = len(orders) >= LEAST_ORDERS and len(orders) % check_every == 0
        if is_look and _half_widths(kept, len(orders), confidence).max() <= half_width:
            break
        order = rng.permutation(n)
        own, until = _walk(utility, order, np.zeros(n), 0, nothing, everything, truncation)
        evaluations += until
        orders.append(order)
        marginals.append(own)
        reached.append(np.int64(until))
        by_player = np.empty(n)
        by_player[order] = own
        kept = (kept[0] + by_player, kept[1] + by_player**2)
        on_order(len(orders))
    done = Walks(np.asarray(orders), np.asarray(marginals), np.asarray(reached), evaluations)
    return summary(done, half_width=half_width, confidence=confidence)


def summary(walks: Walks, *, half_width: float = 0.01, confidence: float = 0.95) -> Shapley:
    """Values and intervals of walks. O(t n)."""
    by_player = walks.by_player()
    values = by_player.mean(axis=0)
    wide = _half_widths(_sums(by_player), len(by_player), confidence)
    return Shapley(values, values - wide, values + wide, walks, bool(wide.max() <= half_width))


def with_player(
    walks: Walks, utility: Utility, *, rng: np.random.Generator, truncation: float = 0.0
) -> Walks:
    """The walks after player n has joined: it is put at a uniform place of every order.

    A uniform order of n with one more at a uniform place is a uniform order of n + 1, so the new walks are
    what new orders would have given. `utility` is that of all n + 1. On average half of the evaluations.
    """
    count, n = walks.orders.shape
    nothing, everything = utility(np.empty(0, dtype=np.int64)), utility(np.arange(n + 1))
    orders = np.empty((count, n + 1), dtype=np.int64)
    marginals, reached = np.zeros((count, n + 1)), np.empty(count, dtype=np.int64)
    evaluations = walks.evaluations + 2
    for at in range(count):
        place = int(rng.integers(n + 1))
        orders[at] = np.insert(walks.orders[at], place, n)
        first = min(place, int(walks.reached[at]))
        marginals[at, :first] = walks.marginals[at, :first]
        marginals[at], until = _walk(
            utility, orders[at], marginals[at], first, nothing, everything, truncation
        )
        evaluations += until - first
        reached[at] = until
    return Walks(orders, marginals, reached, evaluations)


def _walk(
    utility: Utility,
    order: Ints,
    marginals: Array,
    first: int,
    nothing: float,
    everything: float,
    slack: float,
) -> tuple[Array, int]:
    """Fill the marginals of one order from place `first` on; return them and how far it went."""
    marginals = marginals.copy()
    value = nothing + float(marginals[:first].sum())
    for place in range(first, len(order)):
        if slack > 0 and abs(everything - value) < slack:
            return marginals, place
        last = place + 1 == len(order)
        after = everything if last else utility(np.sort(order[: place + 1]))
        marginals[place], value = after - value, after
    return marginals, len(order)


def exact_shapley(utility: Utility, n: int) -> Array:
    """(n,) by enumeration of all 2^n sets (Shapley 1953): the twin, for n <= 12 or so.

    >>> exact_shapley(lambda who: float(len(who)), 3).tolist()
    [1.0, 1.0, 1.0]
    """
    value = {
        who: utility(np.asarray(who, dtype=np.int64))
        for size in range(n + 1)
        for who in combinations(range(n), size)
    }
    out = np.zeros(n)
    for player in range(n):
        others = [one for one in range(n) if one != player]
        for size in range(n):
            share = 1.0 / (n * math.comb(n - 1, size))
            for who in combinations(others, size):
                out[player] += share * (value[tuple(sorted((*who, player)))] - value[who])
    return out


def _sums(by_player: Array) -> tuple[Array, Array]:
    return by_player.sum(axis=0), (by_player**2).sum(axis=0)


def _half_widths(sums: tuple[Array, Array], count: int, confidence: float) -> Array:
    """(n,) half widths of Student's intervals; infinite for fewer than two orders."""
    if count < 2:
        return np.full(len(sums[0]), np.inf)
    spread = np.maximum(sums[1] - sums[0] ** 2 / count, 0.0) / (count - 1)
    return student.ppf((1 + confidence) / 2, count - 1) * np.sqrt(spread / count)
