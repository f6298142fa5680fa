"""Recall of the default index on real sentence vectors: the labelled sets by the default encoder."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench import _sets
from bench._report import Figure

SETS = ("banking77", "snips", "sib200_zh_en", "crosswoz_turns_zh")
MEMORY_MB = 1000.0  # the default of POOL_INDEX_MB
QUICK_LIMIT = 500  # texts of each part of a set


def figures(quick: bool) -> Iterator[Figure]:
    from selection.index.choice import choose

    try:
        vectors = _vectors(QUICK_LIMIT if quick else None)
    except _sets.SetMissing as reason:
        yield Figure("selection.recall_at_10", skipped=str(reason))
        return
    with tempfile.TemporaryDirectory(prefix="gyre-bench-") as name:
        folder = Path(name)
        np.save(folder / "vectors.npy", vectors.astype(np.float32))
        np.save(folder / "rows.npy", np.arange(len(vectors), dtype=np.int64))
        default = choose(len(vectors), vectors.shape[1], MEMORY_MB)
        facts = _built(folder, "")
        yield Figure(
            "selection.recall_at_10",
            value=facts["recall_at_10"],
            unit="share",
            against=f"{default.factory}, {facts['probes']} cells, {len(vectors)} real vectors; aim >= 0.93",
        )
        for kind in () if quick else ("ivf", "ivf_sq8", "ivf_rabitq", "hnsw"):
            facts = _built(folder, kind)
            yield Figure(
                f"selection.recall_at_10.{kind}",
                value=facts["recall_at_10"],
                unit="share",
                against=f"{facts['factory']}, {facts['probes']} cells, {facts['built_s']} s",
            )


def _built(folder: Path, kind: str) -> dict[str, Any]:
    from selection.programs import index

    shard = {"values": str(folder / "vectors.npy"), "rows": str(folder / "rows.npy")}
    result = folder / f"index-{kind}"
    begun = time.perf_counter()
    index.work(
        {"result": str(result), "embeddings": [shard], "kind": kind, "memory_mb": MEMORY_MB, "seed": 1}
    )
    facts: dict[str, Any] = json.loads((result / "index.json").read_text())
    return {**facts, "built_s": round(time.perf_counter() - begun, 1)}


def _vectors(limit: int | None) -> npt.NDArray[np.float32]:
    """(n, d) unit vectors of all different texts of the sets."""
    parts = []
    for name in SETS:
        found = _sets.load(name, pool_limit=limit, test_limit=limit)
        parts += [found.pool.embeddings, found.test.embeddings]
    return np.unique(np.concatenate(parts).astype(np.float32), axis=0)
