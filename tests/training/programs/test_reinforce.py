from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs import program
from tests import language_kit
from tests import training_kit as kit
from tests.training.programs.test_tune import make_spec
from training.learning import language_base, reinforcing
from training.programs import reinforce, tune

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A base, pairs whose better reply begins with thanks, a reward model that has learnt that; one of DPO."""
    folder = tmp_path_factory.mktemp("made")
    base = language_kit.tiny_llama(folder / "base")
    pairs = language_kit.pairs
    data = {
        "preference": language_kit.write_dataset(folder / "data", train=pairs(24), validation=pairs(4, 40))
    }
    for objective in ("reward", "dpo"):
        tune.work(make_spec(folder / objective, data, base, objective, epochs=4))
    return {
        "base": base,
        "data": data["preference"],
        "reward": folder / "reward" / "result",
        "dpo": folder / "dpo" / "result",
    }


def spec_of(folder: Path, made: dict[str, Path], **changes: Any) -> dict[str, Any]:
    return {
        "spec_version": 1,
        "result": str(folder / "result"),
        "work": str(folder / "work"),
        "data": str(made["data"]),
        "base_model": str(made["base"]),
        "reward_model": str(made["reward"]),
        "reward_base": str(made["base"]),
        "steps": 30,
        "batch_size": 32,
        "replies": 8,
        "learning_rate": 5e-3,
        "beta": 0.0,
        "most_new_tokens": 8,
        "precision": "fp32",
        "save_every": 10,
        "rank": 8,
        **changes,
    }


def test_replies_that_the_reward_model_likes_become_likelier(tmp_path: Path, made: dict[str, Path]) -> None:
    spec = spec_of(tmp_path, made)
    reinforce.work(spec)
    program.verify_manifest(tmp_path / "result")
    found = json.loads((tmp_path / "result" / "result.json").read_text())
    rewards = [entry["reward"] for entry in found["history"]]
    assert len(rewards) == found["steps"] == 30
    assert np.mean(rewards[-8:]) > np.mean(rewards[:8]) + 0.2
    assert np.isfinite(found["reward"]) and np.isfinite(found["reward_before"])
    assert (found["train_prompts"], found["recovered"]) == (24, [])
    shares = found["resources"]["shares"]
    assert 0 < shares["drawing"] < 1 and sum(shares.values()) == pytest.approx(1, abs=0.01)
    assert found["plan"]["memory"]["optimizer"] == 8 * found["parameters_learning"]
    assert (found["objective"], found["beta"], found["base"]) == (
        "dpo",
        reinforce.READ_BETA,
        {"name": "base"},
    )
    tokenizer = language_base.load_tokenizer(tmp_path / "result" / "model")
    whole = language_base.load_base(
        tmp_path / "result" / "model", "sft", language_base.dtype_of("fp32"), tokenizer
    )
    assert type(whole).__name__ == "LlamaForCausalLM"  # the adapter is in it: it can be a base itself
    assert not list((tmp_path / "work").iterdir())


def test_it_goes_on_from_its_checkpoint_with_the_same_replies_when_it_was_killed(
    tmp_path: Path, made: dict[str, Path]
) -> None:
    plain, run = (
        spec_of(tmp_path / name, made, steps=12, save_every=2, beta=0.1, threads=1)
        for name in ("plain", "run")
    )
    child = kit.start("training.programs.reinforce", run, tmp_path / "run.json")
    until = time.monotonic() + 240
    while not list(Path(run["work"]).glob("attempt-*/checkpoint-*/whole.json")):
        assert child.poll() is None and time.monotonic() < until
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.wait(30)
    assert not Path(run["result"]).exists()
    reinforce.work(plain)
    reinforce.work(run)
    one, other = (json.loads((Path(spec["result"]) / "result.json").read_text()) for spec in (plain, run))
    assert one["resumed_from_step"] is None and other["resumed_from_step"] >= 2
    assert one["reward"] == pytest.approx(other["reward"], rel=1e-5)
    assert one["history"][-1]["reward"] == pytest.approx(other["history"][-1]["reward"], rel=1e-5)


def test_it_says_in_a_sentence_what_it_cannot_learn_from(
    tmp_path: Path, made: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(program.Refused, match="is a model of dpo, expected a reward model: tune one"):
        reinforce.work(spec_of(tmp_path, made, reward_model=str(made["dpo"])))
    with pytest.raises(program.Refused, match="found 12, expected a multiple of the 8 replies"):
        reinforce.work(spec_of(tmp_path, made, batch_size=12))
    with pytest.raises(program.Refused, match="expected one of a response"):
        reinforce.work(spec_of(tmp_path, made, kind="response"))
    monkeypatch.setenv("WORLD_SIZE", "3")  # a third machine came
    with pytest.raises(program.Refused, match="found 32, which 3 processes cannot share evenly"):
        reinforce.work(spec_of(tmp_path, made))


def test_each_pass_meets_every_prompt_once() -> None:
    found = reinforcing.order(5, a_step=2, steps=5, seed=0)
    assert found.shape == (5, 2)
    assert sorted(found.reshape(-1)[:5].tolist()) == sorted(found.reshape(-1)[5:].tolist()) == [0, 1, 2, 3, 4]
