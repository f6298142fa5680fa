from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.training_kit import write_dataset
from training.objectives import classification
from training.objectives.registry import OBJECTIVES, flat_field, objective
from training.objectives.task import Choices

LABELS = ["a", "b", "never"]


def test_it_reads_aligned_arrays(tmp_path: Path) -> None:
    write_dataset(tmp_path, [("one", "b"), ("两", "a")], weights=[2.0, 0.5])
    found = classification.read(tmp_path, "train", LABELS)
    assert found.texts == ["one", "两"]
    assert found.rows.tolist() == [0, 1]
    assert found.targets.tolist() == [1, 0]
    assert found.weights.tolist() == [2.0, 0.5]
    assert classification.counts(found, LABELS) == {"a": 1, "b": 1, "never": 0}


def test_it_leaves_out_items_of_weight_zero(tmp_path: Path) -> None:
    write_dataset(tmp_path, [("one", "b"), ("two", "a"), ("three", "a")], weights=[2.0, 0.0, 1.0])
    found = classification.read(tmp_path, "train", LABELS).counted()
    assert (found.texts, found.rows.tolist()) == (["one", "three"], [0, 2])
    assert (found.targets.tolist(), found.weights.tolist()) == ([1, 0], [2.0, 1.0])


def test_it_takes_an_empty_split_and_counts_a_missing_weight_as_one(tmp_path: Path) -> None:
    write_dataset(tmp_path, [("one", "b")])
    assert len(classification.read(tmp_path, "validation", LABELS)) == 0
    pq.write_table(pa.table({"row": [5], "text": ["x"], "label": ["a"]}), tmp_path / "test.parquet")
    assert classification.read(tmp_path, "test", LABELS).weights.tolist() == [1.0]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"row": [1], "text": ["x"]}, "has no column label"),
        ({"row": [1], "text": ["x"], "label": ["alien"]}, "labels that the schema does not know: alien"),
        ({"row": [1, 2], "text": ["x", None], "label": ["a", "a"]}, "empty cells in its column text"),
        ({"row": [1], "text": ["x"], "label": ["a"], "weight": [-1.0]}, "weights that are negative"),
        ({"row": [1], "text": ["x"], "label": ["a"], "weight": [float("nan")]}, "weights that are negative"),
    ],
)
def test_it_refuses_files_it_cannot_learn_from(
    tmp_path: Path, table: dict[str, list[object]], words: str
) -> None:
    pq.write_table(pa.table(table), tmp_path / "train.parquet")
    with pytest.raises(ValueError, match=words):
        classification.read(tmp_path, "train", LABELS)


def test_it_refuses_a_damaged_file(tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_bytes(b"PAR1 cut off")
    with pytest.raises(ValueError, match="cannot be read.*freeze the dataset again"):
        classification.read(tmp_path, "train", LABELS)


@pytest.mark.parametrize(
    ("rows", "weights", "words"),
    [
        ([], None, "found no labelled item"),
        ([("x", "a"), ("y", "a")], None, "found one label among the 2 items"),
        ([("x", "a"), ("y", "b")], [1.0, 0.0], "found one label among the 1 items"),
    ],
)
def test_it_needs_two_labels_that_count(
    tmp_path: Path, rows: list[tuple[str, str]], weights: list[float] | None, words: str
) -> None:
    write_dataset(tmp_path, rows, weights=weights)
    with pytest.raises(ValueError, match=words):
        classification.check(classification.read(tmp_path, "train", LABELS))


def test_it_has_the_cross_entropy_of_each_item_as_loss() -> None:
    import torch

    logits = torch.tensor([[2.0, 0.0], [0.0, 0.0]])
    found = classification.losses(logits, torch.tensor([0, 1])).numpy()
    assert found == pytest.approx([np.log1p(np.exp(-2)), np.log(2)], rel=1e-6)


def test_it_finds_objectives_by_name() -> None:
    assert all(objective(name).name == name for name in OBJECTIVES)
    with pytest.raises(ValueError, match="there is no objective 'none': use one of classification"):
        objective("none")


def test_its_loss_has_no_parts() -> None:
    import torch

    task = objective("classification").bind(flat_field(LABELS), Choices())
    outputs, targets = torch.tensor([[1.0, -1.0, 0.0]]), torch.tensor([1])
    assert (task.parts_are, list(task.parts)) == ("", [])
    assert torch.equal(task.part_losses(outputs, targets)[:, 0], task.losses(outputs, targets))
