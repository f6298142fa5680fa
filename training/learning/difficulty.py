"""How hard items are, for a curriculum: a column of the dataset, else the loss that probes have on items which
they did not learn from, else the length.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from training.objectives.frozen import Examples
from training.objectives.task import Task

Floats = npt.NDArray[np.float64]
Source = Literal["column", "cross-validated loss", "length"]

COLUMN = "difficulty"
FOLDS = 5
_LEAST = 2 * FOLDS  # items to cross-validate on


def measured(
    path: Path,
    train: Examples,
    targets: Any,
    lengths: list[int],
    task: Task,
    vectors: Callable[[], npt.NDArray[np.float32]],
    seed: int,
) -> tuple[Floats, Source]:
    """(n,) difficulty of the training items, higher is harder, and where it comes from.

    Args:
        path: train.parquet of the frozen dataset; its column `difficulty` counts if every item has a number
            there, for instance the loss of a model that did not learn from the item.
        targets: what the task's losses read. lengths: (n,) tokens.
        vectors: makes (n, d) vectors of the texts; called where they are needed.

    Raises:
        ValueError: the column is there, but lacks numbers.
    """
    if (column := from_column(path, train.rows)) is not None:
        return column, "column"
    if not task.per_token and len(train) >= _LEAST:
        losses = cross_validated(vectors(), train, targets, task, seed)
        if losses is not None:
            return losses, "cross-validated loss"
    return np.asarray(lengths, dtype=np.float64), "length"


def from_column(path: Path, rows: npt.NDArray[np.int64]) -> Floats | None:
    """The column `difficulty` of these rows; None where the file has no such column.

    Raises:
        ValueError: one of the rows has no finite number there.
    """
    if COLUMN not in pq.ParquetFile(path).schema_arrow.names:
        return None
    table = pq.read_table(path, columns=["row", COLUMN])
    held = dict(zip(table["row"].to_pylist(), table[COLUMN].to_pylist(), strict=True))
    found = np.array([np.nan if (value := held.get(row)) is None else value for row in rows.tolist()])
    if lacking := int((~np.isfinite(found)).sum()):
        raise ValueError(
            f"{path} has no number in its column {COLUMN} for {lacking} of {len(rows)} training items, expected "
            "one for each: fill the column, or take it out"
        )
    return found


def cross_validated(
    vectors: npt.NDArray[np.float32], train: Examples, targets: Any, task: Task, seed: int
) -> Floats | None:
    """(n,) loss of each item under a probe that was fitted on the other folds; None where no probe can be
    fitted, as with too few items of a label. Cost of `FOLDS` probes.
    """
    import torch

    order = np.random.default_rng([seed, 14]).permutation(len(train))
    found = np.empty(len(train))
    for number in range(FOLDS):
        fold, rest = order[number::FOLDS], np.delete(order, np.s_[number::FOLDS])
        start = task.head_start(vectors[rest], train.taken(rest), seed)
        if start is None:
            return None
        weight, bias = start
        outputs = torch.from_numpy((vectors[fold] @ weight.T + bias).astype(np.float32))
        losses = task.losses(outputs, task.collate([targets[at] for at in fold]))
        found[fold] = losses.numpy()
    return found
