"""One way through a labelled set: by the probe on arrays, or by the whole product with a fine-tune."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench import _label_peers, _sets
from bench._kept import Kept, fingerprint
from bench._label_peers import PEERS, PeerFailed
from selection.evidence import simulation
from selection.evidence.simulation import Examples, Plan
from training.learning import probe

QUICK_POOL, QUICK_TEST = 500, 250
HELD_OUT = 0.25  # of the training file, for the choice
PEER_CODE = ("bench/_label_peer*.py",)
PROBE_CODE = ("selection/strategies/*.py", "selection/evidence/simulation.py", "training/learning/probe.py")
FINETUNE_CODE = (
    *PROBE_CODE,
    "selection/services/*.py",
    "training/learners.py",
    "training/learning/*.py",
    "training/programs/*.py",
)

Found = tuple[list[int], list[float]]  # labels and accuracy after each batch


class OutOfTime(Exception):
    """The time given is over; what has ended is kept."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One way through one set; small, since it travels to a worker process."""

    set: str
    strategy: str
    seed: int
    batch: int
    batches: int
    quick: bool = False
    choosing: bool = False


@dataclass(frozen=True, kw_only=True)
class Means:
    """How runs are made.

    Attributes:
        kept: where finished ones are written down. processes: at once.
        until: `time.monotonic()` after which no further run is begun; None: no end.
    """

    kept: Kept
    processes: int = 2
    until: float | None = None

    def over(self) -> bool:
        return self.until is not None and time.monotonic() > self.until


@lru_cache(maxsize=2)
def load(name: str, quick: bool, choosing: bool) -> tuple[Examples, Examples]:
    """(pool, test) of a set. Choosing: both are parts of the training file, and the test file is not looked
    at.
    """
    limits = {"pool_limit": QUICK_POOL, "test_limit": QUICK_TEST} if quick else {}
    found = _sets.load(name, **limits)
    if not choosing:
        return found.pool, found.test
    assert found.pool.clusters is not None
    kinds = found.pool.clusters.max() + 1
    held = np.random.default_rng(0).random(kinds)[found.pool.clusters] < HELD_OUT  # duplicates stay together
    return _subset(found.pool, ~held), _subset(found.pool, held)


def _subset(examples: Examples, keep: npt.NDArray[np.bool_]) -> Examples:
    assert examples.clusters is not None
    return Examples(examples.embeddings[keep], examples.labels[keep], examples.clusters[keep])


def run(task: Task) -> Found:
    """(labels, accuracy) after each batch.

    Raises:
        PeerFailed: it is a peer's strategy, and its process failed.
    """
    pool, test = load(task.set, task.quick, task.choosing)
    plan = Plan(strategy=task.strategy, batch=task.batch, batches=task.batches, seed=task.seed)
    with _label_peers.at_hand(task.strategy, pool.embeddings, task.seed):
        course = simulation.run(pool, test, plan)
    return course.labels.tolist(), course.accuracy.tolist()


def quieten() -> None:
    """scikit-learn takes the first labels of a set of 77 for a regression, and says so at every fit."""
    warnings.filterwarnings("ignore", message="The number of unique classes", category=UserWarning)


def all_runs(tasks: list[Task], means: Means) -> Iterator[tuple[Task, Found | PeerFailed]]:
    """Every task with what it gave, as they end; those that are kept first.

    A peer that failed is given in place of what it would have found, and no other run suffers from it.

    Raises:
        OutOfTime: some are left, and the time given is over.
    """
    keys = {task: _key(task) for task in tasks}
    left = []
    for task in tasks:
        found = means.kept.found(keys[task])
        if found is None:
            left.append(task)
        else:
            yield task, (found[0], found[1])
    if not left:
        return
    # Processes, not threads: the probe's solver is Python. Spawned: a fork after torch has run can hang.
    os.environ["OMP_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(means.processes, get_context("spawn"), initializer=quieten) as workers:
        going: dict[Future[Found], Task] = {}
        while left or going:
            while left and len(going) < means.processes and not means.over():
                task = left.pop(0)
                going[workers.submit(run, task)] = task
            if not going:
                raise OutOfTime
            for ended in wait(going, return_when=FIRST_COMPLETED).done:
                task = going.pop(ended)
                if isinstance(failed := ended.exception(), PeerFailed):
                    yield task, failed
                    continue
                means.kept.keep(keys[task], ended.result())
                yield task, ended.result()


def _key(task: Task) -> dict[str, Any]:
    key = asdict(task) | {"learner": "probe", "code": _code(PROBE_CODE), "data": _data(task.set)}
    if task.strategy in PEERS:
        key |= {"peer": _label_peers.version_of(task.strategy), "peer_code": _code(PEER_CODE)}
    return key


def full_accuracy(name: str, means: Means, *, quick: bool = False, choosing: bool = False) -> float:
    """Share of test items right once the same probe has learnt the whole pool, in [0, 1].

    One fit: the solver draws nothing, so that no seed changes it.
    """
    key = {"set": name, "quick": quick, "choosing": choosing, "learner": "probe", "labels": "all"}
    key |= {"code": _code(PROBE_CODE), "data": _data(name)}
    found = means.kept.found(key)
    if found is None:
        pool, test = load(name, quick, choosing)
        k = int(max(pool.labels.max(), test.labels.max())) + 1
        head = probe.fit(pool.embeddings, pool.labels, k, c=Plan.c, seed=0)
        found = float((head.probabilities(test.embeddings).argmax(axis=1) == test.labels).mean())
        means.kept.keep(key, found)
    return float(found)


def finetuned(
    name: str, *, strategies: list[str], batch: int, batches: int, means: Means
) -> dict[str, Found]:
    """Strategy -> its course with one seed, fine-tuned anew after every batch by `manage.py simulate`: the
    product's own rounds.

    Raises:
        OutOfTime: it has not been run yet, and the time given is over.
        RuntimeError: the simulation failed.
    """
    key = {"set": name, "strategies": strategies, "batch": batch, "batches": batches, "learner": "finetune"}
    key |= {"code": _code(FINETUNE_CODE), "data": _data(name)}
    found = means.kept.found(key)
    if found is None:
        if means.over():
            raise OutOfTime
        found = _simulate(name, strategies, batch, batches)
        means.kept.keep(key, found)
    return {strategy: (labels, accuracy) for strategy, (labels, accuracy) in found.items()}


def _simulate(name: str, strategies: list[str], batch: int, batches: int) -> dict[str, Found]:
    folder = _sets.data_folder() / name
    with tempfile.TemporaryDirectory(prefix="gyre-bench-") as work:
        out = Path(work) / "curves.json"
        command = [sys.executable, str(_sets.ROOT / "manage.py"), "simulate", "--model", "finetune"]
        command += ["--data", str(folder / "train.jsonl.gz"), "--test", str(folder / "test.jsonl.gz")]
        command += ["--strategy", ",".join(strategies), "--batch", str(batch), "--rounds", str(batches)]
        command += ["--seeds", "1", "--control-share", "0", "--json", str(out)]
        ended = subprocess.run(
            command, stdout=subprocess.DEVNULL, env={**os.environ, "DATA_DIR": work}, check=False
        )
        if ended.returncode:
            raise RuntimeError(f"simulate ended with {ended.returncode} on {name}; it says why above")
        curves = json.loads(out.read_text())["curves"]
    return {curve["strategy"]: (curve["labels"], curve["accuracy"]) for curve in curves}


@lru_cache
def _code(patterns: tuple[str, ...]) -> str:
    return fingerprint(_sets.ROOT, patterns)


@lru_cache
def _data(name: str) -> str:
    return fingerprint(_sets.data_folder() / name, ("train.jsonl.gz", "test.jsonl.gz"))
