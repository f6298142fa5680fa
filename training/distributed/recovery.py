"""What a run has been through and what follows from it, written down so that every later start knows it.

`recovery.json` in the run's work folder holds decisions (batches left out, the factor of the rate, pieces of
a micro-batch, nodes left out) and events for people. Rank 0 alone writes it, by rename; the others are told.

`steps.jsonl` is the journal of steps: which batch was taken at each, and the loss. A step done again after a
recovery must have the same batch and, where the same ranks do it, the same loss; whether it had is told.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from training.distributed import checkpoint

FILE, STEPS = "recovery.json", "steps.jsonl"
MOST_PIECES = 64
KINDS = ("lost", "connection", "network", "memory", "anomaly", "diverged", "node", "checkpoint", "resumed")


@dataclass
class Recovery:
    """Decisions and events of a run.

    Attributes:
        key: what the run trains; the file of another run is not taken.
        skipped: positions in the schedule of the batches that are left out.
        rate: factor of the learning rate.
        pieces: into how many micro-batches each rank's share is cut.
        again: share of what the layers keep for the backward pass that is computed again there instead.
        left_out: nodes that may not take part any more.
        rollbacks: how often a step was not taken.
        events: what happened, oldest first: kind (one of KINDS), step, text, and what the kind adds.
    """

    key: str = ""
    skipped: list[int] = field(default_factory=list)
    rate: float = 1.0
    pieces: int = 1
    again: float = 0.0
    left_out: list[str] = field(default_factory=list)
    rollbacks: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def read(cls, work: Path, key: str) -> Recovery:
        """What was written in `work` for this key; empty where nothing was, or not whole."""
        try:
            found = cls(**json.loads((work / FILE).read_text()))
        except (OSError, ValueError, TypeError):
            return cls(key=key)
        return found if found.key == key else cls(key=key)

    def write(self, work: Path) -> None:
        """Replace the file in `work`, whole or not at all."""
        work.mkdir(parents=True, exist_ok=True)
        draft = work / f".{FILE}.{os.getpid()}"
        draft.write_text(json.dumps(asdict(self), indent=1))
        checkpoint.flush(draft)
        draft.rename(work / FILE)

    def add(self, kind: str, step: int, text: str, **more: Any) -> dict[str, Any]:
        """Note an event. Returns it."""
        assert kind in KINDS, kind
        event = {"kind": kind, "step": step, "text": text, **more}
        self.events.append(event)
        return event

    def leave_out(self, step: int) -> int:
        """Leave out the batch that step `step` (from 1) would take, from now on. Returns its position."""
        position = int(positions(step, self.skipped)[step - 1])
        self.skipped = sorted([*self.skipped, position])
        return position


def positions(steps: int, skipped: Iterable[int]) -> npt.NDArray[np.int64]:
    """Which batch of the schedule each step takes: all in order but the skipped ones, `steps` in all.

    A skipped batch's place is taken by the next, so the number of steps, and the course of the rate, stay.

    >>> positions(4, [1]).tolist()
    [0, 2, 3, 4]
    """
    left = set(skipped)
    found = [at for at in range(steps + len(left)) if at not in left]
    return np.asarray(found[:steps], dtype=np.int64)


class StepJournal:
    """Appends a line a step; not flushed to the disk, since a lost line costs a comparison only.

    Args:
        path: the file. resumed: the step a start goes on from; later steps in the file are done again now.
    """

    def __init__(self, path: Path, resumed: int) -> None:
        self.before = {step: entry for step, entry in read_steps(path).items() if step > resumed}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")
        self.repeated, self.differing = 0, 0

    def add(self, step: int, position: int, loss: float, ranks: int) -> None:
        """Note a step, and compare it with what it was the first time."""
        entry = {"step": step, "batch": position, "loss": loss, "ranks": ranks, "at": round(time.time(), 4)}
        line = json.dumps(entry) + "\n"
        with suppress(OSError):  # a full disk: the run goes on, and this step will not be compared
            self._file.write(line)
            self._file.flush()
        before = self.before.pop(step, None)
        if before is not None:
            self.repeated += 1
            same = before["batch"] == position and abs(before["loss"] - loss) <= 1e-5 * max(1.0, abs(loss))
            self.differing += before["ranks"] == ranks and not same

    def close(self) -> None:
        """No more steps come."""
        self._file.close()


def read_steps(path: Path) -> dict[int, dict[str, Any]]:
    """The last line of each step in a journal, by step: what took effect. Cut-off lines are passed over."""
    found: dict[int, dict[str, Any]] = {}
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return found
    for line in lines:
        try:
            entry = json.loads(line)
            found[int(entry["step"])] = entry
        except (ValueError, KeyError, TypeError):
            continue
    return found
