"""How many labels picking saves: every strategy, ours and the peers' own, against random, on labelled sets,
with the probe as the learner; how many each needs for 90 % and 95 % of what the probe reaches on the whole
pool; and, on one seed and five batches, the default against random with a fine-tune.

Frozen MiniLM embeddings, logistic regression, 20 batches of 25 (banking77: 100). The first batch is the same
cold start for every strategy of a seed, so that seeds are paired and only what comes after it is compared.
The fine-tune is the product's own (`manage.py simulate --model finetune`).
The peers (scikit-activeml, small-text) run in a venv of their own, see bench/_label_peers.py; without it each
is skipped and says so. The default was chosen on held-out parts of the training files of snips and sib200_zh_en
(`--choose` prints that comparison); the other two sets are only reported.

The whole takes hours on two cores. Every finished run is written down in var/bench-cache, and `--resume` goes
on after those of the same code and data.

    python -m bench.label_efficiency [--quick] [--json FILE] [--resume] [--minutes M] [--processes N]
        [--sets A,B] [--seeds N] [--strategies A,B] [--no-finetune]
    python -m bench.label_efficiency --choose [--resume] [--strategies A,B]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench import _sets
from bench._kept import Kept
from bench._label_peers import PEERS, PeerFailed, reason_to_skip
from bench._label_runs import Means, OutOfTime, Task, all_runs, finetuned, full_accuracy, load
from bench._label_targets import reached, show_reached
from bench._report import Figure, main
from selection.evidence import learning_curve
from selection.strategies.registry import STRATEGIES

SETS = {"snips": 25, "sib200_zh_en": 25, "banking77": 100, "crosswoz_turns_zh": 25}  # set -> batch size
CHOSEN_ON = ("snips", "sib200_zh_en")
DEFAULT, BASELINE = "default", "random"
BATCHES, QUICK_BATCHES, FINETUNE_BATCHES = 20, 6, 5
SEEDS, PEER_SEEDS, QUICK_SEEDS, CHOICE_SEEDS = 3, 10, 2, 8
# Of those that the aims are about, and margin beside them. On two of the sets a seed moves the area by three
# points, so that ten seeds tell gains from 2 points on, and twenty from 1.4 on.
MORE_SEEDS = {BASELINE: 20, DEFAULT: 20, "margin": 10}
QUICK_STRATEGIES = (BASELINE, "margin", DEFAULT, "scikit-activeml.margin", "small-text.breaking_ties")
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


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What of the whole is run.

    Attributes:
        sets: names of SETS. seeds: at most so many of each strategy; None: as many as it has by the plan.
        strategies: those of ours and of the peers besides random; None: all. finetune: confirm by fine-tuning.
    """

    sets: tuple[str, ...] = tuple(SETS)
    seeds: int | None = None
    strategies: tuple[str, ...] | None = None
    finetune: bool = True

    def of_each(self, quick: bool) -> dict[str, int]:
        """Strategy -> seeds, random first."""
        seeds = {name: MORE_SEEDS.get(name, SEEDS) for name in STRATEGIES} | dict.fromkeys(PEERS, PEER_SEEDS)
        if quick:
            seeds = dict.fromkeys(QUICK_STRATEGIES, QUICK_SEEDS)
        return {
            name: min(count, self.seeds or count)
            for name, count in seeds.items()
            if self.strategies is None or name in (BASELINE, *self.strategies)
        }


@dataclass(frozen=True)
class Measured:
    """One set. Attributes: labels: after each batch. curves: of each strategy. skipped: why others have none."""

    labels: list[int]
    curves: dict[str, Curves]
    skipped: dict[str, str]


def measure(
    name: str, seeds: Mapping[str, int], means: Means, *, quick: bool = False, choosing: bool = False
) -> Measured:
    """The curves of each strategy on one set, with so many seeds each."""
    # Here and now: what has to be embedded is embedded once, and a missing set told.
    answers = load(name, quick, choosing)[0].labels
    size = len(answers), int(answers.max()) + 1
    skipped = {peer: why for peer in PEERS if peer in seeds and (why := reason_to_skip(peer, *size))}
    ours = distinct_strategies(tuple(strategy for strategy in seeds if strategy not in PEERS))
    twin = ours | {peer: peer for peer in PEERS if peer in seeds and peer not in skipped}
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
    found: dict[str, dict[int, list[float]]] = {which: {} for which in wanted}
    labels: list[int] = []
    for done, (task, course) in enumerate(all_runs(tasks, means), start=1):
        if isinstance(course, PeerFailed):
            skipped[task.strategy] = str(course)
        else:
            labels, found[task.strategy][task.seed] = course
        print(f"{name}: {done} of {len(tasks)} runs", end="\r", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    curves = {
        strategy: np.array([found[which][seed] for seed in range(wanted[which])])
        for strategy, which in twin.items()
        if strategy not in skipped
    }
    return Measured(labels, curves, skipped)


def show(name: str, labels: list[int], curves: dict[str, Curves]) -> None:
    """The comparison of one set, for people."""
    print(f"\n{name}: {len(labels)} batches, {labels[-1]} labels, paired seeds")
    heads = f"{'area':>7} {'gain, points [95 %]':>26} {'final':>7} {'labels':>7} {'ratio':>6}"
    print(f"{'strategy':32} {'seeds':>5} {heads}")
    for strategy, found in curves.items():
        base = curves[BASELINE][: len(found)]
        target = float(base.mean(axis=0)[-1])
        gain = learning_curve.area_gain(labels, found, base)
        needed = learning_curve.labels_to(labels, found.mean(axis=0), target)
        ratio = learning_curve.labels_ratio(labels, found, base)
        interval = f"{100 * gain.value:+.2f} [{100 * gain.low:+.2f}, {100 * gain.high:+.2f}]"
        if len(found) == 1:
            interval = f"{100 * gain.value:+.2f} [one seed]"
        area = learning_curve.areas(labels, found).mean()
        end = found.mean(axis=0)[-1]
        shown = "never" if ratio is None else f"{ratio:.2f}"
        row = f"{area:7.4f} {interval:>26} {end:7.4f} {needed or '–':>7} {shown:>6}"
        print(f"{strategy:32} {len(found):5} {row}")
    print(flush=True)


def figures(quick: bool, means: Means, wanted: Wanted | None = None) -> Iterator[Figure]:
    """Of each set two figures for the default, the area gain of every strategy, the labels that each needs for
    a share of what the whole pool gives, and what a fine-tune confirms.
    """
    wanted = wanted or Wanted()
    seeds = wanted.of_each(quick)
    ratios = []
    for name in wanted.sets:
        try:
            found = measure(name, seeds, means, quick=quick)
        except _sets.SetMissing as missing:
            yield Figure(f"label_efficiency.auc_gain_low.{name}", skipped=str(missing))
            yield Figure(f"label_efficiency.labels_ratio.{name}", skipped=str(missing))
            continue
        show(name, found.labels, found.curves)
        full = full_accuracy(name, means, quick=quick)
        show_reached(name, full, found.labels, found.curves, found.skipped)
        if DEFAULT in found.curves:
            yield from _of_default(name, found.labels, found.curves)
            ratios.append(_ratio(found.labels, found.curves))
        yield from _gains(name, found.labels, found.curves)
        yield from reached(name, full, found.labels, found.curves, found.skipped)
        if wanted.finetune and not quick:
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


def _of_default(name: str, labels: list[int], curves: dict[str, Curves]) -> Iterator[Figure]:
    base = curves[BASELINE]
    gain = learning_curve.area_gain(labels, curves[DEFAULT], base)
    area = f"random, area {100 * learning_curve.areas(labels, base).mean():.2f}"
    yield Figure(f"label_efficiency.auc_gain_low.{name}", round(100 * gain.low, 3), "accuracy points", area)
    ratio = _ratio(labels, curves)
    against = f"random, final accuracy {base.mean(axis=0)[-1]:.4f}"
    if ratio is None:
        against += ", not reached"
    yield Figure(f"label_efficiency.labels_ratio.{name}", ratio, "ratio", against, ratio)


def _gains(name: str, labels: list[int], curves: dict[str, Curves]) -> Iterator[Figure]:
    base = curves[BASELINE]
    for strategy, found in curves.items():
        if strategy != BASELINE:
            value = learning_curve.area_gain(labels, found, base[: len(found)])
            interval = f"random, 95 % from {100 * value.low:+.2f} to {100 * value.high:+.2f}"
            interval = "random, one seed: no interval" if len(found) == 1 else interval
            figure = f"label_efficiency.auc_gain.{name}.{strategy}"
            yield Figure(figure, round(100 * value.value, 3), "accuracy points", interval)


def choose(means: Means, strategies: tuple[str, ...] | None) -> None:
    """Print the comparison that the default is chosen by, of these strategies and random (None: of all of
    ours); test files are not looked at.
    """
    compared = STRATEGIES if strategies is None else (BASELINE, *strategies)
    for name in CHOSEN_ON:
        try:
            found = measure(name, dict.fromkeys(compared, CHOICE_SEEDS), means, choosing=True)
            show(f"{name} (a quarter of the training file held out)", found.labels, found.curves)
        except _sets.SetMissing as missing:
            print(f"{name} skipped: {missing}")


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--choose", action="store_true", help="the comparison that the default is chosen by")
    parser.add_argument("--resume", action="store_true", help="take up the runs that have ended before")
    parser.add_argument("--minutes", type=float, help="begin no further run after so long; --resume goes on")
    parser.add_argument("--processes", type=int, default=PROCESSES, help="runs at once")
    parser.add_argument("--sets", type=_of(SETS), default=tuple(SETS), help="only these sets, by comma")
    parser.add_argument("--seeds", type=int, help="at most so many seeds of each strategy: the rest later")
    parser.add_argument(
        "--strategies", type=_of((*STRATEGIES, *PEERS)), help="only these and random, by comma"
    )
    parser.add_argument("--no-finetune", action="store_true", help="leave out what a fine-tune confirms")
    return parser


def _of(known: Iterable[str]) -> Callable[[str], tuple[str, ...]]:
    """A reader of names by comma that refuses others."""

    def names(given: str) -> tuple[str, ...]:
        found = tuple(given.split(","))
        if unknown := [name for name in found if name not in known]:
            raise argparse.ArgumentTypeError(f"found {', '.join(unknown)}, expected of {', '.join(known)}")
        return found

    return names


def command(arguments: list[str]) -> int:
    """The command line; GO_ON where `--minutes` were over before the last run."""
    options = _options()
    given, _rest = options.parse_known_args(arguments)
    until = None if given.minutes is None else time.monotonic() + 60 * given.minutes
    kept = Kept(_sets.CACHE / "label_efficiency.jsonl", resume=given.resume)
    means = Means(kept=kept, processes=given.processes, until=until)
    wanted = Wanted(
        sets=given.sets, seeds=given.seeds, strategies=given.strategies, finetune=not given.no_finetune
    )

    def measured(quick: bool) -> Iterator[Figure]:
        yield from figures(quick, means, wanted)

    try:
        if given.choose:
            choose(means, given.strategies)
            return 0
        return main(measured, arguments, options=options)
    except OutOfTime:
        print(f"{given.minutes:g} minutes are over: --resume goes on", file=sys.stderr)
        return GO_ON


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
