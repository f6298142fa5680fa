from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import program
from selection.programs import refresh
from selection.strategies import hardness
from selection.strategies.uncertainty import margin
from training.learning import probe

ITEMS, WIDTH = 80, 6


@pytest.fixture
def order(tmp_path: Path) -> dict[str, Any]:
    """Even rows are the pool, odd ones are labelled by the side of a plane they lie on."""
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(2 * ITEMS, WIDTH)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    every = np.arange(2 * ITEMS, dtype=np.int64)
    np.save(tmp_path / "vectors.npy", vectors)
    np.save(tmp_path / "rows.npy", every)
    np.save(tmp_path / "pool.npy", every[::2])
    labels = ["above" if vectors[row, 0] > 0 else "below" for row in every[1::2]]
    pq.write_table(pa.table({"row": every[1::2], "label": labels}), tmp_path / "labelled.parquet")
    return {
        "result": str(tmp_path / "result"),
        "rows": str(tmp_path / "pool.npy"),
        "clusters": str(tmp_path / "pool.npy"),
        "embeddings": [{"values": str(tmp_path / "vectors.npy"), "rows": str(tmp_path / "rows.npy")}],
        "labelled": str(tmp_path / "labelled.parquet"),
        "strategy": "margin",
        "count": 10,
        "seed": 3,
    }


def picked(order: dict[str, Any]) -> list[dict[str, Any]]:
    return pq.read_table(Path(order["result"]) / "picks.parquet").to_pylist()


def test_it_picks_what_a_head_fitted_to_the_labels_is_least_sure_of(order: dict[str, Any]) -> None:
    refresh.work(order)
    vectors = np.load(order["embeddings"][0]["values"])
    labels = np.asarray(pq.read_table(order["labelled"])["label"].to_pylist())
    _names, codes = np.unique(labels, return_inverse=True)
    head = probe.fit(vectors[1::2], codes, 2, c=10.0, seed=3)
    unsure = margin(head.probabilities(vectors[::2]))
    expected = 2 * np.argsort(-unsure, kind="stable")[:10]
    assert [pick["row"] for pick in picked(order)] == expected.tolist()
    assert {pick["arm"] for pick in picked(order)} == {"strategy"}
    assert np.abs(vectors[expected, 0]).mean() < np.abs(vectors[::2, 0]).mean() / 3  # near to the plane


def test_the_same_order_gives_the_same_picks(order: dict[str, Any], tmp_path: Path) -> None:
    refresh.work(order)
    again = {**order, "result": str(tmp_path / "again")}
    refresh.work(again)
    assert picked(order) == picked(again)


def test_its_probabilities_are_calibrated_on_labels_held_out(order: dict[str, Any], tmp_path: Path) -> None:
    vectors = np.load(order["embeddings"][0]["values"])
    rng = np.random.default_rng(0)
    noisy = [
        ("above", "below")[int((vectors[row, 0] > 0) ^ (rng.random() < 0.3))]
        for row in range(1, 2 * ITEMS, 2)
    ]
    rows = np.arange(1, 2 * ITEMS, 2)
    pq.write_table(pa.table({"row": rows, "label": noisy}), order["labelled"])
    _names, codes = np.unique(noisy, return_inverse=True)
    many = {**order, "c": 1e4}
    refresh.work(many)
    head = probe.fit(vectors[1::2], codes, 2, c=1e4, seed=3)
    held = hardness.deal(codes, 5, np.random.default_rng([3, 6])) == 0
    part = probe.fit(vectors[1::2][~held], codes[~held], 2, c=1e4, seed=3)
    fitted = probe.calibrate(part, vectors[1::2][held], codes[held]).temperature
    assert fitted == 1.0, "sixteen labels held out say too little"
    more = np.repeat(np.arange(1, 2 * ITEMS, 2), 2)[:120]
    spec = refresh.RefreshSpec.from_json(many)
    found = refresh._calibrated(vectors[more], np.repeat(codes, 2)[:120], 2, spec)
    assert found.temperature != 1.0
    plain = probe.fit(vectors[more], np.repeat(codes, 2)[:120], 2, c=1e4, seed=3)
    np.testing.assert_array_equal(found.coef, plain.coef)
    assert np.load(Path(order["result"]) / "probs.npy") == pytest.approx(
        head.probabilities(vectors[[pick["row"] for pick in picked(order)]]), abs=1e-5
    )


@pytest.mark.parametrize("strategy", ["default", "blend", "mmr", "hardness", "random", "kmeans"])
def test_every_kind_of_strategy_can_be_refreshed(order: dict[str, Any], strategy: str) -> None:
    refresh.work({**order, "strategy": strategy})
    rows = [pick["row"] for pick in picked(order)]
    assert len(set(rows)) == 10 and all(row % 2 == 0 for row in rows)


def test_what_the_model_suggests_is_told_for_the_picks_it_has_scored(
    order: dict[str, Any], tmp_path: Path
) -> None:
    scored = np.arange(0, 40, 2, dtype=np.int64)
    probs = np.random.default_rng(0).dirichlet(np.ones(3), size=len(scored)).astype(np.float32)
    np.save(tmp_path / "scored.npy", scored)
    np.save(tmp_path / "probs.npy", probs)
    shard = {"values": str(tmp_path / "probs.npy"), "rows": str(tmp_path / "scored.npy")}
    refresh.work({**order, "count": 60, "suggesting": [shard]})
    result = Path(order["result"])
    places, told = np.load(result / "suggested_at.npy"), np.load(result / "suggested.npy")
    rows = np.asarray([pick["row"] for pick in picked(order)])[places]
    assert 0 < len(rows) < 60 and set(rows.tolist()) <= set(scored.tolist())
    assert np.array_equal(told, probs[np.searchsorted(scored, rows)])


def test_no_label_and_one_kind_of_label_are_refused_in_a_sentence(
    order: dict[str, Any], tmp_path: Path
) -> None:
    for labels, said in (([], "found no labelled item"), (["above"] * 3, "expected two or more")):
        table = {
            "row": pa.array([1, 3, 5][: len(labels)], pa.int64()),
            "label": pa.array(labels, pa.string()),
        }
        pq.write_table(pa.table(table), tmp_path / "few.parquet")
        with pytest.raises(program.Refused, match=said):
            refresh.work({**order, "labelled": str(tmp_path / "few.parquet")})
    assert not Path(order["result"]).exists()


@pytest.mark.slow
def test_it_loads_no_torch(order: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(json.dumps(order))
    code = (
        "import sys, json; from selection.programs import refresh;"
        f"refresh.work(json.load(open({str(tmp_path / 'spec.json')!r})));"
        "print('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "False False"
