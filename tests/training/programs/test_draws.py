from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from jobs import program
from tests import training_kit as kit
from tests.training.programs.test_predict import LABELS, make_model, texts
from training.programs import draws, predict

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model"))


def test_its_draws_differ_around_what_the_model_says_and_come_back(tmp_path: Path, model: Path) -> None:
    path = kit.write_texts(tmp_path / "texts.parquet", texts(30), list(range(100, 130)))
    order = {"model": str(model), "texts": str(path)}
    predict.work({**order, "result": str(tmp_path / "plain")})
    plain = np.load(tmp_path / "plain" / "probs.npy")
    draws.work({**order, "result": str(tmp_path / "one"), "draws": 30, "seed": 3})
    draws.work({**order, "result": str(tmp_path / "two"), "draws": 30, "seed": 3})
    program.verify_manifest(tmp_path / "one")
    found = np.load(tmp_path / "one" / "draws.npy")
    assert found.shape == (30, 30 * len(LABELS)) and found.dtype == np.float32
    np.testing.assert_array_equal(found, np.load(tmp_path / "two" / "draws.npy"))
    each = found.reshape(30, 30, len(LABELS))
    np.testing.assert_allclose(each.sum(axis=2), 1, atol=1e-5)
    assert (each.std(axis=1).max(axis=1) > 1e-3).all(), "no item has the same answer each time"
    assert np.abs(each.mean(axis=1) - plain).mean() < 0.1
    assert np.load(tmp_path / "one" / "rows.npy").tolist() == list(range(100, 130))
    result = json.loads((tmp_path / "one" / "result.json").read_text())
    assert (result["labels"], result["draws"], result["n"]) == (LABELS, 30, 30)


def test_it_refuses_what_it_cannot_draw_from(tmp_path: Path, model: Path) -> None:
    path = kit.write_texts(tmp_path / "texts.parquet", ["x"])
    order = {"result": str(tmp_path / "out"), "model": str(model), "texts": str(path)}
    with pytest.raises(program.Refused, match="draws: found 1"):
        draws.work({**order, "draws": 1})
    with pytest.raises(program.Refused, match="dropout: found 0"):
        draws.work({**order, "dropout": 0.0})
    probe = tmp_path / "probe"
    probe.mkdir()
    (probe / "result.json").write_text(json.dumps({"learner": "probe", "labels": LABELS}))
    with pytest.raises(program.Refused, match="a probe of type classification: only a fine-tuned model"):
        draws.work({**order, "model": str(probe)})
