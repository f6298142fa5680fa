"""Approximate search over the cells of a stored index, in NumPy alone: pages call it, and load no FAISS.

The cells nearest to the query are looked at, and their vectors read from the column itself: what is found is
ranked by exact products. Files: see stored.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.learning.columns import Rows, Shard, gather


def most_similar(
    folder: Path, shards: list[Shard], query: npt.NDArray[np.float32], k: int, *, newer: Rows
) -> tuple[Rows, npt.NDArray[np.float32]]:
    """The k rows with the greatest inner product with `query` (d,) in its nearest cells or among `newer` rows,
    most similar first; ties go to the lower row. Cost O((l + p n / l) d) for l cells of which p are looked at.
    """
    centres = np.load(folder / "centres.npy", mmap_mode="r")
    offsets, members = np.load(folder / "offsets.npy"), np.load(folder / "members.npy", mmap_mode="r")
    probes = int(json.loads((folder / "index.json").read_text())["probes"])
    near = np.argsort(-(centres @ query), kind="stable")[:probes]
    parts = [np.asarray(members[offsets[cell] : offsets[cell + 1]]) for cell in near]
    rows = np.unique(np.concatenate([*parts, newer]))
    if not len(rows):
        return rows, np.empty(0, dtype=np.float32)
    similarity = gather(shards, rows) @ query
    order = np.argsort(-similarity, kind="stable")[:k]
    return rows[order], similarity[order]
