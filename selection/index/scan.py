"""The most similar rows of a column of any size, read block by block. NumPy alone, since pages call it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from selection.programs.columns import Rows, Shard

BLOCK = 65_536


def vector_of(shards: Iterable[Shard], row: int) -> npt.NDArray[np.float32] | None:
    """The vector (d,) of one row; None where no shard holds it."""
    for shard in shards:
        rows = np.load(Path(shard["rows"]), mmap_mode="r")
        at = np.flatnonzero(np.asarray(rows) == row)
        if len(at):
            values = np.load(Path(shard["values"]), mmap_mode="r")
            return np.asarray(values[int(at[0])], dtype=np.float32)
    return None


def most_similar(
    shards: Iterable[Shard], query: npt.NDArray[np.float32], k: int, *, allowed: Rows | None = None
) -> tuple[Rows, npt.NDArray[np.float32]]:
    """The k rows with the greatest inner product with `query` (d,), most similar first; only those of `allowed`.

    Exact; of equal similarities the lower row is first, and fewer than k come back where fewer are held. A row
    that two shards hold counts once. Cost O(n d) time, one block of memory.
    """
    best_rows = np.empty(0, dtype=np.int64)
    best = np.empty(0, dtype=np.float32)
    for shard in shards:
        rows = np.asarray(np.load(Path(shard["rows"]), mmap_mode="r"), dtype=np.int64)
        values = np.load(Path(shard["values"]), mmap_mode="r")
        for start in range(0, len(rows), BLOCK):
            own = rows[start : start + BLOCK]
            kept = np.ones(len(own), dtype=bool) if allowed is None else np.isin(own, allowed)
            if not kept.any():
                continue
            similarity = (np.asarray(values[start : start + BLOCK], dtype=np.float32) @ query)[kept]
            if len(similarity) > k:  # all but the block's own best are out at once
                least = np.partition(similarity, len(similarity) - k)[len(similarity) - k]
                near = similarity >= least
                similarity, own = similarity[near], own[kept][near]
                kept = np.ones(len(own), dtype=bool)
            best_rows = np.concatenate([best_rows, own[kept]])
            best = np.concatenate([best, similarity])
            best_rows, first = np.unique(best_rows, return_index=True)  # ascending: ties go to the lower row
            best = best[first]
            order = np.argsort(-best, kind="stable")[:k]
            best_rows, best = best_rows[order], best[order]
    return best_rows, best
