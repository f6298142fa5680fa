"""Faster settings for a fine-tune, found on the machine itself before it begins.

What is tried: threads, items at once (the batch of a step stays: more parts are taken one after the other),
processes that prepare batches and how many these keep ready, and compiling the encoder. None changes what is
learnt by more than rounding and other random numbers of dropout. Ranks try together, since they share cores,
and go by the mean of their rates.

What was found is written into the run's work folder: a run that is taken up again keeps it, so that its steps
come out as they would have.
"""

from __future__ import annotations

import copy
import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from training.distributed import autotune, communicate
from training.learning.loading import Collate, Loading, RankBatches, TokenData, loader
from training.learning.precision import Precision
from training.learning.surviving import split
from training.learning.text_model import TextClassifier

FILE = "faster.json"
WORKERS_FROM, COMPILE_FROM = (
    30.0,
    120.0,
)  # seconds of budget: starting processes, or compiling, takes that long
BATCHES = 16  # different ones at most in a trial


@dataclass(frozen=True, kw_only=True)
class Faster:
    """Settings that a fine-tune goes by.

    Attributes:
        threads: of torch. micro_batch: items a rank takes at once; 0: its whole share of a batch.
        workers, prefetch: see loading. compile: whether the encoder is compiled.
    """

    threads: int
    micro_batch: int = 0
    workers: int = 0
    prefetch: int = 2
    compile: bool = False

    @property
    def loading(self) -> Loading:
        return Loading(self.workers, self.prefetch)

    def pieces(self, share: int) -> int:
        """In how many parts a rank takes its share of a batch."""
        return math.ceil(share / self.micro_batch) if self.micro_batch else 1

    def prepare(self, encoder: Any) -> None:
        """Bring this process and the encoder into line."""
        torch.set_num_threads(self.threads)
        if self.compile:
            encoder.compile(dynamic=True)


def asked_for(seconds: float, share: int, *, cores: int, ranks: int, is_plain: bool) -> dict[str, list[Any]]:
    """What to try within so many seconds, the most promising first.

    Args:
        share: items of a batch on one rank. cores: of this machine, for so many ranks.
        is_plain: batches are known beforehand and weights lie whole, so that loading and compiling may change.
    """
    each = max(1, cores // ranks)
    found: dict[str, list[Any]] = {
        "threads": list(dict.fromkeys([each, max(1, each // 2), cores])),
        "micro_batch": [size for size in (share // 2, share // 4) if size],
    }
    if is_plain and seconds >= WORKERS_FROM:
        found |= {"workers": [1, 2], "prefetch": [4]}
    if is_plain and seconds >= COMPILE_FROM and (torch.cuda.is_available() or shutil.which("g++")):
        found["compile"] = [True]
    return found


@dataclass(frozen=True, kw_only=True)
class Trials:
    """Measures settings on steps of the run: its model, data and batches, forward and backward.

    `share`: items of a batch on this rank.
    """

    model: TextClassifier
    data: TokenData
    collate: Collate
    batches: Sequence[npt.NDArray[np.int64]]
    weights: npt.NDArray[np.float64]
    share: int
    precision: Precision
    device: torch.device

    def search(self, seconds: float, *, cores: int, is_plain: bool) -> autotune.Tuned:
        """The fastest settings found within the time; all ranks call it and get the same."""
        ranks = communicate.world_size()
        start = Faster(threads=torch.get_num_threads(), micro_batch=self.share)
        pace = _Pace(self, min(4.0, max(0.2, seconds / 20)))
        try:
            return autotune.tune(
                lambda settings: _of_all_ranks(lambda: pace.measure(Faster(**settings)), self.device),
                start.__dict__,
                asked_for(seconds, self.share, cores=cores, ranks=ranks, is_plain=is_plain),
                seconds=seconds,
                clock=lambda: float(communicate.agreed(repr(time.monotonic()), self.device)),
            )
        finally:
            torch.set_num_threads(start.threads)


class _Pace:
    """Items a second; the first trial settles how many batches every trial goes through."""

    def __init__(self, trials: Trials, seconds: float) -> None:
        self.trials, self.seconds, self.batches = trials, seconds, 0

    def measure(self, settings: Faster) -> float:
        trials = self.trials
        model = copy.deepcopy(trials.model) if settings.compile else trials.model
        settings.prepare(model.encoder)
        model.train()
        rows = [trials.batches[at % len(trials.batches)] for at in range(10**4)]
        sampler = RankBatches(rows, trials.weights, communicate.rank(), communicate.world_size())
        items = done = 0
        begun = time.perf_counter()
        # One more than counts: the first pass allocates, compiles, and waits for the loader to start.
        for number, batch in enumerate(loader(trials.data, sampler, trials.collate, settings.loading)):
            self._step(model, batch, settings)
            if not number:
                begun = time.perf_counter()
                continue
            items, done = items + len(batch["ids"]), number
            if done >= (self.batches or BATCHES) or (
                not self.batches and time.perf_counter() - begun >= self.seconds
            ):
                break
        took = time.perf_counter() - begun
        if not self.batches:
            self.batches = int(_least(done, trials.device))
        return items / max(took, 1e-9)

    def _step(self, model: TextClassifier, batch: dict[str, Any], settings: Faster) -> None:
        trials = self.trials
        moved = {name: value.to(trials.device) for name, value in batch.items()}
        half = trials.precision == "bf16"
        for part in split(moved, settings.pieces(trials.share)):
            with torch.autocast(trials.device.type, dtype=torch.bfloat16, enabled=half):
                logits = model(part["ids"], part["mask"])
            losses = trials.collate.task.losses(logits.float(), part["targets"])
            (losses * part["scales"]).sum().backward()
        model.zero_grad(set_to_none=True)
        if trials.device.type == "cuda":
            torch.cuda.synchronize()


def _of_all_ranks(measure: Callable[[], float], device: torch.device) -> float:
    """The mean rate. Where one rank cannot, none can: they must go on together."""
    communicate.barrier()
    rate, why = math.nan, ""
    try:
        rate = measure()
    except (RuntimeError, MemoryError, ValueError) as error:
        why = str(error)
    total = float(communicate.summed(np.asarray([rate], dtype=np.float32), device)[0])
    if math.isnan(total):
        raise RuntimeError(why or "another rank cannot run these settings")
    return total / communicate.world_size()


def _least(value: int, device: torch.device) -> float:
    """The mean over ranks, rounded down: enough for all to do the same."""
    total = communicate.summed(np.asarray([value], dtype=np.float32), device)
    return max(1.0, float(total[0]) // communicate.world_size())


def remembered(work: Path, device: torch.device) -> dict[str, Any] | None:
    """What an earlier attempt of this run found, on every rank; None where none did."""
    text = ""
    if communicate.rank() == 0 and (work / FILE).is_file():
        text = (work / FILE).read_text()
    found = communicate.agreed(text, device)
    return dict(json.loads(found)) if found else None


def remember(work: Path, found: dict[str, Any]) -> None:
    """Write it down, whole or not at all; by rank 0."""
    work.mkdir(parents=True, exist_ok=True)
    draft = work / f".{FILE}.tmp"
    draft.write_text(json.dumps(found))
    draft.replace(work / FILE)


def to_json(found: autotune.Tuned, seconds: float) -> dict[str, Any]:
    """For result.json: the settings kept, what they were, and the gain."""
    return {
        "settings": found.settings,
        "start": found.trials[0].settings,
        "gain": round(found.gain, 4),
        "tried": len({json.dumps(trial.settings, sort_keys=True) for trial in found.trials}),
        "failed": sum(bool(trial.error) for trial in found.trials),
        "complete": found.complete,
        "seconds": round(seconds, 1),
    }
