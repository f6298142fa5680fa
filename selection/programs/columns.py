"""Which rows a column holds. Reading values out of it is training.learning.columns."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from training.learning.columns import Rows, Shard, gather, gather_doubles

__all__ = ["Rows", "Shard", "gather", "gather_doubles", "held"]


def held(shards: Iterable[Shard]) -> Rows:
    """All rows that the shards hold, ascending, each once. Cost O(n), with interleaved shards O(n log n)."""
    parts = [np.load(Path(shard["rows"]), mmap_mode="r") for shard in shards]
    if not parts:
        return np.empty(0, dtype=np.int64)
    rows = np.concatenate(parts).astype(np.int64)
    steps = np.diff(rows)
    if (steps > 0).all():  # shards one after another, as imports leave them: nothing to sort
        return rows
    rows.sort()
    return rows[np.concatenate([[True], np.diff(rows) > 0])]
