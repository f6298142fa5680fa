"""A FAISS index over a column in a folder: built, measured, brought up to date, searched.

Folder:
    index.faiss    the index; vector number i is row rows[i]
    rows.npy       (n,) int64 ascending within what was added at once
    centres.npy, offsets.npy, members.npy   the cells of an inverted file, for `cells.py`: (l, d) centres, and
                   members[offsets[c] : offsets[c + 1]] are the rows of cell c
    index.json     what it is and what it is worth: kind, factory, count, width, probes, recall_at_10
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from selection.index.choice import Choice
from selection.index.flat import nearest
from training.learning.columns import Rows, Shard, gather

Vectors = npt.NDArray[np.float32]

BLOCK = 100_000  # vectors added at a time
TRAINED_ON = 64  # vectors a cell for k-means
QUERIES = 256  # by which recall is measured
NEIGHBOURS = 10
ENOUGH = 0.95  # recall that more cells are looked at for
FILE = "index.faiss"


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
    """(q, k) positions of what the index takes for the nearest, most similar first; -1 where it found fewer."""
    import faiss

    if probes and (inner := faiss.try_extract_index_ivf(index)) is not None:
        inner.nprobe = probes
    _similarity, found = index.search(np.ascontiguousarray(queries, dtype=np.float32), k)
    return np.asarray(found, dtype=np.int64)


def measured(
    index: Any, shards: list[Shard], rows: Rows, choice: Choice, *, seed: int
) -> tuple[float, int, int]:
    """(recall at 10, probes, queries): against the exact nearest neighbours of some of the rows themselves.

    Twice as many cells are looked at until 95 % are found, or a quarter of all is looked at. Cost O(q n d).
    """
    rng = np.random.default_rng([seed, 7])
    asked = np.sort(rng.choice(len(rows), size=min(QUERIES, len(rows)), replace=False))
    k = min(NEIGHBOURS + 1, len(rows))
    queries = gather(shards, rows[asked])
    exact = _exact(shards, rows, queries, k)
    probes = choice.probes
    while True:
        found = search(index, queries, k, probes)
        recall = recall_of(found, exact, asked)
        if recall >= ENOUGH or not choice.lists or 2 * probes > max(choice.probes, choice.lists // 4):
            return recall, probes, len(asked)
        probes *= 2


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
    inner = faiss.try_extract_index_ivf(index)
    if inner is not None:
        centres = inner.quantizer.reconstruct_n(0, inner.nlist)
        members = list(_members(inner, rows))
        np.save(folder / "centres.npy", np.asarray(centres, dtype=np.float32))
        np.save(folder / "offsets.npy", np.cumsum([0, *map(len, members)]).astype(np.int64))
        np.save(folder / "members.npy", np.concatenate(members))


def _members(inner: Any, rows: Rows) -> Iterator[Rows]:
    import faiss

    for number in range(inner.nlist):
        size = inner.invlists.list_size(number)
        if not size:
            yield np.empty(0, dtype=np.int64)
            continue
        yield np.sort(rows[faiss.rev_swig_ptr(inner.invlists.get_ids(number), size).copy()])


def read(folder: Path) -> tuple[Any, Rows, Facts]:
    """Index, rows and facts.

    Raises:
        ValueError: a file is missing or damaged.
    """
    import faiss

    try:
        facts = Facts(**json.loads((folder / "index.json").read_text()))
        index, rows = faiss.read_index(str(folder / FILE)), np.load(folder / "rows.npy")
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise ValueError(f"the index in {folder} cannot be read ({error}): build it again") from error
    if index.ntotal != len(rows):
        raise ValueError(
            f"the index in {folder} has {index.ntotal} vectors, {len(rows)} rows: build it again"
        )
    return index, rows, facts
