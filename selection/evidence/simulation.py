"""Labelling played through on arrays: a labelled set is the oracle, batch after batch is picked and learnt.

The pure core of what `manage.py simulate` does with the whole product, for benchmarks and notebooks: no
database, no files, the probe as the learner.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from selection.strategies import hardness
from selection.strategies.batch import pick_batch
from selection.strategies.pool import Floats, Indices, Pool
from selection.strategies.registry import strategy_named
from training.learning import probe

COLD_START = "cold_start"
EARLIER = 3  # probes of earlier batches that a strategy of versions is shown


@dataclass(frozen=True)
class Examples:
    """A labelled set.

    Attributes:
        embeddings: (n, d), rows of length one.
        labels: (n,) int64, 0..k-1.
        clusters: (n,) int64, duplicate cluster of each; None: no duplicates.
    """

    embeddings: Floats
    labels: Indices
    clusters: Indices | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One way through the pool.

    Attributes:
        strategy, settings: a name in the registry and its settings dataclass; None for the defaults.
        batch: items a batch. batches: how many, the first one (the cold start) included.
        control_share: share of every batch that is drawn uniformly.
        seed: of everything random. Plans of the same seed share the first batch, so they are paired.
        c: the probe's inverse strength of regularisation.
    """

    strategy: str
    settings: Any = None
    batch: int = 25
    batches: int = 20
    control_share: float = 0.0
    seed: int = 0
    c: float = 10.0


@dataclass(frozen=True)
class Course:
    """What a plan led to.

    Attributes:
        labels: (b,) how many labels there were after each batch.
        accuracy: (b,) share of test items right after each batch, in [0, 1].
        picked: (labels,) positions in the pool in the order of labelling.
        arm: (labels,) "control" or "strategy" of each.
    """

    labels: Indices
    accuracy: npt.NDArray[np.float64]
    picked: Indices
    arm: npt.NDArray[np.str_]


def run(
    pool: Examples, test: Examples, plan: Plan, *, on_batch: Callable[[int, float], None] | None = None
) -> Course:
    """Pick, label, learn and judge `plan.batches` times.

    The first batch is a cold start whatever the strategy; so is every further one until two labels are known.

    Args:
        pool: what may be picked. test: what the probe is judged on; never picked.
        on_batch: called with (labels so far, accuracy) after each batch.

    Cost: a fit of the probe a batch (and five more where the strategy needs hardness), one scoring of the
    pool, one pick.

    Raises:
        PoolTooSmall: the pool cannot fill all batches.
    """
    k = int(max(pool.labels.max(), test.labels.max())) + 1
    rng = np.random.default_rng([plan.seed, 1])
    rows = np.arange(len(pool.labels), dtype=np.int64)
    base = Pool(rows=rows, embeddings=pool.embeddings, clusters=pool.clusters)
    picked = np.empty(0, dtype=np.int64)
    arm = np.empty(0, dtype="<U8")
    labels, accuracy = [], []
    head: probe.Probe | None = None
    heads: list[probe.Probe] = []  # of earlier batches, the oldest first
    for _number in range(plan.batches):
        strategy = plan.strategy if head is not None else COLD_START
        settings = plan.settings if head is not None else None
        offered = replace(base, taken=picked)
        if head is not None:
            offered = _columns(offered, pool, picked, head, plan)
            if "versions" in strategy_named(strategy).needs:
                strategy, settings, offered = _with_versions(offered, pool, heads, strategy, settings)
        batch = pick_batch(
            offered,
            plan.batch,
            strategy=strategy,
            settings=settings,
            control_share=plan.control_share,
            rng=rng,
        )
        picked = np.concatenate([picked, batch.indices])
        arm = np.concatenate([arm, batch.arm])
        heads += [head] if head is not None else []
        head = _learn(pool, picked, k, plan)
        labels.append(len(picked))
        accuracy.append(_accuracy(head, pool.labels[picked], test))
        if on_batch is not None:
            on_batch(labels[-1], accuracy[-1])
    return Course(np.asarray(labels, dtype=np.int64), np.asarray(accuracy), picked, arm)


def _learn(pool: Examples, picked: Indices, k: int, plan: Plan) -> probe.Probe | None:
    """The probe of all labels so far, or None while they are all alike."""
    known = pool.labels[picked]
    if len(np.unique(known)) < 2:
        return None
    return probe.fit(pool.embeddings[picked], known, k, c=plan.c, seed=plan.seed)


def _accuracy(head: probe.Probe | None, known: Indices, test: Examples) -> float:
    if head is None:  # a model of one label gives that label
        return float((test.labels == known[0]).mean())
    return float((head.probabilities(test.embeddings).argmax(axis=1) == test.labels).mean())


def _columns(offered: Pool, pool: Examples, picked: Indices, head: probe.Probe, plan: Plan) -> Pool:
    """The pool with the columns that the strategy asks for."""
    needs = strategy_named(plan.strategy).needs
    labelled = pool.embeddings[picked]
    if "probs" in needs:
        offered = replace(offered, probs=head.probabilities(pool.embeddings))
    if "hardness" in needs:
        losses = hardness.cross_validated_losses(labelled, pool.labels[picked], c=plan.c, seed=plan.seed)
        offered = replace(offered, hardness=hardness.carry_to_pool(labelled, losses, pool.embeddings))
    return replace(offered, labelled_embeddings=labelled)


def _with_versions(
    offered: Pool, pool: Examples, heads: list[probe.Probe], strategy: str, settings: Any
) -> tuple[str, Any, Pool]:
    """The pool with what the newest earlier probes say; the margin where there is none yet."""
    if not heads:
        return "margin", None, offered
    found = [head.probabilities(pool.embeddings) for head in heads[-EARLIER:]]
    return strategy, settings, replace(offered, versions=np.stack(found, axis=1))
