"""Which layer of the encoder: the last one or the middle one, on real labelled sets.

Both are averaged over the tokens and brought to length one. Neighbours: of the ten nearest pool items of each
test item, the share that has its label. Labels: accuracy, the mean over a simulation with the default strategy.

    python -m bench.layers [--quick] [--json FILE]
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench import _sets
from bench._label_runs import quieten
from bench._report import Figure, main
from selection.evidence import simulation
from selection.index.flat import nearest_exact

SETS = ("banking77", "snips", "sib200_zh_en", "crosswoz_turns_zh")
LEARNT = ("snips", "sib200_zh_en")
LAYERS = ("last", "middle")
POOL, TEST = 6_000, 1_500  # texts of a set at most
SEEDS, BATCH, BATCHES = 3, 20, 10
NEIGHBOURS = 10


def figures(quick: bool) -> Iterator[Figure]:
    quieten()
    for name in SETS:
        yield from _of(name, 300 if quick else POOL, 100 if quick else TEST, 1 if quick else SEEDS)


def _of(name: str, most: int, tested: int, seeds: int) -> Iterator[Figure]:
    for layer in LAYERS:
        try:
            found = _sets.load(name, pool_limit=most, test_limit=tested, layer=layer)
        except _sets.SetMissing as reason:
            yield Figure(f"layers.{name}", skipped=str(reason))
            return
        pool, test = found.pool, found.test
        near = nearest_exact(pool.embeddings, test.embeddings, NEIGHBOURS)[0]
        yield Figure(
            f"layers.neighbours.{name}.{layer}",
            value=round(float((pool.labels[near] == test.labels[:, None]).mean()), 4),
            unit="share of labels",
            against=f"{NEIGHBOURS} of {len(pool.labels)} items for each of {len(test.labels)}",
        )
        if name not in LEARNT:
            continue
        plans = [
            simulation.Plan(strategy="default", batch=BATCH, batches=BATCHES, seed=seed)
            for seed in range(seeds)
        ]
        courses = [simulation.run(pool, test, plan).accuracy for plan in plans]
        yield Figure(
            f"layers.labels.{name}.{layer}",
            value=round(float(np.mean(courses)), 4),
            unit="accuracy over the curve",
            against=f"default strategy, {BATCHES} batches of {BATCH}, {seeds} seeds; "
            f"{np.mean([course[-1] for course in courses]):.4f} at the end",
        )


if __name__ == "__main__":
    main(figures)
