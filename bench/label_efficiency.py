"""How many labels picking saves: every strategy against random, on labelled sets, with the probe as the
learner; and, on one seed and five batches, the default against random with a fine-tune.

Frozen MiniLM embeddings, logistic regression, 20 batches of 25 (banking77: 100). The first batch is the same
cold start for every strategy of a seed, so that seeds are paired and only what comes after it is compared.
The fine-tune is the product's own (`manage.py simulate --model finetune`).
The default was chosen on held-out parts of the training files of snips and sib200_zh_en (`--choose` prints
that comparison); the other two sets are only reported.

The whole takes hours on two cores. Every finished run is written down in var/bench-cache, and `--resume` goes
on after those of the same code and data.

    python -m bench.label_efficiency [--quick] [--json FILE] [--resume] [--minutes M] [--processes N]
    python -m bench.label_efficiency --choose
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from bench import _sets
from bench._kept import Kept
from bench._label_runs import Found, Means, OutOfTime, Task, all_runs, finetuned, load
from bench._report import Figure, main
from selection.evidence import learning_curve
from selection.strategies.registry import STRATEGIES

SETS = {"snips": 25, "sib200_zh_en": 25, "banking77": 100, "crosswoz_turns_zh": 25}  # set -> batch size
CHOSEN_ON = ("snips", "sib200_zh_en")
DEFAULT, BASELINE = "default", "random"
BATCHES, QUICK_BATCHES, FINETUNE_BATCHES = 20, 6, 5
SEEDS, QUICK_SEEDS, CHOICE_SEEDS = 5, 2, 8
MORE_SEEDS = 10  # of those that the aims are about, and margin beside them
CLOSE = (BASELINE, DEFAULT, "margin")
QUICK_STRATEGIES = (BASELINE, "margin", DEFAULT)
PROCESSES = 2
GO_ON = 3  # exit status: the time given is over, and runs are left

Curves = npt.NDArray[np.float64]  # (seeds, batches) accuracy


def distinct_strategies(names: tuple[str, ...]) -> dict[str, str]:
    """Strategy -> the one that is run for it: the default is another's twin, and is not run twice."""
    seen: dict[tuple[object, object], str] = {}
    return {
        name: seen.setdefault((STRATEGIES[name].function, repr(STRATEGIES[name].settings())), name)
        for name in names
    }


def measure(
    name: str,
    seeds: Mapping[str, int],
    means: Means,
    *,
    quick: bool = False,
    choosing: bool = False,
) -> tuple[list[int], dict[str, Curves]]:
    """Label counts and the curves of each strategy on one set, with so many seeds each."""
    # Here and now: what has to be embedded is embedded once, and a missing set told.
    load(name, quick, choosing)
    twin = distinct_strategies(tuple(seeds))
    wanted: dict[str, int] = {}
    for strategy, which in twin.items():
        wanted[which] = max(wanted.get(which, 0), seeds[strategy])
    batches = QUICK_BATCHES if quick else BATCHES
    batch = 25 if quick else SETS[name]
    tasks = [
        Task(
            set=name, strategy=which, seed=seed, batch=batch, batches=batches, quick=quick, choosing=choosing
        )
        for seed in range(max(wanted.values()))
        for which, count in wanted.items()
        if seed < count
    ]
    found: dict[Task, Found] = {}
    for task, course in all_runs(tasks, means):
        found[task] = course
        print(f"{name}: {len(found)} of {len(tasks)} runs", end="\r", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    curves = {
        which: np.array([found[task][1] for task in tasks if task.strategy == which]) for which in wanted
    }
    return found[tasks[0]][0], {strategy: curves[which] for strategy, which in twin.items()}


def show(name: str, labels: list[int], curves: dict[str, Curves]) -> None:
    """The comparison of one set, for people."""
    print(f"\n{name}: {len(labels)} batches, {labels[-1]} labels, paired seeds")
    heads = f"{'area':>7} {'gain, points [95 %]':>26} {'final':>7} {'labels':>7} {'ratio':>6}"
    print(f"{'strategy':18} {'seeds':>5} {heads}")
    for strategy, found in curves.items():
        base = curves[BASELINE][: len(found)]
        target = float(base.mean(axis=0)[-1])
        gain = learning_curve.area_gain(labels, found, base)
        needed = learning_curve.labels_to(labels, found.mean(axis=0), target)
        ratio = learning_curve.labels_ratio(labels, found, base)
        interval = f"{100 * gain.value:+.2f} [{100 * gain.low:+.2f}, {100 * gain.high:+.2f}]"
        area = learning_curve.areas(labels, found).mean()
        end = found.mean(axis=0)[-1]
        shown = "never" if ratio is None else f"{ratio:.2f}"
        row = f"{area:7.4f} {interval:>26} {end:7.4f} {needed or '–':>7} {shown:>6}"
        print(f"{strategy:18} {len(found):5} {row}")
    print(flush=True)


def figures(quick: bool, means: Means) -> Iterator[Figure]:
    """Two figures a set for the default, the area gain of every strategy, and what a fine-tune confirms."""
    seeds = {name: MORE_SEEDS if name in CLOSE else SEEDS for name in STRATEGIES}
    if quick:
        seeds = dict.fromkeys(QUICK_STRATEGIES, QUICK_SEEDS)
    ratios = []
    for name in SETS:
        try:
            found = measure(name, seeds, means, quick=quick)
        except _sets.SetMissing as missing:
            yield Figure(f"label_efficiency.auc_gain_low.{name}", skipped=str(missing))
            yield Figure(f"label_efficiency.labels_ratio.{name}", skipped=str(missing))
            continue
        show(name, *found)
        yield from _of_set(name, *found)
        ratios.append(_ratio(*found))
        if not quick:
            yield _confirmed(name, means)
    if ratios:
        mean = None if None in ratios else round(float(np.mean([r for r in ratios if r is not None])), 3)
        yield Figure("label_efficiency.labels_ratio_mean", mean, "ratio", f"random, {len(ratios)} sets", mean)


def _ratio(labels: list[int], curves: dict[str, Curves]) -> float | None:
    return learning_curve.labels_ratio(labels, curves[DEFAULT], curves[BASELINE])


def _confirmed(name: str, means: Means) -> Figure:
    """The default against random where the whole encoder learns: one seed, so there is no interval."""
    wanted = [DEFAULT, BASELINE]
    found = finetuned(name, strategies=wanted, batch=SETS[name], batches=FINETUNE_BATCHES, means=means)
    print(f"{name}, fine-tuned: accuracy after {', '.join(map(str, found[BASELINE][0]))} labels")
    for strategy in wanted:
        print(f"{strategy:18} {'  '.join(f'{value:.4f}' for value in found[strategy][1])}")
    print(flush=True)
    labels, areas = found[BASELINE][0], {}
    for strategy in wanted:
        areas[strategy] = float(learning_curve.areas(labels, [found[strategy][1]])[0])
    against = f"random, area {100 * areas[BASELINE]:.2f}; one seed, {len(labels)} batches"
    gain = round(100 * (areas[DEFAULT] - areas[BASELINE]), 3)
    return Figure(f"label_efficiency.finetune_gain.{name}", gain, "accuracy points", against)


def _of_set(name: str, labels: list[int], curves: dict[str, Curves]) -> Iterator[Figure]:
    base = curves[BASELINE]
    gain = learning_curve.area_gain(labels, curves[DEFAULT], base)
    area = f"random, area {100 * learning_curve.areas(labels, base).mean():.2f}"
    yield Figure(f"label_efficiency.auc_gain_low.{name}", round(100 * gain.low, 3), "accuracy points", area)
    ratio = _ratio(labels, curves)
    against = f"random, final accuracy {base.mean(axis=0)[-1]:.4f}"
    if ratio is None:
        against += ", not reached"
    yield Figure(f"label_efficiency.labels_ratio.{name}", ratio, "ratio", against, ratio)
    for strategy, found in curves.items():
        if strategy != BASELINE:
            value = learning_curve.area_gain(labels, found, base[: len(found)])
            interval = f"random, 95 % from {100 * value.low:+.2f} to {100 * value.high:+.2f}"
            figure = f"label_efficiency.auc_gain.{name}.{strategy}"
            yield Figure(figure, round(100 * value.value, 3), "accuracy points", interval)


def choose(means: Means) -> None:
    """Print the comparison that the default is chosen by; test files are not looked at."""
    for name in CHOSEN_ON:
        try:
            show(
                f"{name} (a quarter of the training file held out)",
                *measure(name, dict.fromkeys(STRATEGIES, CHOICE_SEEDS), means, choosing=True),
            )
        except _sets.SetMissing as missing:
            print(f"{name} skipped: {missing}")


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--choose", action="store_true", help="the comparison that the default is chosen by")
    parser.add_argument("--resume", action="store_true", help="take up the runs that have ended before")
    parser.add_argument("--minutes", type=float, help="begin no further run after so long; --resume goes on")
    parser.add_argument("--processes", type=int, default=PROCESSES, help="runs at once")
    return parser


def command(arguments: list[str]) -> int:
    """The command line; GO_ON where `--minutes` were over before the last run."""
    options = _options()
    given, _rest = options.parse_known_args(arguments)
    until = None if given.minutes is None else time.monotonic() + 60 * given.minutes
    kept = Kept(_sets.CACHE / "label_efficiency.jsonl", resume=given.resume)
    means = Means(kept=kept, processes=given.processes, until=until)

    def measured(quick: bool) -> Iterator[Figure]:
        yield from figures(quick, means)

    try:
        if given.choose:
            choose(means)
            return 0
        return main(measured, arguments, options=options)
    except OutOfTime:
        print(f"{given.minutes:g} minutes are over: --resume goes on", file=sys.stderr)
        return GO_ON


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
