"""Hardness from what is kept: losses of labelled items and those that pool items are expected to have.

n  pool items        m  labelled items        d  width of an embedding
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from jobs import program
from selection.programs import columns
from selection.programs.columns import Rows, Shard
from selection.strategies import hardness

FOLDS = 5
LABELLED_FILE, POOL_FILE = "losses.npy", "hardness.npy"
POOL = "-pool"  # ends the name of the pool items' column

Doubles = npt.NDArray[np.float64]
Labels = npt.NDArray[np.str_]


@dataclass(frozen=True)
class Losses:
    """Attributes:
    pool: (n, 2) the loss that each pool item is expected to have in nats, and its similarity to the nearest
        labelled item, which comes for nothing with it.
    labelled: (m, 1) cross-validated losses of the labelled items in nats; None where all of `pool` was kept, and
        nothing asked for them.
    worked_out: how many rows of `pool` were not kept.
    """

    pool: Doubles
    labelled: Doubles | None
    worked_out: int


def key(rows: Rows, labels: Labels, *, embedding_key: str, seed: int) -> str:
    """What losses depend on, as the name of their column: the vectors, who is labelled how, who was in which
    fold. rows, labels: (m,), by ascending row. O(m).
    """
    told = [embedding_key, FOLDS, hardness.NEIGHBOURS, seed, rows.tolist(), labels.tolist()]
    digest = hashlib.sha256(json.dumps(told).encode()).hexdigest()
    return f"{embedding_key}-{digest[:16]}"


def is_by(name: str, embedding_key: str) -> bool:
    """Whether a column of losses, of labelled or pool items, was made with these vectors.

    >>> is_by("0123-middle-89ab-pool", "0123-middle"), is_by("0123-middle-89ab", "0123")
    (True, False)
    """
    return name.removesuffix(POOL).rpartition("-")[0] == embedding_key


def of_pool(
    rows: Rows,
    embeddings: npt.NDArray[np.floating[Any]],
    labelled: Rows,
    labels: Labels,
    labelled_embeddings: npt.NDArray[np.floating[Any]],
    *,
    kept: Sequence[Shard],
    kept_labelled: Sequence[Shard],
    seed: int,
) -> Losses:
    """Losses of the pool, worked out only for those rows that no shard has.

    Args:
        rows: (n,) with embeddings (n, d). labelled: (m,) with labels (m,) and labelled_embeddings (m, d).
        kept, kept_labelled: shards of `Losses.pool` and `Losses.labelled` of these very labels and this seed.

    Cost: reading, and for what is lacking that of `hardness.carry_with_nearness`; with nothing kept of the
    labelled items, the fits of `hardness.cross_validated_losses`.
    """
    found = np.empty((len(rows), 2))
    has = np.isin(rows, columns.held(kept))
    if has.any():
        found[has] = columns.gather_doubles(kept, rows[has])
    lacking = np.flatnonzero(~has)
    program.log(f"hardness: {len(lacking)} of {len(rows)} items to work out, the others are kept")
    if not len(lacking):
        return Losses(found, None, 0)
    if np.isin(labelled, columns.held(kept_labelled)).all():
        own = columns.gather_doubles(kept_labelled, labelled)[:, 0]
    else:
        own = hardness.cross_validated_losses(labelled_embeddings, labels, folds=FOLDS, seed=seed)
    wanted = embeddings if len(lacking) == len(rows) else embeddings[lacking]
    carried, near = hardness.carry_with_nearness(labelled_embeddings, own, wanted, of=len(rows))
    found[lacking, 0], found[lacking, 1] = carried, near
    return Losses(found, own[:, None], len(lacking))


def write(folder: Path, found: Losses | None) -> None:
    """Write what a column keeps, and a replay reads; nothing where hardness played no part."""
    if found is None:
        return
    np.save(folder / POOL_FILE, found.pool)
    if found.labelled is not None:
        np.save(folder / LABELLED_FILE, found.labelled)
