from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests import training_kit as kit
from training.learning import difficulty
from training.objectives.registry import flat_field, objective
from training.objectives.task import Choices

pytestmark = pytest.mark.slow  # torch


def test_it_takes_the_column_by_row_and_refuses_one_with_gaps(tmp_path: Path) -> None:
    path = tmp_path / "train.parquet"
    pq.write_table(pa.table({"row": [7, 8, 9], "difficulty": [0.5, None, 2.0]}), path)
    assert difficulty.from_column(path, np.array([9, 7])).tolist() == [2.0, 0.5]  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="no number in its column difficulty for 1 of 2 training items"):
        difficulty.from_column(path, np.array([8, 9]))
    pq.write_table(pa.table({"row": [7]}), path)
    assert difficulty.from_column(path, np.array([7])) is None


def test_it_finds_items_hard_whose_label_the_others_contradict(tmp_path: Path) -> None:
    rows = [(f"text {at}", kit.TOPICS[at % 2]) for at in range(40)]
    rows[3] = (rows[3][0], kit.TOPICS[0])  # wrong
    folder = kit.write_dataset(tmp_path, rows)
    task = objective("classification").bind(flat_field(list(kit.TOPICS)), Choices())
    train = task.read(folder, "train")
    vectors = np.zeros((40, 4), dtype=np.float32)
    vectors[np.arange(40), np.arange(40) % 2] = 1
    found, source = difficulty.measured(
        folder / "train.parquet", train, train.targets, [5] * 40, task, lambda: vectors, 0
    )
    assert source == "cross-validated loss"
    assert found.argmax() == 3 and found[3] > 2 * np.delete(found, 3).max()


def test_it_goes_by_length_where_there_are_too_few_items_for_probes(tmp_path: Path) -> None:
    folder = kit.write_dataset(tmp_path, kit.messages(6))
    task = objective("classification").bind(flat_field(list(kit.TOPICS)), Choices())
    train = task.read(folder, "train")

    def none_needed() -> np.ndarray:
        raise AssertionError("no vectors are needed")

    found, source = difficulty.measured(
        folder / "train.parquet", train, train.targets, [3, 9, 4, 5, 6, 7], task, none_needed, 0
    )
    assert source == "length" and found.tolist() == [3, 9, 4, 5, 6, 7]
