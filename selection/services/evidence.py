"""What picking has gained over drawing at random so far, told by the control arms of the rounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from jobs.services import artifacts
from selection.models import Round
from selection.programs import columns
from selection.selectors import picks as picks_of
from selection.services import pool

LEAST_LABELS = 20  # of each arm: fewer say nothing
LEAST_TEST_ITEMS = 50

Rows = npt.NDArray[np.int64]


def control_against_picks(round_: Round) -> dict[str, Any] | None:
    """Accuracy of probes trained on equally many labels of the control arm and of the strategies' picks.

    Over all rounds before this one whose batch a strategy picked, with the labels of this round's dataset. None while
    there are too few labels of an arm, or too few test items.
    """
    if round_.dataset is None or round_.dataset.test_count < LEAST_TEST_ITEMS:
        return None
    folder = artifacts.path(round_.dataset.artifact)
    rows, labels = _labels(folder / "train.parquet")
    arms = {name: np.isin(rows, drawn) for name, drawn in _arms(round_).items()}
    if min(int(arm.sum()) for arm in arms.values()) < LEAST_LABELS:
        return None
    from selection.evidence import control_arm  # trains probes: scikit-learn stays out of the web's imports

    test_rows, test_labels = _labels(folder / "test.parquet")
    shards = pool.embedding_shards(round_.project)
    vectors = columns.gather(shards, rows)
    compared = control_arm.compare(
        vectors[arms["control"]],
        labels[arms["control"]],
        vectors[arms["strategy"]],
        labels[arms["strategy"]],
        columns.gather(shards, test_rows),
        test_labels,
        rng=np.random.default_rng([round_.spec["seed"], 4]),
    )
    return compared.to_json()


def _labels(path: Any) -> tuple[Rows, npt.NDArray[np.str_]]:
    table = pq.read_table(path, columns=["row", "label"])
    return table["row"].to_numpy().astype(np.int64), np.asarray(table["label"].to_pylist(), dtype=np.str_)


def _arms(round_: Round) -> dict[str, Rows]:
    """Rows by arm, of the earlier rounds in which a strategy had the choice: a cold start is no evidence for it."""
    earlier = Round.objects.filter(project=round_.project, number__lt=round_.number, picks__isnull=False)
    found: dict[str, list[int]] = {"control": [], "strategy": []}
    for past in earlier.select_related("picks"):
        folder = artifacts.path(past.picks)  # type: ignore[arg-type]
        if picks_of.read_summary(folder)["strategy"] in ("cold_start", "random"):
            continue
        for pick in picks_of.read_picks(folder):
            found["control" if pick.is_control else "strategy"].append(pick.row)
    return {name: np.asarray(rows, dtype=np.int64) for name, rows in found.items()}
