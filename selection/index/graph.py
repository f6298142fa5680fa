"""The nearest neighbours of every vector among all of them, as a graph: cells by FAISS, products by BLAS.

Every query against the lists of an inverted file one at a time costs several times what whole cells cost that
are multiplied with one another; the neighbours found are the same.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from selection.index import kmeans
from training.learning.threads import one_blas_thread

Vectors = npt.NDArray[np.float32]

EXACT = 12_288  # vectors up to which all are compared with all
CELL = 200  # vectors in a cell on average
PROBES = 4  # cells that a cell is compared with, itself among them
MORE_PROBES, FEW = 16, 50_000  # up to so many vectors: a second or two, and fewer neighbours are missed
STEPS = 2.0**16  # similarities are multiples of 1 / STEPS
PART = 1024


def stepped(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """In steps of 2^-16, dtype kept: sums of such numbers, and of products of two, are exact in float64."""
    return np.asarray(np.round(values * values.dtype.type(STEPS)) / values.dtype.type(STEPS))


@dataclass(frozen=True)
class Graph:
    """Attributes: neighbours: (n, k) int32, -1 where there is none. similarity: (n, k) float32, 0 there."""

    neighbours: npt.NDArray[np.int32]
    similarity: npt.NDArray[np.float32]


def neighbour_graph(vectors: npt.ArrayLike, k: int, *, seed: int = 0, probes: int | None = None) -> Graph:
    """Each vector's k most similar ones, itself included, among those of its cell and the nearest cells.

    Args:
        vectors: (n, d), rows of length one.
        k: 1 <= k; min(k, n) are found.
        probes: cells looked through for each cell; more cost more and miss fewer neighbours. None: 16 up to
            50,000 vectors, 4 beyond.

    Exact up to 12,288 vectors. Similarities are inner products cut off at 0 and rounded to multiples of 2^-16,
    so that sums of them are exact in float64 and do not depend on BLAS. The same seed gives the same graph on
    the same machine. No order within a row. O(n 200 probes d) and as much again for the cells.
    """
    held = np.ascontiguousarray(vectors, dtype=np.float32)
    n, k = len(held), min(k, len(held))
    graph = Graph(np.full((n, k), -1, dtype=np.int32), np.zeros((n, k), dtype=np.float32))
    if n <= EXACT:
        parts = np.array_split(np.arange(n), -(-n // PART))
        tasks = [(part, np.arange(n)) for part in parts]
    else:
        tasks = _cells(held, seed, probes or (MORE_PROBES if n <= FEW else PROBES))
    with one_blas_thread(), ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(lambda task: _fill(graph, held, *task), tasks))
    return graph


def _fill(graph: Graph, held: Vectors, rows: npt.NDArray[np.int64], others: npt.NDArray[np.int64]) -> None:
    k = graph.neighbours.shape[1]
    theirs = held[others]
    for start in range(0, len(rows), PART):
        own = rows[start : start + PART]
        close = held[own] @ theirs.T
        if len(others) <= k:
            graph.neighbours[own, : len(others)] = others
            graph.similarity[own, : len(others)] = stepped(np.maximum(close, 0))
            continue
        at = np.argpartition(close, len(others) - k, axis=1)[:, len(others) - k :]
        graph.neighbours[own] = others[at]
        graph.similarity[own] = stepped(np.maximum(np.take_along_axis(close, at, axis=1), 0))


def _cells(
    held: Vectors, seed: int, probes: int
) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """(members of a cell, members of the cells near to it) of every cell that is not empty."""
    count = max(2, len(held) // CELL)
    centres, of = kmeans.cells(held, count, seed=seed)
    order = np.argsort(of, kind="stable")
    ends = np.cumsum(np.bincount(of, minlength=count))
    members = [
        order[end - size : end] for end, size in zip(ends, np.bincount(of, minlength=count), strict=True)
    ]
    near = np.argsort(-(centres @ centres.T), axis=1, kind="stable")[:, :probes]
    near[:, 0] = np.arange(count)  # two equal centres must not lose a cell its own members
    return [
        (members[cell], np.concatenate([members[other] for other in dict.fromkeys(near[cell].tolist())]))
        for cell in range(count)
        if len(members[cell])
    ]
