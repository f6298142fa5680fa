"""Warm refresh: fit a linear head to the labels that are in now, rank the pool by it, and pick. No torch.

Result folder: as of the pick program, less the control arm, whose `probs.npy` is the head's; and
    suggested.npy   (count, k) float32, of the model that suggests labels, for the picks that it has scored
    suggested_at.npy   (count,) int64 places among the picks that it has scored
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jobs import program
from selection.programs import columns, pick
from selection.programs.columns import Rows, Shard
from selection.strategies import hardness, registry
from selection.strategies.batch import pick_batch
from selection.strategies.pool import distinct
from training import settings_schema
from training.learning import probe

FOLDS = 5
BLOCK = 20_000  # rows whose logits are held at a time


@dataclass(frozen=True, kw_only=True)
class RefreshSpec(pick.PickSpec):
    """What to rank and how: a PickSpec whose probabilities come from the head.

    Attributes:
        c: the head's inverse strength of regularisation.
        suggesting: shards of probabilities of the model that suggests labels; they need not hold every pick.
    """

    c: float = 10.0
    suggesting: list[Shard] = field(default_factory=list)


def work(data: dict[str, Any]) -> None:
    """The program. Cost: two fits on m labels, one product O(n d k), and that of the strategy."""
    started = time.monotonic()
    try:
        spec = RefreshSpec.from_json(data)
        given = settings_schema.read(registry.STRATEGIES[spec.strategy].settings, spec.settings)
        program.progress(0, 4, "reading columns")
        pool, labels, _losses = pick.read_pool(spec, with_embeddings=True)
        assert pool.embeddings is not None
        if pool.labelled_embeddings is None:
            raise ValueError("found no labelled item, expected some of two labels at least: label more items")
        program.progress(1, 4, f"learning from {len(labels)} labels")
        names, codes = np.unique(labels, return_inverse=True)
        spec = replace(spec, label_names=[str(name) for name in names])  # the head's own, for tags
        head = _calibrated(pool.labelled_embeddings, codes, len(names), spec)
        program.progress(2, 4, f"ranking {len(pool.rows)}")
        counts = np.bincount(codes, minlength=len(names)).astype(np.int64)
        pool = replace(pool, probs=_probabilities(head, pool.embeddings), class_counts=counts)
        batch = pick_batch(
            pool,
            min(spec.count, len(distinct(pool))),
            strategy=spec.strategy,
            settings=given,
            control_share=0.0,
            rng=np.random.default_rng([spec.seed, 5]),
        )
    except (ValueError, OSError) as error:
        raise program.Refused(str(error)) from error
    program.progress(3, 4, "writing")
    with program.result_folder(spec.result) as folder:
        pick.write(folder, spec, pool, batch, labels, keep_inputs=False)
        _suggest(folder, spec.suggesting, pool.rows[batch.indices])
    program.log(f"{time.monotonic() - started:.1f} s for {len(pool.rows)} items")


def _calibrated(
    embeddings: npt.NDArray[np.floating], codes: npt.NDArray[np.int64], k: int, spec: RefreshSpec
) -> probe.Probe:
    """The head of all labels, at the temperature that a head of four fifths of them wants on the last fifth: a
    second fit, and no label is judged by a head that has seen it.
    """
    head = probe.fit(embeddings, codes, k, c=spec.c, seed=spec.seed)
    held = hardness.deal(codes, FOLDS, np.random.default_rng([spec.seed, 6])) == 0
    if len(np.unique(codes[~held])) < 2:
        return head
    part = probe.fit(embeddings[~held], codes[~held], k, c=spec.c, seed=spec.seed)
    return replace(head, temperature=probe.calibrate(part, embeddings[held], codes[held]).temperature)


def _probabilities(head: probe.Probe, embeddings: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    probs = np.empty((len(embeddings), head.k), dtype=np.float32)
    for start in range(0, len(embeddings), BLOCK):
        probs[start : start + BLOCK] = head.probabilities(embeddings[start : start + BLOCK])
    return probs


def _suggest(folder: Path, shards: Sequence[Shard], rows: Rows) -> None:
    known = np.flatnonzero(np.isin(rows, columns.held(shards)))
    if len(known):
        np.save(folder / "suggested.npy", columns.gather(shards, rows[known]))
        np.save(folder / "suggested_at.npy", known.astype(np.int64))


if __name__ == "__main__":
    program.main(work)
