"""Position bias: whether a response wins because of the place it stood in on the screen.

Responses are shuffled per person and item, so without a bias each place holds the best one equally often: of n
responses 1/n of the time. What people saw is in the trace of their answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from annotation.quality.intervals import Estimate, wilson


class Shown(NamedTuple):
    """One ranking (groups of ids, best first, ties together) and the ids in the order of the screen."""

    ranking: Sequence[Sequence[str]]
    order: Sequence[str]


@dataclass(frozen=True)
class PositionBias:
    """`first`: share of decided looks whose best response stood first, `n` of them; `expected`: that share
    without a bias, the mean of 1/n; `ties`: looks without one best response; `by_position`: for each place, the
    share of the looks that had it whose best response stood there.
    """

    first: Estimate
    expected: float
    ties: int
    by_position: tuple[Estimate, ...]

    @property
    def is_seen(self) -> bool:
        """Whether the interval of the first place leaves out what chance would give."""
        return self.first.n > 0 and not self.first.low <= self.expected <= self.first.high


def position_bias(shown: Iterable[Shown]) -> PositionBias:
    """Looks whose ranking and order do not name the same ids are left out. O(looks · responses).

    Each interval is Wilson's and takes looks for independent; the pairs that a longer ranking holds are not, so
    only its best response counts.

    >>> bias = position_bias([Shown([["a"], ["b"]], ["a", "b"]), Shown([["a", "b"]], ["b", "a"])])
    >>> bias.first.value, bias.expected, bias.ties
    (1.0, 0.5, 1)
    """
    winners: list[tuple[int, int]] = []  # place of the best response, number of responses
    ties = 0
    for ranking, order in shown:
        ids = [identity for group in ranking for identity in group]
        if len(ids) < 2 or sorted(ids) != sorted(order):
            continue
        if len(ranking[0]) > 1:
            ties += 1
        else:
            winners.append((list(order).index(ranking[0][0]), len(ids)))
    sizes = [size for _place, size in winners]
    by_position = [
        wilson(sum(at == place for at, _size in winners), sum(size > place for size in sizes))
        for place in range(max(sizes, default=0))
    ]
    return PositionBias(
        first=by_position[0] if by_position else wilson(0, 0),
        expected=sum(1 / size for size in sizes) / len(sizes) if sizes else float("nan"),
        ties=ties,
        by_position=tuple(by_position),
    )
