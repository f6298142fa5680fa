"""Finding faster settings by trying them on the machine itself, within a time budget.

One setting after the other is varied from the best so far; a change is kept only if it wins by more than the
noise, and the whole result is measured once more against the start, turn by turn, before it counts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

LEAST_GAIN = 0.03  # what a setting must win to be kept; less is noise on a machine that others use as well
ROUNDS = 3  # of the last comparison

Settings = dict[str, Any]
Measure = Callable[[Settings], float]  # items a second; raises where the settings cannot run


@dataclass(frozen=True)
class Trial:
    """Settings with the items a second they gave; `error` says why there are none."""

    settings: Settings
    rate: float
    error: str = ""


@dataclass(frozen=True)
class Tuned:
    """What came of a search.

    Attributes:
        settings: the fastest that proved so, or the start. gain: their rate over the start's, less one, by the
            last comparison; 0 for the start itself.
        trials: everything measured, in order. complete: whether all choices were tried in the time.
    """

    settings: Settings
    gain: float
    trials: list[Trial] = field(default_factory=list)
    complete: bool = True

    def __str__(self) -> str:
        if not self.gain:
            return f"the settings as they were are the fastest of {len(self.trials)} tried"
        return (
            f"{100 * self.gain:.0f} % faster with {', '.join(f'{k} {v}' for k, v in self.settings.items())}"
        )


def tune(
    measure: Measure,
    start: Settings,
    choices: Mapping[str, Sequence[Any]],
    *,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> Tuned:
    """Search settings that train faster.

    Args:
        measure: items a second of some settings. An error or lack of memory counts as a lost trial.
        start: the settings now; must run. choices: values to try, by setting, the most promising first.
        seconds: no new trial begins that would, going by the longest so far, end later.

    Raises:
        ValueError: a choice of a setting that `start` has not, or no time.
    """
    if unknown := sorted(set(choices) - set(start)):
        raise ValueError(f"found choices of {', '.join(unknown)}, expected only settings that the start has")
    if not seconds > 0:
        raise ValueError(f"seconds: found {seconds}, expected more than 0")
    search = _Search(measure, seconds, clock)
    best = search.tried(start)
    if best.error:
        raise ValueError(f"the settings to start from cannot run: {best.error}")
    complete = True
    for name, values in choices.items():
        for value in values:
            if value == best.settings[name]:
                continue
            if not search.has_time(1 + 2):  # two are kept back for the last comparison
                complete = False
                break
            trial = search.tried({**best.settings, name: value})
            if trial.rate > best.rate * (1 + LEAST_GAIN):
                best = trial
    gain = search.compared(start, best.settings) if best.settings != start else 0.0
    if gain <= LEAST_GAIN:  # nothing won, or by chance
        return Tuned(start, 0.0, search.trials, complete)
    return Tuned(best.settings, gain, search.trials, complete)


class _Search:
    """Trials with the time they take."""

    def __init__(self, measure: Measure, seconds: float, clock: Callable[[], float]) -> None:
        self.measure, self.seconds, self.clock = measure, seconds, clock
        self.begun, self.longest = clock(), 0.0
        self.trials: list[Trial] = []

    def tried(self, settings: Settings) -> Trial:
        before = self.clock()
        trial = _try(self.measure, settings)
        self.longest = max(self.longest, self.clock() - before)
        self.trials.append(trial)
        return trial

    def has_time(self, runs: int) -> bool:
        return self.clock() - self.begun + runs * self.longest <= self.seconds

    def compared(self, start: Settings, best: Settings) -> float:
        """The rate of `best` over that of `start`, less one: medians of rounds in turns."""
        rates: list[tuple[float, float]] = []
        while len(rates) < ROUNDS and (not rates or self.has_time(2)):
            rates.append((self.tried(start).rate, self.tried(best).rate))
        before, after = (statistics.median(column) for column in zip(*rates, strict=True))
        return after / max(before, 1e-12) - 1


def _try(measure: Measure, settings: Settings) -> Trial:
    try:
        return Trial(settings, measure(settings))
    except (RuntimeError, MemoryError, ValueError) as error:  # torch's lack of memory is a RuntimeError
        return Trial(settings, 0.0, str(error).split("\n")[0][:200])
