from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import program
from training.programs import evaluate


def write_gold(path: Path, rows: list[int], labels: list[str | None]) -> str:
    pq.write_table(
        pa.table({"row": rows, "label": pa.array(labels, pa.string()), "text": [""] * len(rows)}), path
    )
    return str(path)


def write_predictions(folder: Path, rows: list[int], labels: list[str], answers: list[str]) -> str:
    """Predictions that give each row its answer at 0.8."""
    folder.mkdir()
    k = len(labels)
    probs = np.full((len(rows), k), 0.2 / max(k - 1, 1), dtype=np.float32)
    probs[np.arange(len(rows)), [labels.index(answer) for answer in answers]] = 0.8
    np.save(folder / "probs.npy", probs)
    np.save(folder / "rows.npy", np.array(rows, dtype=np.int64))
    (folder / "result.json").write_text(json.dumps({"labels": labels}))
    return str(folder)


def run(tmp_path: Path, **spec: Any) -> dict[str, Any]:
    evaluate.work({"result": str(tmp_path / "out"), "labels": ["a", "b"], **spec})
    program.verify_manifest(tmp_path / "out")
    found: dict[str, Any] = json.loads((tmp_path / "out" / "result.json").read_text())
    return found


def test_it_matches_rows_by_number_not_by_order(tmp_path: Path) -> None:
    gold = write_gold(tmp_path / "gold.parquet", [5, 1, 9], ["a", "b", "a"])
    predictions = write_predictions(tmp_path / "new", [1, 3, 5, 9], ["a", "b"], ["b", "b", "a", "b"])
    found = run(tmp_path, gold=gold, predictions=predictions)
    assert found["n"] == 3
    assert found["model"]["accuracy"] == pytest.approx(2 / 3)
    assert found["model"]["confusion"] == [[1, 1], [0, 1]]


def test_it_compares_two_models_on_the_same_items(tmp_path: Path) -> None:
    rows = list(range(100))
    gold = write_gold(tmp_path / "gold.parquet", rows, ["a"] * 100)
    new = write_predictions(tmp_path / "new", rows, ["a", "b"], ["a"] * 90 + ["b"] * 10)
    old = write_predictions(tmp_path / "old", rows, ["a", "b"], ["a"] * 70 + ["b"] * 30)
    found = run(tmp_path, gold=gold, predictions=new, baseline=old)
    assert found["baseline"]["accuracy"] == pytest.approx(0.7)
    difference = found["difference"]
    assert difference["value"] == pytest.approx(0.2) and difference["n"] == 100
    assert 0.1 <= difference["low"] < 0.2 < difference["high"] <= 0.3
    again = evaluate.evaluate(
        evaluate.EvaluateSpec(result="", gold=gold, labels=["a", "b"], predictions=new, baseline=old)
    )
    assert again == found  # the seed decides


def test_it_counts_a_label_wrong_that_is_newer_than_the_model(tmp_path: Path) -> None:
    gold = write_gold(tmp_path / "gold.parquet", [0, 1], ["a", "c"])
    new = write_predictions(tmp_path / "new", [0, 1], ["c", "b", "a"], ["a", "c"])
    old = write_predictions(tmp_path / "old", [0, 1], ["b", "a"], ["a", "a"])
    found = run(tmp_path, gold=gold, labels=["a", "b", "c"], predictions=new, baseline=old)
    assert found["model"]["accuracy"] == 1.0
    assert found["baseline"]["accuracy"] == 0.5
    assert found["baseline"]["confusion"][2] == [1, 0, 0]


def test_it_appends_a_label_that_the_schema_no_longer_lists(tmp_path: Path) -> None:
    gold = write_gold(tmp_path / "gold.parquet", [0, 1], ["a", "retired"])
    new = write_predictions(tmp_path / "new", [0, 1], ["a", "b", "gone"], ["a", "gone"])
    found = run(tmp_path, gold=gold, predictions=new)
    assert found["labels"] == ["a", "b", "retired", "gone"]
    assert found["model"]["confusion"][2] == [0, 0, 0, 1]


def test_it_refuses_what_it_cannot_judge(tmp_path: Path) -> None:
    gold = write_gold(tmp_path / "gold.parquet", [0, 1], ["a", "b"])
    some = write_predictions(tmp_path / "some", [0], ["a", "b"], ["a"])
    none = write_predictions(tmp_path / "none", [], ["a", "b"], [])
    empty = write_gold(tmp_path / "empty.parquet", [], [])
    holes = write_gold(tmp_path / "holes.parquet", [0, 1], ["a", None])
    for spec, words in (
        ({"gold": gold, "predictions": some}, "does not cover all 2 test items: predict again"),
        ({"gold": gold, "predictions": none}, "does not cover all 2 test items"),
        ({"gold": gold, "predictions": str(tmp_path / "nowhere")}, "cannot be read as predictions"),
        ({"gold": empty, "predictions": some}, "has no items.*label evaluation items first"),
        ({"gold": holes, "predictions": some}, "empty cells"),
        ({"gold": str(tmp_path / "nowhere.parquet"), "predictions": some}, "nowhere.parquet"),
        ({"gold": gold, "predictions": some, "labels": ["a"]}, "two or more"),
    ):
        with pytest.raises(program.Refused, match=words):
            run(tmp_path, **spec)
    assert not (tmp_path / "out").exists()
