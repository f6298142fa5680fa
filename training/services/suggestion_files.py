"""The files of a job that makes suggestions: what was drawn, texts for its program, the program's results."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from annotation.models import Item, Project

_SQL_ROWS = 500


def kept(path: Path, make: Callable[[], list[Any]]) -> list[Any]:
    """What `make` gives, as it was when this job first asked for it."""
    if not path.exists():
        part = path.with_suffix(".part")
        part.write_text(json.dumps(make()))
        os.replace(part, path)
    found: list[Any] = json.loads(path.read_text())
    return found


def write_texts(project: Project, rows: Sequence[int], path: Path, *, dialogues: bool) -> Path:
    """Write (row, text) and with `dialogues` messages (JSON, or null) as Parquet, in the order of `rows`; at
    once if it is there. A deleted item is left empty."""
    if path.exists():
        return path
    texts: dict[int, tuple[str, Any]] = {}
    for start in range(0, len(rows), _SQL_ROWS):
        found = Item.objects.filter(project=project, row__in=rows[start : start + _SQL_ROWS])
        for row, text, data in found.values_list("row", "text", "data"):
            texts[row] = (text, data.get("messages"))
    columns: dict[str, Any] = {
        "row": pa.array(rows, pa.int64()),
        "text": pa.array([texts[row][0] for row in rows], pa.string()),
    }
    if dialogues:
        told = [json.dumps(texts[row][1]) if texts[row][1] else None for row in rows]
        columns["messages"] = pa.array(told, pa.string())
    part = path.with_suffix(".part")
    pq.write_table(pa.table(columns), part)
    os.replace(part, path)
    return path


def scores(result: Path, rows: Sequence[int]) -> npt.NDArray[np.float32]:
    """(n, c) scores of `rows`, in their order."""
    assert np.load(result / "rows.npy").tolist() == list(rows)
    found: npt.NDArray[np.float32] = np.load(result / "scores.npy")
    return found


def drafts(result: Path) -> dict[int, dict[str, Any]]:
    """Text and confidence by row, in the order asked for; empty drafts are left out."""
    with (result / "drafts.jsonl").open(encoding="utf-8") as stream:
        told = [json.loads(line) for line in stream]
    return {one["row"]: one for one in told if one["text"].strip()}
