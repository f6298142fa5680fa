from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from training.distributed import autotune


class Machine:
    """Tells rates as a function of settings, and a clock that a trial moves by one second."""

    def __init__(self, rate: Callable[[dict[str, Any]], float]) -> None:
        self.rate, self.now, self.asked = rate, 0.0, 0

    def measure(self, settings: dict[str, Any]) -> float:
        self.now += 1
        self.asked += 1
        return self.rate(settings)

    def clock(self) -> float:
        return self.now


START = {"threads": 1, "micro_batch": 8}
CHOICES = {"threads": [1, 2], "micro_batch": [8, 16, 32]}


def tuned(rate: Callable[[dict[str, Any]], float], seconds: float = 100) -> tuple[autotune.Tuned, Machine]:
    machine = Machine(rate)
    return autotune.tune(machine.measure, START, CHOICES, seconds=seconds, clock=machine.clock), machine


def test_it_finds_the_fastest_and_says_by_how_much() -> None:
    found, machine = tuned(lambda s: 100 * s["threads"] ** 0.5 * (1.2 if s["micro_batch"] == 16 else 1))
    assert found.settings == {"threads": 2, "micro_batch": 16}
    assert found.gain == pytest.approx(1.2 * 2**0.5 - 1)
    assert str(found) == "70 % faster with threads 2, micro_batch 16"
    assert found.complete and machine.asked == 1 + 1 + 2 + 6


def test_it_keeps_the_start_where_nothing_wins_clearly() -> None:
    found, _ = tuned(lambda s: 100 + s["threads"])
    assert found.settings == START and found.gain == 0
    assert str(found) == "the settings as they were are the fastest of 4 tried"


def test_a_win_by_chance_does_not_pass_the_last_comparison() -> None:
    lucky = iter([100.0, 150.0])
    found, _ = tuned(lambda s: next(lucky, 100.0))
    assert found.settings == START and found.gain == 0


def test_settings_that_cannot_run_are_lost_trials() -> None:
    def rate(settings: dict[str, Any]) -> float:
        if settings["micro_batch"] == 32:
            raise RuntimeError("not enough memory: you tried to allocate 9 GB\nmore")
        return 100 * settings["threads"]

    found, _ = tuned(rate)
    assert found.settings == {"threads": 2, "micro_batch": 8}
    assert [trial.error for trial in found.trials if trial.error] == [
        "not enough memory: you tried to allocate 9 GB"
    ]


def test_it_ends_in_time_and_says_that_it_has_not_tried_everything() -> None:
    found, machine = tuned(lambda s: 100 * s["threads"], seconds=5)
    assert machine.now <= 5
    assert not found.complete and found.settings["threads"] == 2


def test_bad_questions_are_refused() -> None:
    with pytest.raises(ValueError, match="found choices of workers"):
        autotune.tune(lambda s: 1.0, START, {"workers": [1]}, seconds=1)
    with pytest.raises(ValueError, match="seconds: found 0"):
        autotune.tune(lambda s: 1.0, START, CHOICES, seconds=0)
    with pytest.raises(ValueError, match="cannot run: no"):
        tuned(lambda s: (_ for _ in ()).throw(ValueError("no")))
