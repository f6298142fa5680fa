"""Ranks that stand still (stopped, or stuck while they hold the interpreter): the agent of their node kills
them, so that torchrun starts all again at once instead of when the collectives time out, or never where there is
only one rank.

Told to stop three times while it ends its ranks (by a job, and by the leashes of the others), torchrun leaves
such a rank behind: what is left when it has ended is killed as well.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from training.distributed import elastic
from training.distributed.elastic import Note


class Watch:
    """Looks at the notes of the run in `work`. A rank that takes part in training and has not beaten for
    `patience` seconds is killed.
    """

    def __init__(self, work: Path, patience: float, interval: float = elastic.BEAT_SECONDS) -> None:
        self.work, self.patience, self.interval = work, patience, interval
        self._silence = elastic.Silence()

    def run(self) -> None:
        """Look again and again, for good; in a thread of the agent."""
        while True:
            time.sleep(self.interval)
            self.look()

    def look(self) -> None:
        """Once; the next look must come `interval` seconds later."""
        start = elastic.newest_start(self.work)
        if start is None or not _can_write(start):
            return
        for note in elastic.read_notes(start):
            seconds = self._silence.of(note) * self.interval
            if note.step >= 0 and not note.end and seconds >= self.patience and is_ours(note.pid):
                end(start, note, self.patience)


def end(start: Path, note: Note, patience: float) -> None:
    """Kill a rank, and say in its place how it ended."""
    elastic.say(f"rank {note.rank} has not beaten for {patience:g} s at step {note.step}: it is killed")
    os.kill(note.pid, signal.SIGKILL)  # no other process can have its number: it is our child
    elastic.say_of(start, note, elastic.STILL)


def end_left(work: Path) -> None:
    """Kill the ranks that are left, once torchrun has ended."""
    for note in elastic.newest_notes(work):
        if is_ours(note.pid):
            os.kill(note.pid, signal.SIGKILL)


def _can_write(start: Path) -> bool:
    """Whether the disk takes a beat: where it is full, a rank cannot beat that works."""
    try:
        (start / f"agent-{elastic.node_name()}").write_text(str(time.time()))
    except OSError:
        return False
    return True


def is_ours(pid: int) -> bool:
    """Whether a process is a child of this one and runs; a note can be of an earlier attempt, or of one that was
    killed and is not started again yet.
    """
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    except (AttributeError, ChildProcessError):  # not every system has it: there nobody is killed
        return False
