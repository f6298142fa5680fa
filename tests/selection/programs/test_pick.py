from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import program
from selection.programs import pick

ITEMS, WIDTH, LABELS = 60, 8, 3


def unit(rng: np.random.Generator, count: int) -> np.ndarray:
    vectors = rng.normal(size=(count, WIDTH)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def order(tmp_path: Path) -> dict[str, Any]:
    """A pool of rows 0, 2, 4, ... and labelled items at the odd rows, in two interleaved shards."""
    rng = np.random.default_rng(7)
    every = np.arange(2 * ITEMS, dtype=np.int64)
    vectors = unit(rng, 2 * ITEMS)
    shards = []
    for name, rows in (("a", every[every % 3 == 0]), ("b", every[every % 3 != 0])):
        np.save(tmp_path / f"{name}.npy", vectors[rows])
        np.save(tmp_path / f"{name}-rows.npy", rows)
        shards.append({"values": str(tmp_path / f"{name}.npy"), "rows": str(tmp_path / f"{name}-rows.npy")})
    pool = every[::2]
    probs = rng.dirichlet(np.ones(LABELS), size=ITEMS).astype(np.float32)
    np.save(tmp_path / "probs.npy", probs)
    np.save(tmp_path / "pool.npy", pool)
    np.save(tmp_path / "clusters.npy", pool)
    labelled = pa.table({"row": every[1::2], "label": [f"l{i % LABELS}" for i in range(ITEMS)]})
    pq.write_table(labelled, tmp_path / "labelled.parquet")
    return {
        "result": str(tmp_path / "result"),
        "rows": str(tmp_path / "pool.npy"),
        "clusters": str(tmp_path / "clusters.npy"),
        "probabilities": [{"values": str(tmp_path / "probs.npy"), "rows": str(tmp_path / "pool.npy")}],
        "embeddings": shards,
        "labelled": str(tmp_path / "labelled.parquet"),
        "strategy": "margin",
        "count": 10,
        "control_share": 0.2,
        "seed": 3,
    }


def picks(order: dict[str, Any], **changes: Any) -> tuple[list[dict[str, Any]], Path]:
    spec = {**order, **changes}
    pick.work(spec)
    return pq.read_table(Path(spec["result"]) / "picks.parquet").to_pylist(), Path(spec["result"])


def test_it_picks_the_smallest_margins_after_the_control_arm(order: dict[str, Any]) -> None:
    found, folder = picks(order)
    probs = np.sort(np.load(order["probabilities"][0]["values"]), axis=1)
    margins = dict(zip(np.load(order["rows"]).tolist(), (probs[:, -1] - probs[:, -2]).tolist(), strict=True))
    control = [entry["row"] for entry in found if entry["arm"] == "control"]
    chosen = [entry["row"] for entry in found if entry["arm"] == "strategy"]
    assert len(control) == 2
    expected = sorted((row for row in margins if row not in control), key=lambda row: margins[row])[:8]
    assert chosen == expected
    assert [entry["rank"] for entry in found] == list(range(10))
    program.verify_manifest(folder)


def test_it_keeps_the_probabilities_of_the_picks_in_pick_order(order: dict[str, Any]) -> None:
    found, folder = picks(order)
    rows = np.load(order["rows"]).tolist()
    probs = np.load(order["probabilities"][0]["values"])
    expected = np.stack([probs[rows.index(entry["row"])] for entry in found])
    assert np.array_equal(np.load(folder / "probs.npy"), expected)


@pytest.mark.parametrize(
    "strategy", ["random", "default", "blend", "cold_start", "kmeans", "mmr", "hardness"]
)
def test_it_gives_the_same_picks_again_and_others_with_another_seed(
    order: dict[str, Any], tmp_path: Path, strategy: str
) -> None:
    first, folder = picks(order, strategy=strategy)
    again, _folder = picks(order, strategy=strategy, result=str(tmp_path / "again"))
    other, _folder = picks(order, strategy=strategy, result=str(tmp_path / "other"), seed=4)
    assert first == again
    assert len({entry["row"] for entry in first}) == 10
    if strategy in ("random", "cold_start"):
        assert first != other
    assert json.loads((folder / "result.json").read_text())["picked"] == 10


def test_it_can_be_run_again_from_its_own_result_folder(order: dict[str, Any], tmp_path: Path) -> None:
    first, folder = picks(order, strategy="blend")
    again, _folder = picks(
        order,
        strategy="blend",
        result=str(tmp_path / "again"),
        rows=str(folder / "rows.npy"),
        clusters=str(folder / "clusters.npy"),
        labelled=str(folder / "labelled.parquet"),
    )
    assert first == again


def test_it_picks_all_there_is_where_the_pool_is_smaller_than_the_batch(order: dict[str, Any]) -> None:
    found, _folder = picks(order, count=500, control_share=0.0)
    assert len(found) == ITEMS


def test_it_never_picks_two_of_a_cluster(order: dict[str, Any], tmp_path: Path) -> None:
    np.save(tmp_path / "pairs.npy", np.load(order["rows"]) // 4)
    found, _folder = picks(order, clusters=str(tmp_path / "pairs.npy"), count=30, strategy="random")
    assert len({entry["row"] // 4 for entry in found}) == 30


def test_it_draws_a_map_whose_points_lie_in_the_square(order: dict[str, Any]) -> None:
    _found, folder = picks(order)
    points = json.loads((folder / "map.json").read_text())
    assert (len(points["pool"]), len(points["labelled"]), len(points["picked"])) == (ITEMS, ITEMS, 10)
    assert all(
        -1 <= value <= 1 for kind in ("pool", "labelled", "picked") for xy in points[kind] for value in xy
    )


def test_it_works_before_there_is_a_model(order: dict[str, Any]) -> None:
    found, folder = picks(order, strategy="cold_start", probabilities=[], labelled="")
    assert len(found) == 10
    assert not (folder / "probs.npy").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"strategy": "best"}, "no strategy 'best'"),
        ({"count": 0}, "expected 1 or more"),
        ({"settings": {"colour": 1}}, "no setting colour"),
        ({"probabilities": []}, "needs probs"),
        ({"surprise": 1}, "has no surprise"),
        ({"rows": "nowhere.npy"}, "nowhere.npy"),
    ],
)
def test_it_refuses_in_a_sentence_what_it_cannot_do(
    order: dict[str, Any], changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(program.Refused, match=words):
        pick.work({**order, **changes})
    assert not Path(order["result"]).exists()


def test_it_refuses_rows_that_no_shard_holds(order: dict[str, Any]) -> None:
    with pytest.raises(program.Refused, match="40 of 60 rows are in no shard"):
        pick.work({**order, "embeddings": order["embeddings"][:1]})
