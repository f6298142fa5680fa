from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.training_kit import write_shard
from training.learning import columns
from training.learning.columns import NpyWriter, Shard


def interleaved(folder: Path) -> tuple[list[Shard], np.ndarray]:
    """Ten rows of which the odd ones lie in one shard and the even ones in another."""
    values = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
    rows = np.arange(10)
    shards = [
        Shard(**write_shard(folder / str(part), values[rows % 2 == part], rows[rows % 2 == part]))  # type: ignore[typeddict-item]
        for part in (0, 1)
    ]
    return shards, values


def test_it_gathers_rows_of_interleaved_shards_in_any_order(tmp_path: Path) -> None:
    shards, values = interleaved(tmp_path)
    wanted = np.array([7, 2, 2, 9, 0])
    found = columns.gather(shards, wanted)
    assert found.dtype == np.float32
    assert (found == values[wanted]).all()


@pytest.mark.parametrize("wanted", [np.arange(10), np.array([7, 2, 2, 9, 0])])
def test_threads_gather_the_same(tmp_path: Path, wanted: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "FEW", 1)
    shards, values = interleaved(tmp_path)
    assert (columns.gather(shards, wanted) == values[wanted]).all()
    with pytest.raises(ValueError, match="row 10 is one"):
        columns.gather(shards, np.array([3, 10]))


def test_it_gives_no_rows_of_the_right_width_where_nothing_is_wanted(tmp_path: Path) -> None:
    shards, _values = interleaved(tmp_path)
    assert columns.gather(shards, np.empty(0, dtype=np.int64)).shape == (0, 3)


def test_it_is_not_hindered_by_an_empty_shard(tmp_path: Path) -> None:
    shards, values = interleaved(tmp_path)
    empty = Shard(**write_shard(tmp_path / "empty", np.empty((0, 3)), []))  # type: ignore[typeddict-item]
    assert (columns.gather([empty, *shards], np.array([3])) == values[3]).all()


def test_it_names_a_row_that_no_shard_has(tmp_path: Path) -> None:
    shards, _values = interleaved(tmp_path)
    with pytest.raises(ValueError, match=r"2 of 3 rows are in no shard of the column \(row 10 is one\)"):
        columns.gather(shards, np.array([1, 10, 99]))
    with pytest.raises(ValueError, match="no features were given"):
        columns.gather([], np.array([1]))


def test_it_refuses_shards_that_do_not_fit(tmp_path: Path) -> None:
    shards, _values = interleaved(tmp_path)
    wide = Shard(**write_shard(tmp_path / "wide", np.zeros((1, 4)), [10]))  # type: ignore[typeddict-item]
    with pytest.raises(ValueError, match="3 and 4 wide"):
        columns.gather([*shards, wide], np.array([1]))
    short = Shard(**write_shard(tmp_path / "short", np.zeros((2, 3)), [10]))  # type: ignore[typeddict-item]
    with pytest.raises(ValueError, match=r"expected \(n, d\) and \(n,\)"):
        columns.gather([short], np.array([10]))


@pytest.mark.parametrize("shape", [(5, 3), (0, 3)])
def test_it_writes_a_plain_npy_file_in_blocks(tmp_path: Path, shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    with NpyWriter(tmp_path / "x.npy", shape) as out:
        out.append(values[:2])
        out.append(values[2:])
    held = np.load(tmp_path / "x.npy", allow_pickle=False)
    assert held.dtype == np.float32 and (held == values).all()
    assert shape[0] == 0 or np.load(tmp_path / "x.npy", mmap_mode="r").shape == shape
