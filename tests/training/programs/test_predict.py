from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs import program
from tests import training_kit as kit
from training.learning import calibration
from training.programs import predict

MODULE = "training.programs.predict"
LABELS = ["a", "b", "c"]


def make_model(folder: Path, temperature: float = 2.0) -> Path:
    """A fine-tuned model's folder with a head of random weights."""
    import torch

    from training.learning.text_model import TextClassifier, Tokeniser, load_encoder

    base = kit.tiny_encoder(folder / "base")
    model = TextClassifier(load_encoder(base), len(LABELS))
    torch.manual_seed(1)
    torch.nn.init.normal_(model.head.weight)
    (folder / "model").mkdir()
    model.save(folder / "model")
    Tokeniser.load(base, 32).save(folder / "model")
    (folder / "result.json").write_text(
        json.dumps({"learner": "finetune", "labels": LABELS, "temperature": temperature, "max_length": 32})
    )
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


def texts(count: int) -> list[str]:
    rng = np.random.default_rng(0)
    words = ["card", "lost", "我的", "卡", "delivery", "again", "😀", ""]
    return [" ".join(rng.choice(words, rng.integers(1, 60))) for _ in range(count)]


@pytest.mark.slow
def test_it_gives_each_row_what_the_model_says_of_that_text_alone(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from training.learning.text_model import TextClassifier, Tokeniser, padded

    monkeypatch.setattr(predict, "READ_ROWS", 16)  # several blocks
    rows = np.random.default_rng(1).permutation(1000)[:50]
    path = kit.write_texts(tmp_path / "texts.parquet", texts(50), rows.tolist())
    predict.work(
        {"result": str(tmp_path / "out"), "model": str(model), "texts": str(path), "batch_tokens": 128}
    )
    program.verify_manifest(tmp_path / "out")
    probs, vectors = (np.load(tmp_path / "out" / name) for name in ("probs.npy", "embeddings.npy"))
    assert (np.load(tmp_path / "out" / "rows.npy") == rows).all()
    classifier = TextClassifier.load(model / "model", 3).eval()
    tokeniser = Tokeniser.load(model / "model", 32)
    for i, text in enumerate(texts(50)):
        with torch.inference_mode():
            logits, unit = classifier.logits_and_vectors(*padded(tokeniser([text]), tokeniser.pad))
        np.testing.assert_allclose(probs[i], calibration.calibrated(logits.numpy(), 2.0)[0], atol=1e-5)
        np.testing.assert_allclose(vectors[i], unit.numpy()[0], atol=1e-5)
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert (result["labels"], result["n"]) == (LABELS, 50)
    assert 0 < result["computed_s"] <= result["seconds"]


@pytest.mark.slow
def test_it_gives_an_empty_result_for_no_texts(tmp_path: Path, model: Path) -> None:
    path = kit.write_texts(tmp_path / "texts.parquet", [])
    predict.work({"result": str(tmp_path / "out"), "model": str(model), "texts": str(path)})
    assert np.load(tmp_path / "out" / "probs.npy").shape == (0, 3)
    assert np.load(tmp_path / "out" / "embeddings.npy").shape == (0, 32)


@pytest.mark.slow
def test_it_says_that_the_disk_is_full_and_leaves_nothing_half_done(tmp_path: Path, model: Path) -> None:
    def no_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    path = kit.write_texts(tmp_path / "texts.parquet", texts(400))
    spec = {"result": str(tmp_path / "out"), "model": str(model), "texts": str(path)}
    outcome = kit.finish(kit.start(MODULE, spec, tmp_path / "spec.json", preexec_fn=no_large_files))
    assert outcome.code == program.EXIT_REFUSED
    assert "the disk is full" in outcome.error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["spec.json", "texts.parquet"]


def write_result(folder: Path, **changes: Any) -> Path:
    folder.mkdir()
    (folder / "result.json").write_text(json.dumps({"learner": "finetune", "labels": LABELS, **changes}))
    return folder


def test_it_refuses_folders_that_are_no_model(tmp_path: Path) -> None:
    texts_path = str(kit.write_texts(tmp_path / "texts.parquet", ["x"]))

    def spec(model: Path, **changes: Any) -> dict[str, Any]:
        return {"result": str(tmp_path / "out"), "model": str(model), "texts": texts_path, **changes}

    with pytest.raises(program.Refused, match="cannot be read as a model.*train it again"):
        predict.work(spec(tmp_path / "nowhere"))
    with pytest.raises(program.Refused, match="kind 'guess', expected a finetune or a probe"):
        predict.work(spec(write_result(tmp_path / "guess", learner="guess")))
    with pytest.raises(program.Refused, match="holds no model.safetensors"):
        predict.work(spec(write_result(tmp_path / "hollow")))
    with pytest.raises(program.Refused, match="reads texts, and none were given"):
        np.save(tmp_path / "rows.npy", np.arange(3))
        predict.work(spec(write_result(tmp_path / "wordless"), texts="", rows=str(tmp_path / "rows.npy")))
    with pytest.raises(program.Refused, match="say what to predict"):
        predict.work(spec(tmp_path, texts=""))
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_it_refuses_damaged_weights(tmp_path: Path) -> None:
    model = make_model(tmp_path / "model")
    head = model / "model" / "head.safetensors"
    head.write_bytes(head.read_bytes()[:20])
    spec = {
        "result": str(tmp_path / "out"),
        "model": str(model),
        "texts": str(kit.write_texts(tmp_path / "texts.parquet", ["x"])),
    }
    with pytest.raises(program.Refused, match="cannot be loaded as a head of 3 outputs"):
        predict.work(spec)
    weights = model / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    with pytest.raises(program.Refused, match="cannot be loaded as an encoder"):
        predict.work(spec)


def test_it_reads_rows_from_both_kinds_of_file(tmp_path: Path) -> None:
    path = kit.write_texts(tmp_path / "texts.parquet", ["x", "y"], [7, 3])
    assert predict.read_rows(path).tolist() == [7, 3]
    np.save(tmp_path / "rows.npy", np.array([4, 2], dtype=np.int32))
    assert predict.read_rows(tmp_path / "rows.npy").tolist() == [4, 2]
    np.save(tmp_path / "odd.npy", np.array([0.5]))
    with pytest.raises(ValueError, match="expected whole numbers"):
        predict.read_rows(tmp_path / "odd.npy")
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"row": [1]}), tmp_path / "bare.parquet")
    with pytest.raises(ValueError, match="has no column text"):
        predict.read_rows(tmp_path / "bare.parquet")
    pq.write_table(pa.table({"row": [1, None], "text": ["a", "b"]}), tmp_path / "holes.parquet")
    with pytest.raises(ValueError, match="empty cells in its column row"):
        predict.read_rows(tmp_path / "holes.parquet")
