"""How long a job will still take, from how fast it has gone since its first report."""

from __future__ import annotations

from dataclasses import dataclass

_LEAST_SHARE = 0.01  # before one percent more is done, a figure would be noise
_LEAST_SECONDS = 1.0


@dataclass
class Eta:
    """Feed it (seconds, share done); it answers with seconds left, or None while that cannot be said.

    Measured from the first report and not from zero, so that the start-up of a program, or what an earlier
    attempt had done already, does not count as speed.
    """

    started_at: float | None = None
    started_share: float = 0.0
    last_share: float = 0.0

    def update(self, now: float, share: float) -> float | None:
        fell = share < self.last_share  # a new stage starts from its own beginning
        self.last_share = share
        if self.started_at is None or fell:
            self.started_at, self.started_share = now, share
            return None
        gained, elapsed = share - self.started_share, now - self.started_at
        if gained < _LEAST_SHARE or elapsed < _LEAST_SECONDS:
            return None
        return max(0.0, elapsed * (1.0 - share) / gained)
