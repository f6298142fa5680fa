"""How many labels picking saves: every strategy against random, on labelled sets, with the probe as the
learner.

Frozen MiniLM embeddings, logistic regression, 20 batches of 25 (banking77: 100). The first batch is the same
cold start for every strategy of a seed, so that seeds are paired and only what comes after it is compared.
The default was chosen on held-out parts of the training files of snips and sib200_zh_en (`--choose` prints
that comparison); the other two sets are only reported.

    python -m bench.label_efficiency [--quick] [--json FILE]
    python -m bench.label_efficiency --choose
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context

import numpy as np
import numpy.typing as npt

from bench import _sets
from bench._report import Figure, main
from selection.evidence import learning_curve, simulation
from selection.evidence.simulation import Examples, Plan
from selection.strategies.registry import STRATEGIES

SETS = {"snips": 25, "sib200_zh_en": 25, "banking77": 100, "crosswoz_turns_zh": 25}  # set -> batch size
CHOSEN_ON = ("snips", "sib200_zh_en")
DEFAULT, BASELINE = "default", "random"
BATCHES, QUICK_BATCHES = 20, 6
SEEDS, QUICK_SEEDS, CHOICE_SEEDS = 5, 2, 8
QUICK_STRATEGIES = (BASELINE, "margin", DEFAULT)
QUICK_POOL, QUICK_TEST = 500, 250
HELD_OUT = 0.25  # of the training file, for the choice
PROCESSES = 2

Curves = npt.NDArray[np.float64]  # (seeds, batches) accuracy


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


@lru_cache(maxsize=2)
def _load(name: str, quick: bool, choosing: bool) -> tuple[Examples, Examples]:
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


def run(task: Task) -> tuple[list[int], list[float]]:
    """(labels, accuracy) after each batch."""
    pool, test = _load(task.set, task.quick, task.choosing)
    plan = Plan(strategy=task.strategy, batch=task.batch, batches=task.batches, seed=task.seed)
    course = simulation.run(pool, test, plan)
    return course.labels.tolist(), course.accuracy.tolist()


def _quieten() -> None:
    """scikit-learn takes the first labels of a set of 77 for a regression, and says so at every fit."""
    warnings.filterwarnings("ignore", message="The number of unique classes", category=UserWarning)


def distinct_strategies(names: tuple[str, ...]) -> dict[str, str]:
    """Strategy -> the one that is run for it: the default is another's twin, and is not run twice."""
    seen: dict[tuple[object, object], str] = {}
    return {
        name: seen.setdefault((STRATEGIES[name].function, repr(STRATEGIES[name].settings())), name)
        for name in names
    }


def measure(
    name: str, strategies: tuple[str, ...], seeds: int, *, quick: bool = False, choosing: bool = False
) -> tuple[list[int], dict[str, Curves]]:
    """Label counts and the curves of each strategy on one set."""
    _load(
        name, quick, choosing
    )  # here and now: what has to be embedded is embedded once, and a missing set told
    twin = distinct_strategies(strategies)
    batches = QUICK_BATCHES if quick else BATCHES
    batch = 25 if quick else SETS[name]
    tasks = [
        Task(
            set=name, strategy=which, seed=seed, batch=batch, batches=batches, quick=quick, choosing=choosing
        )
        for seed in range(seeds)
        for which in dict.fromkeys(twin.values())
    ]
    # Processes, not threads: the probe's solver is Python. Spawned: a fork after torch has run can hang.
    os.environ["OMP_NUM_THREADS"] = "1"
    curves: dict[str, list[list[float]]] = {}
    labels: list[int] = []
    with ProcessPoolExecutor(PROCESSES, get_context("spawn"), initializer=_quieten) as workers:
        for number, (task, found) in enumerate(zip(tasks, workers.map(run, tasks), strict=True), start=1):
            labels = found[0]
            curves.setdefault(task.strategy, []).append(found[1])
            print(f"{name}: {number} of {len(tasks)} runs", end="\r", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return labels, {strategy: np.array(curves[which]) for strategy, which in twin.items()}


def show(name: str, labels: list[int], curves: dict[str, Curves]) -> None:
    """The comparison of one set, for people."""
    seeds = len(curves[BASELINE])
    print(f"\n{name}: {len(labels)} batches, {labels[-1]} labels, {seeds} paired seeds")
    print(f"{'strategy':18} {'area':>7} {'gain, points [95 %]':>26} {'final':>7} {'labels':>7} {'ratio':>6}")
    target = float(curves[BASELINE].mean(axis=0)[-1])
    for strategy, found in curves.items():
        gain = learning_curve.area_gain(labels, found, curves[BASELINE])
        needed = learning_curve.labels_to(labels, found.mean(axis=0), target)
        ratio = learning_curve.labels_ratio(labels, found, curves[BASELINE])
        interval = f"{100 * gain.value:+.2f} [{100 * gain.low:+.2f}, {100 * gain.high:+.2f}]"
        area = learning_curve.areas(labels, found).mean()
        end = found.mean(axis=0)[-1]
        shown = "never" if ratio is None else f"{ratio:.2f}"
        print(f"{strategy:18} {area:7.4f} {interval:>26} {end:7.4f} {needed or '–':>7} {shown:>6}")
    print(flush=True)


def figures(quick: bool) -> Iterator[Figure]:
    """Two figures a set for the default, and the area gain of every other strategy."""
    strategies = QUICK_STRATEGIES if quick else tuple(STRATEGIES)
    for name in SETS:
        try:
            labels, curves = measure(name, strategies, QUICK_SEEDS if quick else SEEDS, quick=quick)
        except _sets.SetMissing as missing:
            yield Figure(f"label_efficiency.auc_gain_low.{name}", skipped=str(missing))
            yield Figure(f"label_efficiency.labels_ratio.{name}", skipped=str(missing))
            continue
        show(name, labels, curves)
        yield from _of_set(name, labels, curves)


def _of_set(name: str, labels: list[int], curves: dict[str, Curves]) -> Iterator[Figure]:
    base = curves[BASELINE]
    gain = learning_curve.area_gain(labels, curves[DEFAULT], base)
    area = f"random, area {100 * learning_curve.areas(labels, base).mean():.2f}"
    yield Figure(f"label_efficiency.auc_gain_low.{name}", round(100 * gain.low, 3), "accuracy points", area)
    ratio = learning_curve.labels_ratio(labels, curves[DEFAULT], base)
    against = f"random, final accuracy {base.mean(axis=0)[-1]:.4f}"
    if ratio is None:
        against += ", not reached"
    yield Figure(f"label_efficiency.labels_ratio.{name}", ratio, "ratio", against, ratio)
    for strategy, found in curves.items():
        if strategy != BASELINE:
            value = learning_curve.area_gain(labels, found, base)
            interval = f"random, 95 % from {100 * value.low:+.2f} to {100 * value.high:+.2f}"
            figure = f"label_efficiency.auc_gain.{name}.{strategy}"
            yield Figure(figure, round(100 * value.value, 3), "accuracy points", interval)


def choose() -> int:
    """Print the comparison that the default is chosen by; test files are not looked at."""
    for name in CHOSEN_ON:
        try:
            show(
                f"{name} (a quarter of the training file held out)",
                *measure(name, tuple(STRATEGIES), CHOICE_SEEDS, choosing=True),
            )
        except _sets.SetMissing as missing:
            print(f"{name} skipped: {missing}")
    return 0


if __name__ == "__main__":
    sys.exit(choose() if "--choose" in sys.argv[1:] else main(figures))
