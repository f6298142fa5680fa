"""The nearest of a few thousand vectors for each of a million: whole blocks by BLAS, one thread a block.

FAISS compares every query with every vector. Here, where that is much, the vectors are grouped into cells and
a query is compared with the cells near to its own: the cost hardly grows with the vectors any more.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from selection.index import kmeans
from selection.index.flat import checked
from training.learning.threads import one_blas_thread

Vectors = npt.NDArray[np.float32]
Places = npt.NDArray[np.int32]

EXACT_PAIRS = 50_000_000  # so many products of vectors take a quarter of a second on two cores
CELL = 32  # vectors in a cell on average
PROBES = 8  # cells that the queries of a cell are compared with, their own among them
QUERIES = 8192  # in a block: 12 MB at d = 384, which the cells of the block share while it is in the cache
PART = 1024  # queries in one product
GROUPS = 4  # for k neighbours a row of products is looked at in 4 k groups


def nearest_for_many(
    base: npt.ArrayLike, queries: npt.ArrayLike, k: int, *, exact_pairs: int = EXACT_PAIRS, seed: int = 0
) -> tuple[Places, Vectors]:
    """The k vectors of `base` (m, d) with the greatest inner product with each of `queries` (n, d).

    Args:
        k: 1 <= k <= m.
        exact_pairs: up to so many n m all are compared with all.
        seed: of the cells.

    Returns:
        positions (n, k) int32 and similarities (n, k) float32, most similar first; of equal similarities the
        lower position is first. Up to `exact_pairs` exact to float32 rounding. Above, each query is compared
        with the members of the 8 cells (or as many as hold k) nearest to the one it falls in: a neighbour may
        be missed and the next one stand for it, so that a similarity is at most the true one. Deterministic
        on one machine. O(n m d), above O(n (m / 32 + 256) d).

    Raises:
        ValueError: k out of range, or base and queries of different dimensions.
    """
    held, asked = checked(base, queries, k)
    at = np.empty((len(asked), k), dtype=np.int32)
    similarity = np.empty((len(asked), k), dtype=np.float32)
    is_small = len(asked) * len(held) <= exact_pairs or len(held) < 2 * CELL * PROBES
    cells = None if is_small else _Cells(held, k, seed)

    def fill(start: int) -> None:
        block = asked[start : start + QUERIES]
        for rows, members, theirs in _tasks(block, held, cells):
            own = block[rows]
            found, similarity[start + rows] = _best(own @ theirs.T, k)
            at[start + rows] = found if members is None else members[found]

    with one_blas_thread(), ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(fill, range(0, len(asked), QUERIES)))
    return at, similarity


class _Cells:
    """The vectors in cells; `members` of a cell and of those near to it, ascending, and their vectors."""

    def __init__(self, held: Vectors, k: int, seed: int) -> None:
        self.centres, of = kmeans.cells(held, len(held) // CELL, seed=seed)
        sizes = np.bincount(of, minlength=len(self.centres))
        near = np.argsort(-(self.centres @ self.centres.T), axis=1, kind="stable")
        self.members = []
        for cell, order in enumerate(near):
            order = np.concatenate([[cell], order[order != cell]])
            enough = 1 + int(np.searchsorted(np.cumsum(sizes[order]), k))
            probed = order[: max(PROBES, enough)]
            self.members.append(np.flatnonzero(np.isin(of, probed)).astype(np.int32))
        self.vectors = [held[members] for members in self.members]


def _tasks(
    block: Vectors, held: Vectors, cells: _Cells | None
) -> Iterator[tuple[npt.NDArray[np.int64], Places | None, Vectors]]:
    """(queries of the block, whom to compare them with: positions, None for all, and vectors)."""
    if cells is None:
        for start in range(0, len(block), PART):
            yield np.arange(start, min(start + PART, len(block))), None, held
        return
    of = np.concatenate(
        [
            (block[start : start + PART] @ cells.centres.T).argmax(axis=1)
            for start in range(0, len(block), PART)
        ]
    )
    order = np.argsort(of, kind="stable")
    names, starts = np.unique(of[order], return_index=True)
    for cell, rows in zip(names, np.split(order, starts[1:]), strict=True):
        for start in range(0, len(rows), PART):
            yield rows[start : start + PART], cells.members[cell], cells.vectors[cell]


def _best(close: Vectors, k: int) -> tuple[npt.NDArray[np.int64], Vectors]:
    """(r, k) columns of the greatest values of each row of `close` (r, c), and these.

    Sorting a row, or parting it, costs as much as the products in it. The k-th best of the maxima of some
    columns is at most the k-th best of all: what lies below is out, which leaves hardly more than k.
    """
    r, c = close.shape
    groups = GROUPS * k
    if c < 2 * groups:
        columns = np.argsort(-close, axis=1, kind="stable")[:, :k]
        return columns, np.take_along_axis(close, columns, axis=1)
    maxima = close[:, : c // groups * groups].reshape(r, -1, groups).max(axis=1)
    least = np.partition(maxima, groups - k, axis=1)[:, groups - k]
    found = np.flatnonzero(close >= least[:, None])
    row = found // c
    counts = np.bincount(row, minlength=r)
    place = np.arange(len(found)) - np.repeat(np.cumsum(counts) - counts, counts)
    values = np.full((r, max(k, int(counts.max()))), -np.inf, dtype=np.float32)
    columns = np.zeros(values.shape, dtype=np.int64)
    values[row, place], columns[row, place] = close.ravel()[found], found - row * c
    order = np.argsort(-values, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(columns, order, axis=1), np.take_along_axis(values, order, axis=1)
