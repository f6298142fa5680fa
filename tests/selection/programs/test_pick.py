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


def test_it_says_what_makes_each_pick_hard(order: dict[str, Any]) -> None:
    found, folder = picks(order, label_names=["l0", "l1", "l2"])
    tags = json.loads((folder / "tags.json").read_text())
    probs = np.load(folder / "probs.npy")
    assert len(tags) == len(found) == 10
    for own, row in zip(tags, probs, strict=True):
        first, second = np.argsort(-row, kind="stable")[:2]
        boundary = [one for one in own if one["name"] == "boundary"]
        assert bool(boundary) == (row[first] - row[second] < 0.2)
        for one in boundary:
            assert one["labels"] == [f"l{first}", f"l{second}"]
            assert one["found"] == pytest.approx(row[first] - row[second], abs=1e-6)
    assert "tags.json" not in {
        file.name for file in picks(order, result=order["result"] + "-bare")[1].iterdir()
    }


def test_it_lets_the_model_and_its_earlier_versions_disagree(order: dict[str, Any], tmp_path: Path) -> None:
    rows, probs = np.load(order["rows"]), np.load(order["probabilities"][0]["values"])
    earlier = probs.copy()
    earlier[[4, 17]] = np.roll(probs[[4, 17]], 1, axis=1)  # it has changed its mind about these two
    np.save(tmp_path / "earlier.npy", earlier)
    shard = {"values": str(tmp_path / "earlier.npy"), "rows": order["rows"]}
    changed = {
        "strategy": "version_disagreement",
        "versions": {"m1": [shard]},
        "control_share": 0.0,
        "count": 2,
    }
    found, folder = picks(order, **changed)
    assert {entry["row"] for entry in found} == {int(rows[4]), int(rows[17])}
    assert json.loads((folder / "result.json").read_text())["versions"] == ["m1"]


def test_a_balance_of_classes_goes_by_the_labels_that_there_are(order: dict[str, Any]) -> None:
    k = np.load(order["probabilities"][0]["values"]).shape[1]
    names = [f"l{number}" for number in range(k)]
    spec = pick.PickSpec.from_json({**order, "label_names": names})
    pool, labels, _losses = pick.read_pool(spec)
    assert pool.class_counts.tolist() == [int((labels == name).sum()) for name in names]
    assert pick.read_pool(pick.PickSpec.from_json(order))[0].class_counts is None


def test_draws_with_dropout_are_a_committee_for_the_rows_that_have_them(
    order: dict[str, Any], tmp_path: Path
) -> None:
    rows, probs = np.load(order["rows"]), np.load(order["probabilities"][0]["values"])
    drawn = np.sort(rows[[4, 9, 17]])
    own = probs[np.searchsorted(rows, drawn)]
    draws = np.stack([own, own, np.roll(own, 1, axis=1)], axis=1)  # (3, 3, k): of two minds
    draws[1] = own[1]  # but for this one
    np.save(tmp_path / "draws.npy", draws.reshape(3, -1))
    np.save(tmp_path / "drawn.npy", drawn)
    shard = {"values": str(tmp_path / "draws.npy"), "rows": str(tmp_path / "drawn.npy")}
    found, folder = picks(
        order,
        strategy="version_disagreement",
        settings={"committee": "dropout"},
        draws=[shard],
        drawn=str(tmp_path / "drawn.npy"),
        control_share=0.0,
        count=3,
    )
    assert {entry["row"] for entry in found[:2]} == {int(drawn[0]), int(drawn[2])}
    assert found[2]["score"] == pytest.approx(0, abs=1e-6), "the others have no second opinion"
    assert np.load(folder / "drawn.npy").tolist() == drawn.tolist()
