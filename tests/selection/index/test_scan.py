from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.index import scan
from selection.programs.columns import Shard


def shard(folder: Path, name: str, rows, values) -> Shard:
    np.save(folder / f"{name}-rows.npy", np.asarray(rows, dtype=np.int64))
    np.save(folder / f"{name}.npy", np.asarray(values, dtype=np.float32))
    return Shard(values=str(folder / f"{name}.npy"), rows=str(folder / f"{name}-rows.npy"))


@pytest.mark.parametrize("block", [2, 65_536])
@given(seed=st.integers(0, 10_000), k=st.integers(1, 12))
def test_it_finds_what_a_full_sort_finds(tmp_path_factory, block, seed, k):
    rng, folder = np.random.default_rng(seed), tmp_path_factory.mktemp("shards")
    values = rng.integers(-2, 3, size=(15, 2)).astype(np.float32)  # small numbers: ties are common
    shards = [shard(folder, "a", np.arange(9), values[:9]), shard(folder, "b", np.arange(9, 15), values[9:])]
    allowed = np.sort(rng.choice(15, size=10, replace=False))
    query = rng.integers(-2, 3, size=2).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "BLOCK", block)
        rows, similarity = scan.most_similar(shards, query, k, allowed=allowed)
    expected = sorted(allowed.tolist(), key=lambda row: (-float(values[row] @ query), row))[:k]
    assert rows.tolist() == expected
    assert similarity.tolist() == [float(values[row] @ query) for row in expected]


def test_a_row_in_two_shards_counts_once_and_absent_rows_have_no_vector(tmp_path):
    shards = [shard(tmp_path, "a", [3, 5], [[1, 0], [0, 1]]), shard(tmp_path, "b", [5], [[0, 1]])]
    rows, _similarity = scan.most_similar(shards, np.array([0, 1], np.float32), 5, allowed=np.array([3, 5]))
    assert rows.tolist() == [5, 3]
    assert scan.vector_of(shards, 5).tolist() == [0, 1]
    assert scan.vector_of(shards, 4) is None
    assert scan.most_similar([], np.ones(2, np.float32), 3, allowed=np.array([1]))[0].tolist() == []
