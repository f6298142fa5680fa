"""A FAISS index over a column in a folder: built, measured, brought up to date, searched.

Folder:
    index.faiss    the index; vector number i is row rows[i]
    rows.npy       (n,) int64 ascending within what was added at once
    index.json     what it is and what it is worth: kind, factory, count, width, probes, widened, recall_at_10,
                   and what was tried

A search asks the index for candidates, more of them where it holds codes and no whole vectors, and ranks these
by exact products with the column. Recall is measured of that very search.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from selection.index.choice import LOSSY, Choice
from selection.index.flat import nearest
from training.learning.columns import Rows, Shard, gather

Vectors = npt.NDArray[np.float32]

BLOCK = 100_000  # vectors added at a time
TRAINED_ON = 64  # vectors a cell for k-means
QUERIES = 256  # by which recall is measured
NEIGHBOURS = 10
ENOUGH = 0.95  # recall that more cells are looked at for, and more candidates
MOST_WIDENED = 32  # candidates for each one wanted
MOST_EFFORT = 256  # of a search in the graph of HNSW
FILE = "index.faiss"


class Tried(TypedDict):
    """A kind that was built and measured before one was kept."""

    kind: str
    factory: str
    probes: int
    recall_at_10: float


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What index.json says. `recall_at_10`: share of the ten nearest found, the queries themselves left out."""

    kind: str
    factory: str
    count: int
    width: int
    lists: int
    probes: int
    recall_at_10: float
    queries: int
    trained_on: int  # vectors that it had when its cells were learnt
    widened: int = 1  # candidates for each one wanted
    tried: list[Tried] = field(default_factory=list)


def build(shards: list[Shard], rows: Rows, choice: Choice, *, seed: int) -> Any:
    """A trained index that holds `rows` of the column. Cost: k-means on 64 vectors a cell, then O(n l d)."""
    import faiss

    width = gather(shards, rows[:1]).shape[1]
    index = faiss.index_factory(width, choice.factory, faiss.METRIC_INNER_PRODUCT)
    if not index.is_trained:
        few = np.sort(
            np.random.default_rng(seed).choice(
                len(rows), size=min(len(rows), TRAINED_ON * max(1, choice.lists)), replace=False
            )
        )
        if choice.lists:
            faiss.extract_index_ivf(index).cp.seed = seed
        index.train(gather(shards, rows[few]))
    add(index, shards, rows)
    return index


def add(index: Any, shards: list[Shard], rows: Rows) -> None:
    """Add rows of the column behind those that are in the index already."""
    for start in range(0, len(rows), BLOCK):
        index.add(gather(shards, rows[start : start + BLOCK]))


def search(index: Any, queries: Vectors, k: int, probes: int) -> npt.NDArray[np.int64]:
    """(q, k) positions of what the index takes for the nearest, most similar first; -1 where it found fewer.

    probes: cells looked at; for HNSW the effort, candidates kept on the way.
    """
    import faiss

    if (inner := faiss.try_extract_index_ivf(index)) is not None:
        inner.nprobe = max(1, probes)
    elif hasattr(index, "hnsw"):
        index.hnsw.efSearch = max(k, probes)
    _similarity, found = index.search(np.ascontiguousarray(queries, dtype=np.float32), k)
    return np.asarray(found, dtype=np.int64)


def refined(
    index: Any, shards: list[Shard], rows: Rows, queries: Vectors, k: int, *, probes: int, widened: int
) -> npt.NDArray[np.int64]:
    """(q, k) positions: as `search`, of `widened` k candidates those with the greatest exact products.

    Ties go to the lower row. Cost of the products O(q w k d).
    """
    found = search(index, queries, min(widened * k, len(rows)), probes)
    best = np.full((len(queries), k), -1, dtype=np.int64)
    for place, (query, at) in enumerate(zip(queries, found, strict=True)):
        at = at[at >= 0]
        if not len(at):
            continue
        similarity = gather(shards, rows[at]) @ query
        order = np.lexsort((rows[at], -similarity))[:k]
        best[place, : len(order)] = at[order]
    return best


def measured(
    index: Any, shards: list[Shard], rows: Rows, choice: Choice, *, seed: int
) -> tuple[float, int, int, int]:
    """(recall at 10, probes, widened, queries): against the exact nearest neighbours of some rows themselves.

    Codes in place of vectors are asked for more candidates, twice as many until 95 % are found or 32 for each
    one wanted; then twice as many cells are looked at, to a quarter of all. Cost O(q n d).
    """
    rng = np.random.default_rng([seed, 7])
    asked = np.sort(rng.choice(len(rows), size=min(QUERIES, len(rows)), replace=False))
    k = min(NEIGHBOURS + 1, len(rows))
    queries = gather(shards, rows[asked])
    exact = _exact(shards, rows, queries, k)
    probes, widened = choice.probes, 1
    most = max(choice.probes, choice.lists // 4) if choice.lists else MOST_EFFORT
    while True:
        found = refined(index, shards, rows, queries, k, probes=probes, widened=widened)
        recall = recall_of(found, exact, asked)
        if recall >= ENOUGH or not choice.probes:
            return recall, probes, widened, len(asked)
        if choice.kind in LOSSY and widened < MOST_WIDENED:
            widened *= 2
        elif 2 * probes <= most:
            probes *= 2
        else:
            return recall, probes, widened, len(asked)


def most_similar(
    folder: Path, shards: list[Shard], query: Vectors, k: int, *, newer: Rows
) -> tuple[Rows, Vectors]:
    """The k rows with the greatest inner product with `query` (d,) among the index's candidates and `newer`,
    most similar first; ties go to the lower row. The index stays mapped for the next search.

    Raises:
        ValueError: a file is missing or damaged.
    """
    index, held, facts = _mapped(folder, (folder / FILE).stat().st_mtime_ns)
    at = search(index, query[None], min(facts.widened * k, len(held)), facts.probes)[0]
    rows = np.unique(np.concatenate([held[at[at >= 0]], newer]))
    similarity = gather(shards, rows) @ query
    order = np.argsort(-similarity, kind="stable")[:k]
    return rows[order], similarity[order]


def _exact(shards: list[Shard], rows: Rows, queries: Vectors, k: int) -> npt.NDArray[np.int64]:
    """(q, k) positions of the nearest, block by block of the column."""
    best = np.full((len(queries), k), -np.inf, dtype=np.float32)
    where = np.full((len(queries), k), -1, dtype=np.int64)
    for start in range(0, len(rows), BLOCK):
        block = gather(shards, rows[start : start + BLOCK])
        at, similarity = nearest(block, queries, min(k, len(block)))
        values = np.concatenate([best, similarity], axis=1)
        places = np.concatenate([where, at + start], axis=1)
        order = np.argsort(-values, axis=1, kind="stable")[:, :k]
        best, where = np.take_along_axis(values, order, axis=1), np.take_along_axis(places, order, axis=1)
    return where


def recall_of(
    found: npt.NDArray[np.int64], exact: npt.NDArray[np.int64], asked: npt.NDArray[np.int64]
) -> float:
    """Mean share of the exact neighbours that were found; a query's own position counts in neither.

    >>> recall_of(np.array([[0, 1, 2]]), np.array([[0, 2, 3]]), np.array([0]))
    0.5
    """
    shares = []
    for own, got, wanted in zip(asked, found, exact, strict=True):
        true = set(wanted[wanted != own].tolist()[:NEIGHBOURS])
        if true:
            shares.append(len(true & set(got[got != own].tolist()[: max(NEIGHBOURS, len(true))])) / len(true))
    return float(np.mean(shares)) if shares else 1.0


def write(folder: Path, index: Any, rows: Rows, facts: Facts) -> None:
    """Write the folder's files."""
    import faiss

    faiss.write_index(index, str(folder / FILE))
    np.save(folder / "rows.npy", rows)
    (folder / "index.json").write_text(json.dumps(asdict(facts), indent=1))


@lru_cache(maxsize=4)
def _mapped(folder: Path, _modified: int) -> tuple[Any, Rows, Facts]:
    """For searches: the file stays on disk, and processes share its pages."""
    return read(folder, mapped=True)


def read(folder: Path, *, mapped: bool = False) -> tuple[Any, Rows, Facts]:
    """Index, rows and facts; `mapped` to be searched only, nothing added.

    Raises:
        ValueError: a file is missing or damaged.
    """
    import faiss

    try:
        facts = Facts(**json.loads((folder / "index.json").read_text()))
        flags = faiss.IO_FLAG_MMAP_IFC | faiss.IO_FLAG_READ_ONLY if mapped else 0
        index, rows = faiss.read_index(str(folder / FILE), flags), np.load(folder / "rows.npy")
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise ValueError(f"the index in {folder} cannot be read ({error}): build it again") from error
    if index.ntotal != len(rows):
        raise ValueError(
            f"the index in {folder} has {index.ntotal} vectors, {len(rows)} rows: build it again"
        )
    return index, rows, facts
