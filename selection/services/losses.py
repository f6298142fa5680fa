"""Losses as columns: cross-validated ones of the labelled items, and what pool items are expected to have.

Both are named by the vectors and by a hash of who is labelled how and of the seed that dealt the folds: other
labels give other losses. Only the newest labels' are kept, since each round has others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from annotation.models import Project
from jobs import program
from jobs.errors import BrokenArtifact
from jobs.services import artifacts
from selection.models import Column
from selection.programs import losses
from selection.programs.columns import Rows, Shard
from selection.selectors import column_files
from selection.services import builds, pool
from selection.strategies.registry import STRATEGIES


def order(
    project: Project, strategy: str, *, labelled: str, seed: int, embedding_key: str
) -> dict[str, list[Shard]]:
    """The part of the pick program's spec that names what is kept of its losses; empty where the strategy asks
    for none.

    labelled: a parquet of (row, label), or "". Costs reading it.
    """
    if "hardness" not in STRATEGIES[strategy].needs or not labelled:
        return {}
    key, _rows = _key(labelled, seed, embedding_key)
    return {"losses": _shards(project, key), "hardness": _shards(project, key + losses.POOL)}


def keep(project: Project, spec: dict[str, Any], result: Path) -> None:
    """Add to the columns what a pick worked out, and let go of other labels' losses.

    spec: the pick's; result: its folder, which stays as it is.
    """
    if not (result / losses.POOL_FILE).is_file():
        return
    key, labelled = _key(spec["labelled"], spec["seed"], spec["embedding_key"])
    for name, rows, file_name in (
        (key, labelled, losses.LABELLED_FILE),
        (key + losses.POOL, np.load(spec["rows"]), losses.POOL_FILE),
    ):
        if (result / file_name).is_file():
            _add(project, name, rows, result / file_name)
    others = Column.objects.filter(project=project, kind=Column.Kind.LOSS)
    others.exclude(model_key__in=[key, key + losses.POOL]).delete()


def _key(labelled: str, seed: int, embedding_key: str) -> tuple[str, Rows]:
    """The name of the labelled items' column, and their rows, ascending."""
    table = pq.read_table(labelled, columns=["row", "label"]).sort_by("row")
    rows = table["row"].to_numpy().astype(np.int64)
    labels = np.asarray(table["label"].to_pylist(), dtype=np.str_)
    return losses.key(rows, labels, embedding_key=embedding_key, seed=seed), rows


def _shards(project: Project, key: str) -> list[Shard]:
    """None where files are gone: what can be worked out again must not stop a round."""
    try:
        return column_files.shards(project, Column.Kind.LOSS, key)
    except BrokenArtifact:
        Column.objects.filter(project=project, kind=Column.Kind.LOSS, model_key=key).delete()
        return []


def _add(project: Project, key: str, rows: Rows, values: Path) -> None:
    wanted = np.isin(rows, pool.missing(project, Column.Kind.LOSS, key, rows))
    if not wanted.any():
        return
    result = artifacts.scratch()
    with program.result_folder(result) as folder:
        np.save(folder / "rows.npy", rows[wanted])
        np.save(folder / values.name, np.load(values, mmap_mode="r")[wanted])
    builds.book(project, Column.Kind.LOSS, key, result, values.name)
