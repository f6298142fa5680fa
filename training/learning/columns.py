"""Reading rows out of column shards.

A column is stored as shards, each a folder with a value array and the ascending item rows it holds. Shards do
not overlap, but may interleave: the first may hold a random sample of the pool and the second one the rest.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]


FEW = 10_000  # rows that are copied before a thread has begun


class Shard(TypedDict):
    """Paths of one shard: `values` is (n, d) .npy, `rows` is int64 (n,) .npy, ascending."""

    values: str
    rows: str


def gather(shards: Sequence[Shard], rows: Rows) -> npt.NDArray[np.float32]:
    """Values of `rows` in their order: (len(rows), d) float32. Only these rows are read from the mapped
    files.

    Args:
        rows: any order, repeats allowed.

    Raises:
        ValueError: no shard holds some row (the message says how many are missing and names one), shards of
            different widths, or a shard whose two files differ in length.

    Cost O(r log n) for r ascending rows and shards that do not interleave, O(s r log n) at worst for s shards.
    """
    return _gathered(shards, rows, np.float32)


def gather_doubles(shards: Sequence[Shard], rows: Rows) -> npt.NDArray[np.float64]:
    """As `gather`, in float64: for values whose ties must stay what they were when they were stored."""
    return _gathered(shards, rows, np.float64)


def _gathered(shards: Sequence[Shard], rows: Rows, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    if not shards:
        raise ValueError("no features were given: compute the embeddings first")
    opened = [_opened(shard) for shard in shards]
    width = opened[0][0].shape[1]
    for values, _held in opened:
        if values.shape[1] != width:
            raise ValueError(f"shards of one column are {width} and {values.shape[1]} wide: compute it again")
    out = np.empty((len(rows), width), dtype=dtype)
    missing = np.ones(len(rows), dtype=bool)
    ascending = bool((np.diff(rows) >= 0).all())

    def take(shard: tuple[npt.NDArray[np.floating], Rows]) -> None:
        values, held = shard
        if len(held):
            # Of ascending rows only those within the shard's range are looked up: many cost no more than one.
            span = _span(rows, held) if ascending else slice(None)
            _take(values, held, rows[span], out[span], missing[span])

    if len(opened) > 1 and len(rows) > FEW:
        with ThreadPoolExecutor(os.cpu_count()) as threads:  # copying lets go of the interpreter
            list(threads.map(take, opened))
    else:
        for shard in opened:
            take(shard)
    if missing.any():
        raise ValueError(
            f"{int(missing.sum())} of {len(rows)} rows are in no shard of the column "
            f"(row {int(np.asarray(rows)[missing][0])} is one): compute the embeddings again"
        )
    return out


def _span(rows: Rows, held: Rows) -> slice:
    return slice(int(np.searchsorted(rows, held[0])), int(np.searchsorted(rows, held[-1], side="right")))


def _take(
    values: npt.NDArray[np.floating],
    held: Rows,
    rows: Rows,
    out: npt.NDArray[np.floating],
    missing: npt.NDArray[np.bool_],
) -> None:
    """Copy what one shard holds of `rows` to its places in `out`, and note there what was missing no more."""
    at = np.minimum(np.searchsorted(held, rows), len(held) - 1)
    hit = held[at] == rows
    if hit.all() and values.dtype == out.dtype:
        np.take(values, at, axis=0, out=out, mode="clip")  # without the copy that an indexed assignment makes
    else:
        out[hit] = values[at[hit]]
    missing[hit] = False


class NpyWriter:
    """A float32 .npy file of a known shape, written block by block: (n, d) never lies in memory.

    Plain writes, no memory map: on a full disk a map kills the process, a write raises OSError.
    """

    def __init__(self, path: Path, shape: tuple[int, int]) -> None:
        self.shape = shape
        self.written = 0
        self._stream = path.open("wb")
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._stream, header)

    def append(self, block: npt.NDArray[np.floating]) -> None:
        """Write the next rows, (m, d)."""
        assert block.ndim == 2 and block.shape[1] == self.shape[1]
        self._stream.write(np.ascontiguousarray(block, dtype="<f4").tobytes())
        self.written += len(block)

    def __enter__(self) -> NpyWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        self._stream.close()
        assert kind is not None or self.written == self.shape[0], "fewer rows than the header says"


def _opened(shard: Shard) -> tuple[npt.NDArray[np.floating], Rows]:
    values = np.load(Path(shard["values"]), mmap_mode="r", allow_pickle=False)
    held = np.load(Path(shard["rows"]), mmap_mode="r", allow_pickle=False)
    if values.ndim != 2 or held.shape != (len(values),):
        raise ValueError(
            f"{shard['values']} is {values.shape} and its rows {held.shape}, expected (n, d) and (n,)"
        )
    return values, held
