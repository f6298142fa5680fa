from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs import program
from tests import training_kit as kit
from training.programs import evaluate, predict, probe


def vectors_of(examples: list[kit.Example], d: int = 16, seed: int = 0) -> np.ndarray:
    """Unit vectors that lie near a centre of their label."""
    rng = np.random.default_rng(seed)
    centres = {topic: np.random.default_rng(i).normal(size=d) for i, topic in enumerate(kit.TOPICS)}
    found = np.array([centres[label] + rng.normal(size=d) for _text, label in examples])
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def make(folder: Path, train: int = 60, validation: int = 40, test: int = 30, d: int = 16) -> dict[str, Any]:
    splits = [kit.messages(count, seed) for seed, count in enumerate((train, validation, test))]
    kit.write_dataset(folder / "data", *splits)
    vectors = vectors_of([example for split in splits for example in split], d)
    rows = np.arange(len(vectors))
    parts = [rows % 3 == 0, rows % 3 != 0]  # shards interleave
    return {
        "result": str(folder / "model"),
        "data": str(folder / "data"),
        "labels": [*kit.TOPICS, "never seen"],
        "features": [
            kit.write_shard(folder / f"shard-{i}", vectors[p], rows[p]) for i, p in enumerate(parts)
        ],
    }


def test_it_trains_predicts_and_evaluates_in_process(tmp_path: Path) -> None:
    spec = make(tmp_path)
    probe.work(spec)
    program.verify_manifest(tmp_path / "model")
    result = json.loads((tmp_path / "model" / "result.json").read_text())
    assert result["learner"] == "probe" and result["labels"] == spec["labels"]
    assert result["train_count"] == 60 and result["label_counts"]["never seen"] == 0
    assert result["validation"]["n"] == 40 and result["validation"]["accuracy"] > 0.8

    rows = np.arange(100, 130)
    np.save(tmp_path / "rows.npy", rows)
    predict.work(
        {
            "result": str(tmp_path / "predicted"),
            "model": spec["result"],
            "features": spec["features"],
            "rows": str(tmp_path / "rows.npy"),
        }
    )
    probs = np.load(tmp_path / "predicted" / "probs.npy")
    assert probs.shape == (30, 5) and probs.dtype == np.float32
    assert probs.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert (np.load(tmp_path / "predicted" / "rows.npy") == rows).all()

    evaluate.work(
        {
            "result": str(tmp_path / "evaluated"),
            "gold": str(tmp_path / "data" / "test.parquet"),
            "labels": spec["labels"],
            "predictions": str(tmp_path / "predicted"),
        }
    )
    figures = json.loads((tmp_path / "evaluated" / "result.json").read_text())
    gold = [label for _text, label in kit.messages(30, 2)]
    right = [spec["labels"][i] == label for i, label in zip(probs.argmax(axis=1), gold, strict=True)]
    assert figures["model"]["accuracy"] == pytest.approx(np.mean(right))
    assert figures["baseline"] is None and figures["difference"] is None


def test_it_gives_the_same_model_twice(tmp_path: Path) -> None:
    spec = make(tmp_path)
    probe.work(spec)
    probe.work({**spec, "result": str(tmp_path / "again")})
    one, two = ((tmp_path / name / "model" / "probe.npz").read_bytes() for name in ("model", "again"))
    assert one == two


def test_it_starts_as_a_program_and_tells_progress(tmp_path: Path) -> None:
    spec = make(tmp_path, validation=0)
    outcome = kit.run("training.programs.probe", spec, tmp_path / "spec.json")
    assert outcome.code == 0, outcome
    assert outcome.of("progress")[-1]["done"] == outcome.of("progress")[-1]["total"]
    assert json.loads((tmp_path / "model" / "result.json").read_text())["temperature"] == 1.0


def test_it_loads_no_torch_for_probe_predict_and_evaluate() -> None:
    code = (
        "import sys; import training.programs.probe, training.programs.predict, training.programs.evaluate, "
        "training.learning.encoder; print(sorted({'torch', 'transformers', 'django'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=kit.ROOT, check=True
    )
    assert found.stdout.strip() == "[]"


@pytest.mark.slow
def test_it_takes_a_moment_for_a_usual_round(tmp_path: Path) -> None:
    """500 labels of 384 dimensions: simulate does this hundreds of times. About 0.1 s on an idle machine."""
    spec = make(tmp_path, train=500, d=384)
    probe.work({**spec, "result": str(tmp_path / "warm")})
    started = time.perf_counter()
    probe.work(spec)
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": ["refund"]}, "two or more"),
        ({"labels": ["refund", "card"]}, "labels that the schema does not know: delivery, login"),
        ({"c": 0}, "c: found 0"),
        ({"features": []}, "no features were given: compute the embeddings first"),
        ({"data": "/nowhere"}, "cannot be read.*freeze the dataset again"),
        ({"extra": 1}, "has no extra"),
    ],
)
def test_it_refuses_what_it_cannot_train_on(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    spec = make(tmp_path)
    with pytest.raises(program.Refused, match=words):
        probe.work({**spec, **changes})
    assert not (tmp_path / "model").exists()


def test_it_says_which_embeddings_are_missing(tmp_path: Path) -> None:
    spec = make(tmp_path)
    with pytest.raises(program.Refused, match="of 60 rows are in no shard"):
        probe.work({**spec, "features": spec["features"][:1]})
