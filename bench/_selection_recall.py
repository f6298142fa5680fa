"""Recall of the default index on real sentence vectors: the texts of ../shared/data by the default encoder."""

from __future__ import annotations

import gzip
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench._report import Figure
from bench._sets import data_folder, embed

SETS = ("banking77", "snips", "sib200_zh_en", "crosswoz_turns_zh", "gsm8k_sft", "convabuse", "wnut17_ner")
MEMORY_MB = 1000.0  # the default of POOL_INDEX_MB
QUICK_TEXTS = 2_000


def figures(quick: bool) -> Iterator[Figure]:
    from selection.index.choice import choose

    texts = list(dict.fromkeys(_texts()))
    if not texts:
        yield Figure("selection.recall_at_10", skipped="the sets are not on this machine: set GYRE_DATA")
        return
    vectors = embed("all texts", texts[:QUICK_TEXTS] if quick else texts)
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
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


def _texts() -> Iterator[str]:
    for name in SETS:
        for path in sorted((data_folder() / name).glob("*.jsonl.gz")):
            with gzip.open(path, "rt", encoding="utf-8") as stream:
                for line in stream:
                    row = json.loads(line)
                    text = row.get("text") or row.get("prompt") or ""
                    if str(text).strip():
                        yield str(text)
