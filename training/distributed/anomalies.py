"""Steps that must not be taken: a loss or a gradient that is no number, or is like nothing seen before."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np

WINDOW = 100  # steps looked back at
LEAST = 20  # steps before anything counts as a spike
SIGMAS = 12.0
TIMES = 4.0


class Anomaly(RuntimeError):
    """A step was not taken.

    Attributes:
        step: its number, from 1. what: "loss" or "gradient". value: what it was.
    """

    def __init__(self, step: int, what: str, value: float, usual: float) -> None:
        self.step, self.what, self.value, self.usual = step, what, value, usual
        super().__init__(self.sentence())

    def sentence(self) -> str:
        """What happened, for a person."""
        name = "the loss" if self.what == "loss" else "the norm of the gradient"
        if not math.isfinite(self.value):
            return f"{name} became {self.value} at step {self.step}"
        return (
            f"{name} jumped to {self.value:.4g} at step {self.step}, where about {self.usual:.4g} was usual"
        )


@dataclass
class Watch:
    """Looks at each step's loss and gradient norm before the step is taken.

    A value is a spike when it lies above `TIMES` times the largest, and `SIGMAS` robust deviations above the
    median, of the last `WINDOW` steps, and above all of the first `LEAST` steps. One hard item in a batch
    does not do that: late in a training, losses near zero make large ratios ordinary, but none is worse than
    the beginning. NaN and infinity always count.

    Rank-independent if it is given values that all ranks share.
    """

    spikes: bool = True
    seen: dict[str, deque[float]] = field(
        default_factory=lambda: {name: deque(maxlen=WINDOW) for name in ("loss", "gradient")}
    )
    begun: dict[str, float] = field(default_factory=lambda: {"loss": 0.0, "gradient": 0.0})
    steps: int = 0

    def check(self, step: int, *, loss: float, gradient: float) -> None:
        """Take a step's values in.

        Raises:
            Anomaly: the step must not be taken; its values are not taken in.
        """
        values = {"loss": loss, "gradient": gradient}
        for what, value in values.items():
            usual = float(np.median(self.seen[what])) if self.seen[what] else float("nan")
            if not math.isfinite(value) or (self.spikes and self._is_spike(what, value, usual)):
                raise Anomaly(step, what, value, usual)
        for what, value in values.items():
            self.seen[what].append(value)
            if self.steps < LEAST:
                self.begun[what] = max(self.begun[what], value)
        self.steps += 1

    def _is_spike(self, what: str, value: float, usual: float) -> bool:
        seen = self.seen[what]
        if self.steps < LEAST or value <= max(TIMES * max(seen), self.begun[what]):
            return False
        past = np.asarray(seen)
        deviation = 1.4826 * float(np.median(np.abs(past - usual)))
        return value > usual + SIGMAS * max(deviation, 1e-12)
