"""Weights of the blend that move from round to round: diversity early, hardness late."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf


@dataclass(frozen=True)
class Weights:
    """Weights of uncertainty, diversity and hardness: each finite and at least 0, not all of them 0.

    `names`: what stands before their names in a message.
    """

    alpha: float
    beta: float
    gamma: float
    names: str = field(default="", compare=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("alpha", "beta", "gamma"):
            if not 0 <= getattr(self, name) < inf:
                raise ValueError(
                    f"{self.names}{name}: found {getattr(self, name)}, expected a number of at least 0"
                )
        if self.alpha + self.beta + self.gamma == 0:
            raise ValueError(
                f"{self.names}alpha, {self.names}beta and {self.names}gamma are all 0, expected at least one "
                "above: nothing would count"
            )


def weights_at(first: Weights, last: Weights, turn: int, rounds: int) -> Weights:
    """The weights of round `turn`, counted from 0: `first` in round 0, `last` from round `rounds` on, on the
    straight line between them before; with `rounds` 0 always `first`.

    >>> weights_at(Weights(0.4, 0.6, 0.0), Weights(0.4, 0.2, 0.4), turn=5, rounds=10)
    Weights(alpha=0.4, beta=0.4, gamma=0.2)
    """
    if rounds < 1:
        return first
    way = min(max(turn, 0) / rounds, 1.0)
    return Weights(
        _between(first.alpha, last.alpha, way),
        _between(first.beta, last.beta, way),
        _between(first.gamma, last.gamma, way),
    )


def course(first: Weights, last: Weights, rounds: int, *, shown: int) -> dict[str, list[float]]:
    """The weights of the first `shown` rounds, by name: what a chart of the schedule draws.

    >>> course(Weights(1, 1, 0), Weights(1, 0, 1), 2, shown=4)["gamma"]
    [0, 0.5, 1, 1]
    """
    turns = [weights_at(first, last, turn, rounds) for turn in range(shown)]
    return {name: [getattr(weights, name) for weights in turns] for name in ("alpha", "beta", "gamma")}


def _between(start: float, end: float, way: float) -> float:
    if way in (0.0, 1.0):
        return end if way else start
    return round(start + (end - start) * way, 12)
