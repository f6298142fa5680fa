"""Answers of the real SmolLM2-135M-Instruct to two prompts: one it knows, one that is open."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs import program
from selection.programs import generate
from selection.strategies.sampling.answers import meanings, semantic_entropy
from training.learning import encoder, language_model

pytestmark = pytest.mark.xdist_group("smollm2")

KNOWN, OPEN = 3, 5  # rows
PROMPTS = {
    KNOWN: "What is the capital of France? Answer with one word.",
    OPEN: "Invent a name for a cat. Answer with one word.",
}
COLD, HOT = 0.2, 1.5


def order(folder: Path, **changes: Any) -> dict[str, Any]:
    prompts = folder / "prompts.parquet"
    pq.write_table(pa.table({"row": list(PROMPTS), "text": list(PROMPTS.values())}), prompts)
    return {
        "result": str(folder / "result"),
        "prompts": str(prompts),
        "model": str(folder),
        "encoder": str(encoder.default_encoder_path()),
        "samples": 6,
        "temperatures": [COLD, HOT],
        "max_new_tokens": 8,
        "seed": 1,
        "threads": 1,
        **changes,
    }


@pytest.fixture(scope="module")
def result(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = order(tmp_path_factory.mktemp("generate"), model=str(smollm2))
    generate.work(spec)
    return Path(spec["result"])


def rows(result: Path, name: str) -> list[dict[str, Any]]:
    return pq.read_table(result / f"{name}.parquet").to_pylist()


def measured(result: Path) -> dict[tuple[int, float], dict[str, Any]]:
    return {(row["row"], row["temperature"]): row for row in rows(result, "measures")}


@pytest.mark.slow
def test_it_is_sure_of_what_the_model_knows(result: Path) -> None:
    cold = [
        row["answer"] for row in rows(result, "answers") if (row["row"], row["temperature"]) == (KNOWN, COLD)
    ]
    assert cold == ["The capital of France is Paris."] * 6
    found = measured(result)[KNOWN, COLD]
    assert found["samples"] == 6
    assert found["unique_share"] == pytest.approx(1 / 6)
    assert (found["semantic_entropy"], found["consistency"], found["var_log_prob"]) == (0.0, 1.0, 0.0)
    assert found["mean_log_prob"] == pytest.approx(-0.159, abs=0.01)


@pytest.mark.slow
def test_it_is_less_sure_of_an_open_question_and_of_all_when_it_is_hot(result: Path) -> None:
    found = measured(result)
    assert found[OPEN, COLD]["semantic_entropy"] > 0.5 > found[KNOWN, COLD]["semantic_entropy"]
    assert found[OPEN, COLD]["mean_log_prob"] < -1
    for row in PROMPTS:
        assert found[row, HOT]["unique_share"] == 1.0
        assert found[row, HOT]["semantic_entropy"] > 1.5  # of log 6 = 1.79
        assert found[row, HOT]["mean_log_prob"] < -4


@pytest.mark.slow
def test_its_figures_follow_from_its_answers(result: Path) -> None:
    told = rows(result, "answers")
    model = encoder.Encoder.load(encoder.default_encoder_path(), 1)
    for (row, temperature), found in measured(result).items():
        own = [one for one in told if (one["row"], one["temperature"]) == (row, temperature)]
        clusters = meanings(model.encode([one["answer"] or "–" for one in own]))
        assert [one["meaning"] for one in own] == clusters.tolist()
        assert found["semantic_entropy"] == pytest.approx(semantic_entropy(clusters))
        assert found["mean_log_prob"] == pytest.approx(np.mean([one["log_prob"] for one in own]))
    summary = json.loads((result / "result.json").read_text())
    assert (summary["prompts"], summary["answers"]) == (2, 24)
    assert summary["tokens"] == sum(one["tokens"] for one in told)


@pytest.mark.slow
def test_it_gives_the_likelihood_that_the_model_gives_a_text(result: Path, smollm2: Path) -> None:
    """The mean log-probability of the known answer, by one pass over prompt and answer."""
    import torch

    model, tokenizer = language_model.load(smollm2)
    ids = generate.prompt_ids(tokenizer, PROMPTS[KNOWN])
    answer = tokenizer("The capital of France is Paris.<|im_end|>", return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        logits = model(torch.cat([ids, answer], dim=1)).logits[0]
    logs = logits[ids.shape[1] - 1 : -1].log_softmax(-1)
    expected = logs.gather(-1, answer[0][:, None]).mean().item()
    assert measured(result)[KNOWN, COLD]["mean_log_prob"] == pytest.approx(expected, abs=1e-3)


@pytest.mark.slow
def test_it_looks_inside_every_layer(result: Path) -> None:
    for inside in rows(result, "inside"):
        assert inside["layers"] == 30 and len(inside["dispersion"]) == 30
        assert all(0 < one < 1 for one in inside["dispersion"])
        assert inside["dispersion"][0] == pytest.approx(0.75, abs=0.02)  # the first layer looks everywhere
        assert 15 < inside["depth"] <= 30


@pytest.mark.slow
def test_the_attention_of_a_prompt_is_left_as_it_was(smollm2: Path) -> None:
    model, tokenizer = language_model.load(smollm2)
    before = model.config._attn_implementation
    found = generate.look_inside(model, generate.prompt_ids(tokenizer, "你好"))
    assert model.config._attn_implementation == before != "eager"
    assert math.isfinite(sum(found["dispersion"]))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"temperatures": []}, "temperatures: found .*, expected one or more different ones"),
        ({"temperatures": [0.5, 0.5]}, "expected one or more different ones"),
        ({"temperatures": [0.0]}, "temperatures"),
        ({"samples": 0}, "samples"),
        ({"model": "/nowhere"}, "holds no model.safetensors: expected the folder of a language model"),
        ({"colour": 1}, "colour"),
    ],
)
def test_it_says_what_is_wrong_with_an_order(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(program.Refused, match=words):
        generate.work(order(tmp_path, **changes))
    assert not (tmp_path / "result").exists()
