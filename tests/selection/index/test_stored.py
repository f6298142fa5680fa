from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from jobs import program
from selection.index import stored
from selection.index.choice import KINDS, choose
from selection.index.flat import nearest_exact
from selection.programs import index as index_program
from training.learning.columns import Shard

COUNT, WIDTH = 3000, 16


def column(folder: Path, vectors: np.ndarray, rows: np.ndarray, name: str = "a") -> Shard:
    np.save(folder / f"{name}.npy", vectors)
    np.save(folder / f"{name}-rows.npy", rows)
    return {"values": str(folder / f"{name}.npy"), "rows": str(folder / f"{name}-rows.npy")}


def clustered(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(40, WIDTH))
    vectors = (centres[rng.integers(40, size=count)] + 0.3 * rng.normal(size=(count, WIDTH))).astype(
        np.float32
    )
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def vectors() -> np.ndarray:
    return clustered(COUNT)


@pytest.fixture
def shard(tmp_path: Path, vectors: np.ndarray) -> Shard:
    """Rows 0, 2, 4, ..."""
    return column(tmp_path, vectors, 2 * np.arange(COUNT, dtype=np.int64))


def test_recall_is_that_of_a_brute_force_count(shard: Shard, vectors: np.ndarray) -> None:
    rows = np.load(shard["rows"])
    choice = choose(COUNT, WIDTH, 1, "ivf_pq")
    made = stored.build([shard], rows, choice, seed=1)
    recall, probes, widened, queries = stored.measured(made, [shard], rows, choice, seed=5)
    asked = np.sort(np.random.default_rng([5, 7]).choice(COUNT, size=256, replace=False))
    found = stored.refined(made, [shard], rows, vectors[asked], 11, probes=probes, widened=widened)
    exact, _similarity = nearest_exact(vectors, vectors[asked], 11)
    shares = []
    for own, got, wanted in zip(asked, found, exact, strict=True):
        true = [at for at in wanted if at != own][:10]
        shares.append(sum(at in [one for one in got if one != own][:10] for at in true) / len(true))
    assert queries == 256 and recall == pytest.approx(np.mean(shares), abs=1e-9) and recall <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_built_measured_stored_and_read_again(
    kind: str, shard: Shard, vectors: np.ndarray, tmp_path: Path
) -> None:
    result = tmp_path / "result"
    index_program.work({"result": str(result), "embeddings": [shard], "kind": kind, "seed": 1})
    made, rows, facts = stored.read(result)
    assert (facts.kind, facts.count, facts.width) == (kind, COUNT, WIDTH)
    assert rows.tolist() == (2 * np.arange(COUNT)).tolist()
    least = {"flat": 1.0, "ivf": 0.93, "hnsw": 0.93, "ivf_sq8": 0.9}.get(kind, 0.6)
    assert least <= facts.recall_at_10 <= 1.0
    first = stored.search(made, vectors[:5], 1, facts.probes)[:, 0]
    if kind in ("flat", "ivf"):
        assert first.tolist() == [0, 1, 2, 3, 4]


def test_more_cells_are_looked_at_until_enough_is_found(shard: Shard) -> None:
    rows = np.load(shard["rows"])
    choice = choose(COUNT, WIDTH, 1, "ivf")
    made = stored.build([shard], rows, choice, seed=1)
    from dataclasses import replace

    recall, probes, widened, _queries = stored.measured(
        made, [shard], rows, replace(choice, probes=1), seed=1
    )
    assert widened == 1, "whole vectors are their own exact ranking"
    assert probes >= 1 and (recall >= stored.ENOUGH or 2 * probes > choice.lists // 4)


def test_new_rows_are_added_and_the_cells_learnt_again_when_it_has_grown_by_half(
    shard: Shard, vectors: np.ndarray, tmp_path: Path
) -> None:
    order = {"embeddings": [shard], "kind": "ivf", "seed": 1}
    index_program.work({**order, "result": str(tmp_path / "first")})
    more = column(tmp_path, clustered(300, seed=9), 2 * np.arange(300, dtype=np.int64) + 1, "b")
    order["embeddings"] = [shard, more]
    index_program.work({**order, "result": str(tmp_path / "second"), "base": str(tmp_path / "first")})
    _made, rows, facts = stored.read(tmp_path / "second")
    assert (facts.count, facts.trained_on) == (COUNT + 300, COUNT)
    assert sorted(rows.tolist()) == sorted([*range(0, 2 * COUNT, 2), *range(1, 600, 2)])
    assert facts.recall_at_10 >= 0.93
    many = column(tmp_path, clustered(1600, seed=8), 10_000 + np.arange(1600, dtype=np.int64), "c")
    order["embeddings"] = [shard, more, many]
    index_program.work({**order, "result": str(tmp_path / "third"), "base": str(tmp_path / "second")})
    assert stored.read(tmp_path / "third")[2].trained_on == COUNT + 1900


def test_a_damaged_index_is_said_and_built_anew(
    shard: Shard, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = {"embeddings": [shard], "kind": "ivf"}
    index_program.work({**order, "result": str(tmp_path / "first")})
    file = tmp_path / "first" / stored.FILE
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(ValueError, match="cannot be read .* build it again"):
        stored.read(tmp_path / "first")
    index_program.work({**order, "result": str(tmp_path / "second"), "base": str(tmp_path / "first")})
    assert stored.read(tmp_path / "second")[2].count == COUNT
    assert "it is built anew" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["hnsw", "ivf_sq8", "ivf_rabitq", "ivf_pq"])
def test_a_search_finds_as_many_as_was_measured_and_ranks_them_exactly(
    kind: str, shard: Shard, vectors: np.ndarray, tmp_path: Path
) -> None:
    folder = tmp_path / kind
    index_program.work({"result": str(folder), "embeddings": [shard], "kind": kind, "seed": 1})
    recall = stored.read(folder)[2].recall_at_10
    exact = nearest_exact(vectors, vectors[::30], 11)[0]
    hits, none = [], np.empty(0, dtype=np.int64)
    for query, wanted in zip(vectors[::30], exact, strict=True):
        rows, similarity = stored.most_similar(folder, [shard], query, 11, newer=none)
        np.testing.assert_allclose(similarity, vectors[rows // 2] @ query, atol=1e-6)
        assert (np.diff(similarity) <= 0).all()
        hits.append(len(set(rows[1:].tolist()) & set((2 * wanted[1:]).tolist())) / 10)
    assert recall >= 0.9 and np.mean(hits) == pytest.approx(recall, abs=0.05)


def test_codes_are_asked_for_more_candidates_until_enough_is_found(
    shard: Shard, vectors: np.ndarray, tmp_path: Path
) -> None:
    index_program.work(
        {"result": str(tmp_path / "a"), "embeddings": [shard], "kind": "ivf_rabitq", "seed": 1}
    )
    made, rows, facts = stored.read(tmp_path / "a")
    assert facts.widened > 1
    asked = np.arange(0, COUNT, 12)
    exact = nearest_exact(vectors, vectors[asked], 11)[0]
    raw = stored.recall_of(stored.search(made, vectors[asked], 11, facts.probes), exact, asked)
    fine = stored.refined(made, [shard], rows, vectors[asked], 11, probes=facts.probes, widened=facts.widened)
    assert stored.recall_of(fine, exact, asked) > raw + 0.1


def test_rows_that_came_after_the_index_are_found_too(
    shard: Shard, vectors: np.ndarray, tmp_path: Path
) -> None:
    index_program.work({"result": str(tmp_path / "ivf"), "embeddings": [shard], "kind": "ivf"})
    late = column(tmp_path, vectors[:1], np.array([9001], dtype=np.int64), "late")
    found, _similarity = stored.most_similar(
        tmp_path / "ivf", [shard, late], vectors[0], 2, newer=np.array([9001], dtype=np.int64)
    )
    assert found.tolist() == [0, 9001]


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three thousand vectors count as enough for cells."""
    monkeypatch.setattr("selection.index.choice.FLAT_BELOW", 200)


@pytest.fixture
def hard(tmp_path: Path) -> Shard:
    """Without clusters cells miss some."""
    found = np.random.default_rng(4).normal(size=(COUNT, WIDTH)).astype(np.float32)
    unit = found / np.linalg.norm(found, axis=1, keepdims=True)
    return column(tmp_path, unit, 2 * np.arange(COUNT, dtype=np.int64), "hard")


def built(folder: Path, **order: object) -> stored.Facts:
    index_program.work({"result": str(folder), "seed": 1, **order})
    return stored.read(folder)[2]


def test_less_lossy_kinds_are_tried_until_one_finds_enough(
    many: None, hard: Shard, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = built(tmp_path / "all", embeddings=[hard], floor=1.0, memory_mb=100)
    kinds = [one["kind"] for one in facts.tried]
    assert kinds == ["ivf", "hnsw", "flat"][: len(kinds)] and len(kinds) > 1
    recalls = [one["recall_at_10"] for one in facts.tried]
    assert facts.recall_at_10 == recalls[-1] == 1.0 and max(recalls[:-1]) < 1.0
    assert facts.kind == kinds[-1]
    assert f"{facts.factory} finds 1.000 of the ten nearest" in capsys.readouterr().out
    enough = built(tmp_path / "one", embeddings=[hard], floor=0.5, memory_mb=100)
    assert [one["kind"] for one in enough.tried] == ["ivf"]


def test_the_best_one_measured_is_kept_where_none_finds_enough(
    many: None, shard: Shard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"ivf": 0.9, "hnsw": 0.8, "flat": 0.7}
    monkeypatch.setattr(
        stored, "measured", lambda index, shards, rows, choice, seed: (found[choice.kind], 16, 1, 256)
    )
    facts = built(tmp_path / "best", embeddings=[shard], memory_mb=100)
    assert {one["kind"]: one["recall_at_10"] for one in facts.tried} == found
    assert (facts.kind, facts.recall_at_10) == ("ivf", 0.9)


def test_an_asked_kind_is_built_alone(many: None, shard: Shard, tmp_path: Path) -> None:
    facts = built(tmp_path / "asked", embeddings=[shard], floor=1.0, memory_mb=100, kind="hnsw")
    assert [one["kind"] for one in facts.tried] == [facts.kind] == ["hnsw"]


def test_what_was_tried_is_not_built_again_while_the_cells_hold(
    many: None, hard: Shard, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = {"floor": 1.0, "memory_mb": 100}
    first = built(tmp_path / "first", embeddings=[hard], **order)
    assert len(first.tried) > 1
    more = column(tmp_path, clustered(300, seed=9), 2 * np.arange(300, dtype=np.int64) + 1, "b")
    capsys.readouterr()
    again = built(tmp_path / "again", embeddings=[hard, more], base=str(tmp_path / "first"), **order)
    assert f"adding 300 vectors to {COUNT}" in capsys.readouterr().out
    assert (again.kind, again.count, again.trained_on) == (first.kind, COUNT + 300, COUNT)
    assert {one["kind"] for one in first.tried} <= {one["kind"] for one in again.tried}
    less = built(
        tmp_path / "less", embeddings=[hard, more], base=str(tmp_path / "first"), floor=0.5, memory_mb=0.1
    )
    assert [one["kind"] for one in less.tried] == ["ivf_sq8"]  # what is in use fits no more: begun anew


def test_a_floor_is_a_share(tmp_path: Path) -> None:
    with pytest.raises(program.Refused, match="floor"):
        index_program.work({"result": str(tmp_path / "x"), "embeddings": [], "floor": 93})
