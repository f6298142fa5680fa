from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.programs import columns
from selection.programs.columns import Shard


def make_shard(folder: Path, name: str, rows: list[int], values: np.ndarray) -> Shard:
    np.save(folder / f"{name}.npy", values)
    np.save(folder / f"{name}-rows.npy", np.asarray(rows, dtype=np.int64))
    return Shard(values=str(folder / f"{name}.npy"), rows=str(folder / f"{name}-rows.npy"))


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_it_gathers_what_a_dictionary_would(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("columns")
    stored = data.draw(st.lists(st.integers(0, 200), unique=True, min_size=1, max_size=40))
    owner = {row: data.draw(st.integers(0, 2)) for row in stored}
    truth = {row: np.asarray([row, -row, 0.5], dtype=np.float32) for row in stored}
    shards = []
    for number in range(3):
        rows = sorted(row for row in stored if owner[row] == number)
        values = np.stack([truth[row] for row in rows]) if rows else np.empty((0, 3), dtype=np.float32)
        shards.append(make_shard(folder, str(number), rows, values))
    wanted = data.draw(st.lists(st.sampled_from(stored), max_size=30))
    found = columns.gather(shards, np.asarray(wanted, dtype=np.int64))
    assert found.shape == (len(wanted), 3)
    assert all(np.array_equal(vector, truth[row]) for vector, row in zip(found, wanted, strict=True))
    assert columns.held(shards).tolist() == sorted(stored)


def test_it_holds_nothing_without_shards() -> None:
    assert columns.held([]).tolist() == []
