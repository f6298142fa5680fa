"""Runs that lose ranks and nodes and go on: how they are launched, and the heart that beats in each rank.

torchrun's agent (one a node) starts the ranks, starts all of them again when one ends, and forms the group
anew when a node is lost or comes. What it does not see is watched here, in a thread of each rank (`Heart`): an
agent that is gone, a rank on another node that will not come back, why a rank ended. A rank that stands still
its own node's agent ends (`stillness`). Notes lie in files of the run's work folder, which all nodes share as
they share the checkpoints.
"""

from __future__ import annotations

import contextlib
import fnmatch
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from training.distributed import listing

AGENT = "training.distributed.agent"  # the module: torchrun, which also sees ranks that stand still
RESTARTS = 10  # of the ranks on one node, before the job itself is tried again
STOPPED = 143  # the code of a process that was told to stop
LEAVE = signal.SIGUSR1  # tells the agent of a node that it is left out
LEFT_OUT = "left out"  # the end in the notes of its ranks
BEAT_SECONDS = 1.0
PATIENCE = 5.0  # seconds without a beat, where a run says nothing else
_SIZE = 1024  # bytes of a note: written in place, so that a full disk does not look like a dead rank
FAR = 12  # ranks wait so many times longer for another one: of its node's agent they know nothing, and its notes
# may come through a shared disk
STILL = "stood still"  # how the note of a rank ends that its agent has killed for it
LOST_PEER = "lost peer"  # how the note of a rank begins that ended because another one had
# A lost agent is missed after interval * attempts seconds; torch's own 5 * 3 and a last call of 30 s cost 48 s.
# Whoever comes after the last call has the group formed once more, so a short one costs no machine its place.
# An agent that is cut off from the meeting place gives up after read_timeout; torch's own is 60 s.
_RENDEZVOUS = "last_call_timeout=1,keep_alive_interval=1,keep_alive_max_attempt=3,read_timeout=30"

# torch 2.13 lets all starts of a group share one store without telling their keys apart: ranks that are started
# again find the addresses of the dead ones there and wait for them until the time-out. A store for each start
# helps.
ENVIRONMENT = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}

# Of ranks, unless a person has set it; glibc reads it when a process starts. torch asks for aligned memory, and
# glibc (2.36) cuts splinters off both ends of each such block. In its caches for small blocks they are never
# joined to their neighbours again, so that a hole does not take a block of the size that left it: a tune took up
# to half as much again as it held. Without the caches it is a quarter to a third, for some 5 % more time.
ALLOCATOR = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0"}


def launcher(
    processes: int, *, nodes: str = "1", endpoint: str = "", run_id: str = "", restarts: int = RESTARTS
) -> list[str]:
    """torchrun's options for one node of a run; it must be started with `ENVIRONMENT`.

    Args:
        processes: ranks on this node.
        nodes: how many nodes, or least:most ("2:8"); the run goes on with any number between.
        endpoint: host:port where the nodes meet, on the node that lives longest; needed for more than one.
        run_id: the same on all nodes and another for each run.
        restarts: how often the ranks of a node are started again; a node that joins or leaves does not count.

    Raises:
        ValueError: nodes in another form, or several nodes without a place to meet.
    """
    least, _, most = nodes.partition(":")
    if not (least.isdigit() and (most or least).isdigit() and 1 <= int(least) <= int(most or least)):
        raise ValueError(f"nodes: found {nodes!r}, expected a number or least:most, such as 1:4")
    if int(most or least) > 1 and not (endpoint and run_id):
        raise ValueError(f"found {nodes} nodes and no place to meet: give endpoint (host:port) and run_id")
    common = [
        f"--nproc-per-node={processes}",
        f"--max-restarts={restarts}",
        "--monitor-interval=0.1",
        "--shutdown-timeout=3",  # less than a job waits that ends its program
    ]
    if not endpoint:
        return ["--standalone", *common]
    return [
        f"--nnodes={nodes}",
        "--rdzv-backend=c10d",
        f"--rdzv-endpoint={endpoint}",
        f"--rdzv-id={run_id}",
        f"--rdzv-conf={_RENDEZVOUS}",
        *common,
    ]


def least_of(nodes: str) -> int:
    """The fewest nodes of "2:8" or "2" that a run goes on with; 1 where `launcher` would refuse it."""
    least = nodes.partition(":")[0]
    return max(1, int(least)) if least.isdigit() else 1


def most_of(nodes: str) -> int:
    """The most nodes of "2:8" or "2"; 1 where `launcher` would refuse it."""
    most = nodes.rpartition(":")[2]
    return max(1, int(most)) if most.isdigit() else 1


def is_launched() -> bool:
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def node_name() -> str:
    """This node's name among those of a run: GYRE_NODE, or the host's name."""
    return os.environ.get("GYRE_NODE") or socket.gethostname()


@dataclass(frozen=True)
class Note:
    """What a rank has last said of itself.

    Attributes:
        step: finished steps; -1 before the first.
        end: how it ended: "done", "stopped" (told to), "lost peer: ...", "memory", ...; "" where it said
            nothing more, which is how a killed process, or one whose machine is gone, looks; STILL, which
            another wrote.
    """

    rank: int
    node: str
    pid: int
    step: int
    beats: int
    at: float
    end: str


def read_notes(folder: Path) -> list[Note]:
    """All notes in a folder, by rank. One that cannot be read is left out; a folder that is gone has none."""
    found = []
    for name in fnmatch.filter(listing.names(folder), "rank-*.json"):
        with contextlib.suppress(OSError, ValueError, TypeError):
            found.append(Note(**json.loads((folder / name).read_text().rstrip("\0 \n"))))
    return sorted(found, key=lambda note: note.rank)


def newest_start(work: Path) -> Path | None:
    """The folder of notes of the newest start in a run's work folder."""
    numbers = [int(name) for name in listing.names(work / "starts") if name.isdigit()]
    return work / "starts" / str(max(numbers)) if numbers else None


def newest_notes(work: Path) -> list[Note]:
    """The notes of the newest start in a run's work folder; none where there was none."""
    start = newest_start(work)
    return read_notes(start) if start else []


def say_of(folder: Path, note: Note, end: str) -> None:
    """Write how a rank ended that can no longer say it itself."""
    with contextlib.suppress(OSError), (folder / f"rank-{note.rank}.json").open("r+b", buffering=0) as file:
        file.write(_bytes(replace(note, end=end)))


def _bytes(note: Note) -> bytes:
    return json.dumps(note.__dict__).encode()[:_SIZE].ljust(_SIZE)


class Silence:
    """How long ranks have not beaten, counted in looks at their notes: when the whole machine sleeps nobody is
    missed.
    """

    def __init__(self) -> None:
        self._seen: dict[int, tuple[tuple[int, str, int], int]] = {}  # rank: what it was, looks since

    def of(self, note: Note) -> int:
        """Looks at this rank since its note last changed; one call is one look."""
        mark = (note.pid, note.end, note.beats)
        before, looks = self._seen.get(note.rank, (None, 0))
        looks = looks + 1 if before == mark else 0
        self._seen[note.rank] = (mark, looks)
        return looks


class Heart:
    """A thread that beats each second and looks after the other ranks.

    * It writes this rank's note: step, beats, how it ended.
    * A rank that says it has ended, or is silent `FAR` times longer than `patience`, will not come back: this
      one ends too. Where a cable was pulled no connection breaks, and the collective would wait for its whole
      time-out.
    * When torchrun's agent is gone (killed) the process ends at once, so that an orphan does not train on beside
      its heirs.
    * When it is told to stop (SIGTERM) it says so in its note and ends at once, even inside a collective.

    Args:
        folder: of the notes of this start of the group, made for it.
        signals: take over SIGTERM; only in a process of its own, from its main thread.
    """

    def __init__(
        self,
        folder: Path,
        rank: int,
        *,
        patience: float = PATIENCE,
        signals: bool = False,
        interval: float = BEAT_SECONDS,
    ) -> None:
        self.folder, self.rank, self.patience, self.interval = folder, rank, patience, interval
        self.step = -1
        self.node, self.beats, self.end = node_name(), 0, ""
        self._parent = os.getppid()
        self._agent = _followed(self._parent) if is_launched() else None
        self._silence = Silence()
        self._lock, self._ended = threading.Lock(), threading.Event()
        folder.mkdir(parents=True, exist_ok=True)
        self._file = os.open(folder / f"rank-{rank}.json", os.O_RDWR | os.O_CREAT, 0o644)
        self._wake, self._told = os.pipe()
        if signals:
            # The interpreter's own handler waits for the main thread, which may be inside a collective for
            # good; the byte in the pipe is written at once whichever thread the signal meets.
            os.set_blocking(self._told, False)
            signal.set_wakeup_fd(self._told, warn_on_full_buffer=False)
            signal.signal(signal.SIGTERM, lambda _number, _frame: None)
        self.write()
        self._thread = threading.Thread(target=self._run, name="heart", daemon=True)
        self._thread.start()

    def move(self, step: int) -> None:
        """This rank has finished `step`; -1: it does not train now.

        The change between the two is written at once: a rank that was stopped between its first step and its
        next beat would else look like one that still loads its data, and nobody would miss it.
        """
        changes = (step < 0) != (self.step < 0)
        self.step = step
        if changes:
            self.write()

    def write(self) -> bool:
        """Write this rank's note now. False if the disk did not take it."""
        with self._lock:
            note = Note(
                self.rank,
                self.node,
                os.getpid(),
                self.step,
                self.beats,
                round(time.time(), 3),
                self.end[:300],
            )
            try:
                os.pwrite(self._file, _bytes(note), 0)
            except OSError:
                return False
            return True

    def stop(self, end: str) -> None:
        """Say how this rank ends, and beat no more."""
        self.end = self.end or end
        self._ended.set()
        self.write()
        with contextlib.suppress(OSError):
            os.write(self._told, b"\0")

    def _run(self) -> None:
        heard = [self._wake] if self._agent is None else [self._wake, self._agent]
        while True:
            ready, _, _ = select.select(heard, [], [], self.interval)
            if self._ended.is_set():
                return
            if self._wake in ready and signal.SIGTERM in os.read(self._wake, 64):
                self._leave("stopped", STOPPED)
            if self._agent in ready or (is_launched() and os.getppid() != self._parent):
                self._leave("its agent was lost", STOPPED)
            self.beats += 1
            if self.write():  # who cannot write a beat does not judge others
                self._look()

    def _look(self) -> None:
        for note in read_notes(self.folder):
            seconds = self._silence.of(note) * self.interval
            trains = note.step >= 0 and note.rank != self.rank and self.step >= 0
            if not trains or note.end == "done" or seconds < self.patience:
                continue
            if note.end:
                self._lose(f"rank {note.rank} on {note.node} ended: {note.end}")
            elif seconds > FAR * self.patience:
                self._lose(f"rank {note.rank} on {note.node} has not beaten for {FAR * self.patience:g} s")

    def _lose(self, what: str) -> None:
        """End because another rank has, so that torchrun forms the group anew without it."""
        if is_launched():  # a process of its own, which is started again
            say(f"{what}: the group is formed anew")
            self._leave(f"{LOST_PEER}: {what}", 1)

    def _leave(self, end: str, code: int) -> None:
        self.end = end
        self.write()
        os._exit(code)


def _followed(process: int) -> int | None:
    """A descriptor that is ready as soon as the process has ended; None where the system has none."""
    try:
        return os.pidfd_open(process)
    except (AttributeError, OSError):  # not Linux, or an old one: then each beat looks
        return None


def say(text: str) -> None:
    """A log line from a thread; one write, so that it is not mixed with another's."""
    sys.stdout.write(json.dumps({"event": "log", "text": text}) + "\n")
    sys.stdout.flush()


def failing_nodes(lost: Sequence[str], nodes: Sequence[str], *, times: int = 3, least: int = 1) -> list[str]:
    """The nodes to leave out: those in `lost` (a name for each lost rank) `times` times or more.

    The most often lost come first; never so many that fewer than `least` of `nodes` remain.
    """
    counted = {name: lost.count(name) for name in dict.fromkeys(nodes)}
    bad = sorted(
        (name for name in counted if counted[name] >= times), key=lambda name: (-counted[name], name)
    )
    return bad[: max(0, len(counted) - max(1, least))]


def describe(note: Note, nodes: int) -> str:
    """A rank for a person: with its node where there are several."""
    return f"rank {note.rank}" + (f" on {note.node}" if nodes > 1 else "")


def lost_among(notes: Sequence[Note]) -> list[Note]:
    """Those that ended without a word of their own: killed, or on a node that is gone."""
    return [note for note in notes if note.end in ("", STILL)]


def lost_each_other(notes: Sequence[Note]) -> bool:
    """Whether ranks ended since they no longer reached another one, though no node was made to leave."""
    ends = [note.end for note in notes]
    return any(end.startswith(LOST_PEER) for end in ends) and LEFT_OUT not in ends
