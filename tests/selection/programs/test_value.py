from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import program
from selection.programs import value
from selection.strategies.value.knn_shapley import knn_shapley
from selection.strategies.value.uses import found_among_first

WIDTH, KINDS = 12, 3


class Made:
    """Labelled items of three kinds, a tenth of the training labels flipped."""

    def __init__(self, folder: Path, train: int = 120, validation: int = 60) -> None:
        rng = np.random.default_rng(5)
        count = train + validation
        kinds = rng.integers(KINDS, size=count)
        centres = rng.normal(size=(KINDS, WIDTH))
        vectors = centres[kinds] + rng.normal(scale=0.8, size=(count, WIDTH))
        self.vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        self.split = np.array(["train", "validation"])[(np.arange(count) % 3 == 2).astype(int)]
        if not validation:
            self.split[:] = "train"
        self.wrong = (rng.random(count) < 0.1) & (self.split == "train")
        self.codes = np.where(self.wrong, (kinds + 1) % KINDS, kinds)
        self.folder = folder
        np.save(folder / "vectors.npy", self.vectors)
        np.save(folder / "rows.npy", np.arange(count))

    def spec(self, rows: Any = None, name: str = "result", **changes: Any) -> dict[str, Any]:
        rows = np.arange(len(self.codes)) if rows is None else np.asarray(rows)
        table = {
            "row": rows,
            "label": [f"l{self.codes[row]}" for row in rows],
            "split": self.split[rows],
            "source": np.where(rows % 2 == 0, "web", "shop"),
        }
        pq.write_table(pa.table(table), self.folder / f"{name}.parquet")
        return {
            "result": str(self.folder / name),
            "labelled": str(self.folder / f"{name}.parquet"),
            "features": [{"values": str(self.folder / "vectors.npy"), "rows": str(self.folder / "rows.npy")}],
            **changes,
        }

    def run(self, **given: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        spec = self.spec(**given)
        value.work(spec)
        result = Path(spec["result"])
        return json.loads((result / "result.json").read_text()), pq.read_table(
            result / "values.parquet"
        ).to_pydict()


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def test_it_values_training_items_by_the_validation_items(made: Made) -> None:
    summary, table = made.run()
    train, held = made.split == "train", made.split == "validation"
    expected = knn_shapley(made.vectors[train], made.codes[train], made.vectors[held], made.codes[held])
    by_row = dict(zip(np.flatnonzero(train).tolist(), expected.tolist(), strict=True))
    assert summary["basis"] == "validation" and summary["validation"] == 60
    assert summary["items"] == 120 == len(table["row"])
    assert table["value"] == pytest.approx([by_row[row] for row in table["row"]])
    assert summary["harmful"] == int((expected < 0).sum())
    assert summary["pairs"] == 120 * 60


def test_it_puts_flipped_labels_first_and_says_what_others_see(made: Made) -> None:
    _summary, table = made.run()
    rows = np.asarray(table["row"])
    assert table["rank"] == list(range(120))
    assert found_among_first(np.arange(120), made.wrong[rows], 0.2) >= 0.9
    first = [name for name in ("model_label", "neighbour_label") if table[name][0] != table["label"][0]]
    assert first == ["model_label", "neighbour_label"]
    assert np.mean(table["weight"]) == pytest.approx(1.0)
    assert set(table["region"]) <= {"easy", "ambiguous", "hard"}


def test_it_sums_up_sources_with_their_intervals(made: Made) -> None:
    summary, table = made.run()
    values, names = np.asarray(table["value"]), np.asarray(table["source"])
    assert {one["source"]: one["n"] for one in summary["sources"]} == {
        name: int((names == name).sum()) for name in ("web", "shop")
    }
    for one in summary["sources"]:
        assert one["mean"] == pytest.approx(values[names == one["source"]].mean())
        assert one["low"] < one["mean"] < one["high"]


def test_it_measures_items_by_each_other_where_validation_items_are_few(tmp_path: Path) -> None:
    made = Made(tmp_path, train=150, validation=0)
    summary, table = made.run()
    assert (summary["basis"], summary["validation"]) == ("folds", 0)
    assert not (tmp_path / "result" / "state.npz").exists()
    assert found_among_first(np.arange(150), made.wrong[np.asarray(table["row"])], 0.2) >= 0.9


def test_it_brings_values_up_to_date_and_does_only_what_is_new(made: Made) -> None:
    """Items come and go on both sides and labels are corrected: the same values as from nothing."""
    every = np.arange(len(made.codes))
    made.run(rows=every[:150], name="first")
    now = every[10:]
    made.codes = np.where(made.wrong, (made.codes + 2) % KINDS, made.codes)  # corrected
    summary, table = made.run(rows=now, name="second", before=str(made.folder / "first"))
    anew, other = made.run(rows=now, name="third")
    assert table["row"] == other["row"]
    for name in ("value", "influence", "suspicion", "loss"):
        assert table[name] == pytest.approx(other[name], abs=1e-6)
    train = made.split == "train"
    gone = int(train[:10].sum())
    new, val_new = int(train[150:].sum()), int((~train[150:]).sum())
    assert (summary["added"], summary["removed"]) == (new, gone)
    assert summary["pairs"] == new * int((~train[10:150]).sum()) + val_new * int(train[10:].sum())
    assert summary["pairs"] < anew["pairs"] / 2
    assert summary["steps"] <= anew["steps"]  # with corrected labels the start is not near
    more, _table = made.run(rows=every[9:], name="fourth", before=str(made.folder / "third"))
    assert more["steps"] < anew["steps"]


def test_it_starts_from_nothing_where_the_vote_or_the_labels_are_others(made: Made) -> None:
    made.run(name="first")
    summary, _table = made.run(name="second", before=str(made.folder / "first"), neighbours=3)
    assert summary["pairs"] == 120 * 60
    made.codes = np.where(made.codes == 2, 3, made.codes)
    summary, table = made.run(name="third", before=str(made.folder / "first"))
    assert summary["pairs"] == 0
    _anew, other = made.run(name="fourth")
    assert table["influence"] == pytest.approx(other["influence"], abs=1e-6)


@pytest.mark.parametrize(
    ("rows", "split", "words"),
    [
        (range(6), None, "found 4 labelled items of . labels, expected at least 10 of two: label more items"),
        (range(40), "test", "found test items, expected none"),
    ],
)
def test_it_refuses_what_it_cannot_value(made: Made, rows: range, split: str | None, words: str) -> None:
    if split:
        made.split[3] = split
    with pytest.raises(program.Refused, match=words):
        value.work(made.spec(rows=rows))
    assert not (made.folder / "result").exists()


def test_it_refuses_an_order_it_does_not_know(made: Made) -> None:
    with pytest.raises(program.Refused, match="neighbours"):
        value.work(made.spec(neighbours=0))
