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
from selection.services import picking, pool

LEAST_LABELS = 20  # of each arm: fewer say nothing
LEAST_TEST_ITEMS = 50
REPEATS = 10  # four fits each: seconds, where the default of the core takes a minute on many labels

Rows = npt.NDArray[np.int64]


def control_against_picks(round_: Round) -> dict[str, Any] | None:
    """Accuracy of probes trained on equally many labels of the control arm and of the strategies' picks.

    Over all rounds before this one whose batch a strategy picked, with the labels of this round's dataset.
    None while there are too few labels of an arm, or too few test items, and where labels are no categories.
    """
    if round_.dataset is None or round_.dataset.test_count < LEAST_TEST_ITEMS:
        return None
    if not picking.has_categories(round_.dataset):
        return None
    folder = artifacts.path(round_.dataset.artifact)
    rows, labels = _labels(folder / "train.parquet")
    test_rows, test_labels = _labels(folder / "test.parquet")
    arms = _arms(round_)
    used = np.isin(rows, np.concatenate([arms["control"], arms["strategy"]]))
    is_control = np.isin(rows[used], arms["control"])
    if min(int(is_control.sum()), int((~is_control).sum())) < LEAST_LABELS:
        return None
    from selection.evidence import control_arm  # trains probes: scikit-learn stays out of the web's imports

    names, codes = np.unique(np.concatenate([labels[used], test_labels]), return_inverse=True)
    shards = pool.embedding_shards(round_.project)
    try:
        gain = control_arm.control_arm_gain(
            columns.gather(shards, rows[used]),
            codes[: int(used.sum())],
            is_control,
            columns.gather(shards, test_rows),
            codes[int(used.sum()) :],
            len(names),
            repeats=REPEATS,
            seed=round_.spec["seed"],
        )
    except control_arm.NothingToCompare:
        return None
    difference = gain.difference
    return {
        "labels": gain.labels,
        "n": len(test_rows),
        "control": gain.control,
        "picked": gain.picked,
        "difference": {"value": difference.value, "low": difference.low, "high": difference.high},
    }


def _labels(path: Any) -> tuple[Rows, npt.NDArray[np.str_]]:
    table = pq.read_table(path, columns=["row", "label"])
    return table["row"].to_numpy().astype(np.int64), np.asarray(table["label"].to_pylist(), dtype=np.str_)


def _arms(round_: Round) -> dict[str, Rows]:
    """Rows by arm, of the earlier rounds in which a strategy had the choice: a cold start is no evidence for
    it.
    """
    earlier = Round.objects.filter(project=round_.project, number__lt=round_.number, picks__isnull=False)
    found: dict[str, list[int]] = {"control": [], "strategy": []}
    for past in earlier.select_related("picks").prefetch_related("refreshes__picks"):
        folder = artifacts.path(past.picks)  # type: ignore[arg-type]
        if picks_of.read_summary(folder)["strategy"] in ("cold_start", "random"):
            continue
        for stored in [folder, *(artifacts.path(one.picks) for one in past.refreshes.all())]:
            for pick in picks_of.read_picks(stored):
                found["control" if pick.is_control else "strategy"].append(pick.row)
    return {name: np.asarray(rows, dtype=np.int64) for name, rows in found.items()}
