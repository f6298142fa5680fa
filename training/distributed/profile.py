"""Where the time of a training step goes: torch's profiler around a few steps, read into shares and advice."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function

from training.distributed.memory import Peak
from training.distributed.reasons import Reason
from training.distributed.shape import Shape

TRACE = "trace.json.gz"
WAIT = "gyre: waiting for data"
MUCH_WAIT, MUCH_COMMUNICATION, MUCH_IDLE = 0.1, 0.3, 0.3  # shares of a step that call for advice
_COMMUNICATION = ("gloo:", "nccl", "c10d::")

Span = tuple[float, float]


class StepProfiler:
    """Profiles steps `first` to `first + count - 1` of a run (counted from 0) and leaves a trace in a folder.

    Call `step(number)` at the start of each step, `end()` when training is over, and enter `waiting()` where
    the next batch is fetched. The profiler slows the profiled steps down, so the seconds it tells are not the
    run's.
    """

    def __init__(self, folder: Path, *, first: int, count: int) -> None:
        if first < 0 or count < 1:
            raise ValueError(f"found {count} steps from {first} on, expected one or more, from 0 on")
        self.folder, self.first, self.count = folder, first, count
        self.peak = Peak()
        self.seconds = 0.0
        self.steps = 0
        self._profiler: Any = None
        self._begun = 0.0

    @property
    def running(self) -> bool:
        return self._profiler is not None

    def step(self, number: int) -> None:
        if number == self.first and not self.running and not self.steps:
            self._start()
        elif self.running:
            self.steps += 1
            if self.steps == self.count:
                self._stop()

    def end(self) -> None:
        """Training is over; a step that was under way counts."""
        if self.running:
            self.steps += 1
            self._stop()

    def abandon(self) -> None:
        """Training has failed: stop looking and leave nothing. torch allows one profiler at a time."""
        if self.running:
            self._profiler.stop()
            self._profiler = None

    def waiting(self) -> AbstractContextManager[Any]:
        """Around the fetching of a batch."""
        return record_function(WAIT) if self.running else nullcontext()

    def _start(self) -> None:
        activities = [ProfilerActivity.CPU]
        if torch.cuda.is_available():
            activities.append(ProfilerActivity.CUDA)
        self.peak.begin()
        self._profiler = profile(activities=activities, acc_events=True)
        self._profiler.start()
        self._begun = time.perf_counter()

    def _stop(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.seconds = time.perf_counter() - self._begun
        self._profiler.stop()
        self.peak.end()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._profiler.export_chrome_trace(str(self.folder / TRACE))
        self._profiler = None


@dataclass(frozen=True)
class Shares:
    """Parts of the profiled time; together 1. Communication counts where no arithmetic hides it; waiting
    where neither goes on; idle is the rest: Python, starting of kernels, other processes on the cores.
    """

    compute: float
    communication: float
    waiting: float
    idle: float

    def to_json(self) -> dict[str, float]:
        return {name: round(getattr(self, name), 4) for name in self.__dataclass_fields__}


def read(profiler: StepProfiler) -> dict[str, Any]:
    """What the profiled steps say, as plain figures; empty where none was profiled."""
    if not profiler.steps:
        return {}
    found = shares(events(profiler.folder / TRACE), profiler.seconds)
    a_step = profiler.seconds / profiler.steps
    return {
        "steps": profiler.steps,
        "first_step": profiler.first,
        "seconds_a_step": round(a_step, 5),
        "shares": found.to_json(),
        "peak_bytes": profiler.peak.bytes,
        "advice": [reason.to_json() for reason in advice(found)],
        "trace": TRACE,
    }


def events(trace: Path) -> list[dict[str, Any]]:
    """The timed events of a trace file."""
    with gzip.open(trace, "rt", encoding="utf-8") as stream:
        return [event for event in json.load(stream)["traceEvents"] if event.get("ph") == "X"]


def shares(found: list[dict[str, Any]], seconds: float) -> Shares:
    """Divide `seconds` by what goes on. On a GPU its kernels count, else the operations of the processor.

    Args:
        found: events of a trace: `name`, `cat`, `ts` and `dur` in microseconds.
    """
    if not seconds > 0:
        raise ValueError(f"found {seconds} seconds, expected more than 0")
    on_gpu = any(event.get("cat") == "kernel" for event in found)
    compute: list[Span] = []
    communication: list[Span] = []
    waiting: list[Span] = []
    for event in found:
        span = (float(event["ts"]), float(event["ts"]) + float(event["dur"]))
        name, kind = str(event["name"]), event.get("cat")
        if any(word in name for word in _COMMUNICATION):
            communication.append(span)
        elif name == WAIT:
            waiting.append(span)
        elif kind == "kernel" if on_gpu else (kind == "cpu_op" and name.startswith("aten::")):
            compute.append(span)
    busy = length(compute)
    with_talk = length(compute + communication)
    with_wait = length(compute + communication + waiting)
    whole = max(seconds * 1e6, with_wait)
    return Shares(
        compute=busy / whole,
        communication=(with_talk - busy) / whole,
        waiting=(with_wait - with_talk) / whole,
        idle=(whole - with_wait) / whole,
    )


def length(spans: list[Span]) -> float:
    """What the union of some intervals covers. O(n log n).

    >>> length([(0, 2), (1, 3), (5, 6)])
    4.0
    """
    covered, reached = 0.0, float("-inf")
    for begin, end in sorted(spans):
        if end > reached:
            covered += end - max(begin, reached)
            reached = end
    return covered


def flops(shape: Shape, tokens: float) -> float:
    """Operations that learning from so many tokens needs: 6 a parameter and token (2 forward, 2 backward through
    it, 2 for its own gradient, which what does not learn has not; the embedding is only looked up), and
    attention. What is computed twice does not count (Chowdhery et al. 2022, PaLM, appendix B): operations over
    seconds and the machine's rate are the model FLOPs utilisation.
    """
    matrices = shape.parameters - shape.embedding + (shape.embedding if shape.tied else 0)
    learning = min(matrices, shape.learning)
    attention = 12.0 * shape.layers * shape.hidden * shape.sequence
    return tokens * (4.0 * matrices + 2.0 * learning + attention)


def matrix_rate(device: torch.device, dtype: torch.dtype = torch.float32, seconds: float = 0.2) -> float:
    """Operations a second of large matrix products here, now, with the threads that are set."""
    size = 4096 if device.type == "cuda" else 768
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    best = float("inf")
    for took in _times(left, right, seconds):
        best = min(best, took)
    return 2.0 * size**3 / best


def _times(left: torch.Tensor, right: torch.Tensor, seconds: float) -> Iterator[float]:
    until = time.perf_counter() + seconds
    while True:
        begun = time.perf_counter()
        left @ right
        if left.is_cuda:
            torch.cuda.synchronize()
        now = time.perf_counter()
        yield now - begun
        if now > until:
            return


def advice(found: Shares) -> list[Reason]:
    """What to change, the largest loss first; one line of praise where there is nothing."""
    told = []
    if found.communication > MUCH_COMMUNICATION:
        told.append((found.communication, Reason("much_communication", share=_percent(found.communication))))
    if found.waiting > MUCH_WAIT:
        told.append((found.waiting, Reason("much_waiting", share=_percent(found.waiting))))
    if found.idle > MUCH_IDLE:
        told.append((found.idle, Reason("much_idle", share=_percent(found.idle))))
    if not told:
        return [Reason("well_used", share=_percent(found.compute))]
    return [reason for _share, reason in sorted(told, key=lambda pair: -pair[0])]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
