from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from jobs import program
from tests import language_kit
from tests import training_kit as kit
from training.distributed import profile
from training.learning import dialogues, reply_scores
from training.objectives import language
from training.programs import tune

pytestmark = pytest.mark.slow
MODULE = "training.programs.tune"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return language_kit.tiny_llama(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """38 examples: with batches of 8 the last one of a pass holds six. One more is too long, one is empty."""
    folder = tmp_path_factory.mktemp("data")
    odd = language_kit.responses(2, 90)
    odd[0][0]["messages"][1]["content"] = "soon " * 200
    odd[1][0]["messages"][1]["content"] = "  "
    long = language_kit.pairs(1, 90)
    long[0][0]["rejected"] = "soon " * 200
    replies, pairs = language_kit.responses, language_kit.pairs
    return {
        "response": language_kit.write_dataset(
            folder / "r", train=[*replies(38), *odd], validation=replies(8, 40), test=replies(8, 60)
        ),
        "preference": language_kit.write_dataset(
            folder / "p", train=[*pairs(38), *long], validation=pairs(8, 40), test=pairs(8, 60)
        ),
    }


def make_spec(
    folder: Path, data: dict[str, Path], base: Path, objective: str, **changes: Any
) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "spec_version": 1,
        "result": str(folder / "result"),
        "work": str(folder / "work"),
        "data": str(data[language.kind_of(objective)]),
        "base_model": str(base),
        "objective": objective,
        "learning_rate": 5e-3,
        "max_length": 96,
        "precision": "fp32",
        "epochs": 2,
        **changes,
    }


def result_of(spec: dict[str, Any]) -> dict[str, Any]:
    program.verify_manifest(Path(spec["result"]))
    found: dict[str, Any] = json.loads((Path(spec["result"]) / "result.json").read_text())
    return found


def weights_of(spec: dict[str, Any]) -> dict[str, np.ndarray]:
    (path,) = (Path(spec["result"]) / "model").glob("*.safetensors")
    return dict(load_file(path))


@pytest.mark.parametrize(("liked", "disliked", "accuracy"), [(3.0, 0.2, 1.0), (0.2, 3.0, 0.0)])
def test_it_learns_what_weighs_more(
    tmp_path: Path, base: Path, liked: float, disliked: float, accuracy: float
) -> None:
    """Half of the pairs say the contrary of the other half."""
    pairs = language_kit.pairs(16)
    swapped = [
        [{**one, "chosen": one["rejected"], "rejected": one["chosen"]}] for (one,) in language_kit.pairs(16)
    ]
    folder = language_kit.write_dataset(
        tmp_path / "data",
        [liked] * 16 + [disliked] * 16,
        train=pairs + swapped,
        validation=language_kit.pairs(8, 40),
    )
    spec = make_spec(tmp_path / "run", {"preference": folder}, base, "reward", epochs=2)
    tune.work(spec)
    assert result_of(spec)["steps"] == 8
    assert result_of(spec)["validation"]["accuracy"] == accuracy


@pytest.mark.parametrize(
    ("objective", "adapter"), [("sft", "lora"), ("dpo", "lora"), ("dpo", "full"), ("reward", "lora")]
)
def test_it_learns_and_what_it_saved_gives_the_same_figures(
    tmp_path: Path, data: dict[str, Path], base: Path, objective: str, adapter: str
) -> None:
    spec = make_spec(
        tmp_path, data, base, objective, adapter=adapter, gradient_checkpointing=adapter == "full"
    )
    tune.work(spec)
    found = result_of(spec)
    before, after = found["validation_before"], found["validation"]
    assert after["loss"] < 0.97 * before["loss"]  # a tiny adapter for ten steps
    assert after["n"] == 8
    assert (found["steps"], found["train_count"]) == (10, 38)
    assert found["dropped"]["train"]["dropped_too_long"] == 1
    assert found["dropped"]["train"]["dropped_empty"] == (1 if objective == "sft" else 0)
    assert found["dropped"]["train"]["longest_tokens"] > 200
    assert not list(Path(spec["work"]).glob("attempt-*"))
    if objective != "sft":
        assert (before["accuracy"], after["accuracy"]) == (before["accuracy"], 1.0)
        assert before["margin"] == 0 if objective == "dpo" else abs(before["margin"]) < 0.1
        assert after["margin"] > 0.1
    else:
        assert after["perplexity"] == pytest.approx(np.exp(after["loss"]))
    check_costs(found, objective, adapter)
    files = {path.name for path in Path(spec["result"]).rglob("*") if path.is_file()}
    assert ("adapter_model.safetensors" in files) == (adapter == "lora")
    assert not {name for name in files if name.endswith((".bin", ".pt", ".pth", ".py"))}

    from training.learning.tuned_model import TunedModel

    opened = TunedModel(Path(spec["result"]), base, precision="fp32")
    examples = language.read(Path(spec["data"]), "validation", objective)
    spoken = [opened.spoken(one.prompt, reply) for one in examples for reply in one.replies]
    if objective == "sft":
        told = opened.likelihoods(spoken)
        assert -told.sums.sum() / told.tokens.sum() == pytest.approx(after["loss"], rel=1e-4)
    else:
        scores = opened.scores(spoken).reshape(-1, 2)
        assert (scores[:, 0] - scores[:, 1]).mean() == pytest.approx(after["margin"], rel=1e-3)


def check_costs(found: dict[str, Any], objective: str, adapter: str) -> None:
    """What a run tells of its plan, and of its time and memory."""
    memory, layout = found["plan"]["memory"], found["plan"]["layout"]
    total, learning = found["parameters"], found["parameters_learning"]
    copies = learning if (objective, adapter) == ("dpo", "lora") else 0  # TRL keeps the untouched adapter too
    assert (memory["weights"], memory["gradients"]) == (4 * (total + copies), 4 * learning)
    assert memory["optimizer"] == 8 * learning
    assert (learning == total) == (adapter == "full")
    assert (layout["name"], layout["micro_batch"]) == ("one process", 8)
    assert layout["checkpointing"] == ("full" if adapter == "full" else "none")
    first = found["plan"]["reasons"][0]
    assert first["code"] == ("needs" if adapter == "full" else "needs_part")
    cost = found["resources"]
    assert sum(cost["shares"].values()) == pytest.approx(1, abs=0.01)
    assert cost["shares"]["compute"] > 0 and "communication" not in cost
    # equal where an earlier test of this process left the memory that the run took
    assert cost["peak_bytes"] >= cost["before_bytes"] > 0 or not Path("/proc/self/status").exists()
    assert 0 < cost["utilisation"] < 1


def test_the_profiler_looks_at_steps_of_a_tune_on_two_processes(
    tmp_path: Path, data: dict[str, Path], base: Path
) -> None:
    spec = make_spec(tmp_path, data, base, "sft", max_steps=8, profile_steps=2, threads=1)
    outcome = kit.run(MODULE, spec, tmp_path / "spec.json", processes=2)
    assert outcome.code == 0, outcome
    found = result_of(spec)
    assert found["plan"]["layout"]["name"] == "DDP 2"
    sent = found["resources"]["communication"]
    assert sent["bytes_sent"] == 8 * 4 * found["parameters_learning"]
    assert found["layout_ran"]["bytes_a_step"]
    seen = found["profile"]
    assert (seen["steps"], seen["first_step"]) == (2, 5)
    assert profile.events(Path(spec["result"]) / profile.TRACE)


def test_it_ends_with_the_same_weights_when_killed_and_taken_up_again(
    tmp_path: Path, data: dict[str, Path], base: Path
) -> None:
    given = {"max_steps": 60, "save_every": 4, "threads": 1, "curriculum": "adaptive"}
    whole, killed = (  # with the adapter's dropout: random states count; and so do the losses until the kill
        make_spec(tmp_path / name, data, base, "dpo", **given) for name in ("whole", "killed")
    )
    child = kit.start(MODULE, killed, tmp_path / "killed.json")
    until = time.monotonic() + 240
    while not list(Path(killed["work"]).glob("attempt-*/checkpoint-*/whole.json")):
        assert child.poll() is None and time.monotonic() < until
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    child.wait(30)
    assert not Path(killed["result"]).exists()

    tune.work(whole)
    tune.work(killed)
    assert result_of(killed)["resumed_from_step"] >= 4
    assert result_of(whole)["resumed_from_step"] is None
    one, other = (result_of(spec)["curriculum"] for spec in (whole, killed))
    assert (one["name"], one["difficulty"], one["block"]) == ("adaptive", "base preference", 1)
    assert one["competences"] == other["competences"] and len(one["competences"]) == 60
    assert other["met"] <= one["met"] == 38
    first, second = weights_of(whole), weights_of(killed)
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)


def test_it_says_in_a_sentence_why_it_cannot_learn(tmp_path: Path, data: dict[str, Path], base: Path) -> None:
    with pytest.raises(program.Refused, match="longer than 8 tokens .the longest has .* raise max_length"):
        tune.work(make_spec(tmp_path / "long", data, base, "sft", max_length=8))
    few = {"response": language_kit.write_dataset(tmp_path / "few", train=language_kit.responses(3))}
    with pytest.raises(program.Refused, match="found 3 responses to train on, expected 8 or more"):
        tune.work(make_spec(tmp_path / "3", few, base, "sft"))
    with pytest.raises(program.Refused, match="expected one of a preference"):
        tune.work(make_spec(tmp_path / "kind", {"preference": data["response"]}, base, "dpo"))
    assert not (tmp_path / "long" / "result").exists()


def test_likelihoods_are_those_of_each_reply_alone(base: Path) -> None:
    """Against a plain pass over one whole dialogue at a time, with all its logits."""
    import torch

    from training.learning import language_base

    tokenizer = language_base.load_tokenizer(base)
    model = language_base.load_base(base, "sft", torch.float32, tokenizer).eval()
    prompt = [{"role": "user", "content": "where is my card"}]
    replies = ["sent", "it was sent back soon", "no money again please " * 5]
    spoken = [dialogues.sequence(tokenizer, prompt, one) for one in replies]
    found = reply_scores.likelihoods(model, spoken, int(tokenizer.pad_token_id))
    for at, one in enumerate(spoken):
        ids = torch.tensor([one.ids])
        with torch.no_grad():
            each = model(input_ids=ids).logits.log_softmax(dim=-1)[0, :-1]
        told = each.gather(1, ids[0, 1:, None])[one.prompt - 1 :, 0]
        assert found.sums[at] == pytest.approx(float(told.sum()), rel=1e-4)
        assert found.tokens[at] == len(told)
        right = (each.argmax(dim=1) == ids[0, 1:])[one.prompt - 1 :]
        assert found.right[at] == int(right.sum())


def test_rewards_are_told_apart_in_float32_by_a_model_in_bf16(base: Path) -> None:
    """Between 4 and 8 bf16 has steps of 1/32, and under an adapter the head is what learns."""
    import torch

    from training.learning import language_base

    tokenizer = language_base.load_tokenizer(base)
    model = language_base.load_base(base, "reward", torch.bfloat16, tokenizer).eval()
    learns = language_base.with_adapter(model, "reward", 4, 8, 0.0)
    kinds = {value.dtype for value in learns.parameters() if value.requires_grad}
    assert kinds == {torch.float32} and model.get_input_embeddings().weight.dtype == torch.bfloat16
    head = language_base.RewardHead(32, 1, bias=False)
    torch.nn.init.constant_(head.weight, 0.125)
    states = torch.ones(2, 32, dtype=torch.bfloat16)
    states[1, 0] = 1 + 2**-7
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert head(states)[:, 0].tolist() == [4.0, 4 + 2**-10]


def test_a_reward_models_head_is_read_as_it_was_saved_by_a_model_in_bf16(base: Path, tmp_path: Path) -> None:
    import torch

    from training.learning import language_base

    tokenizer = language_base.load_tokenizer(base)
    tuned = language_base.load_base(base, "reward", torch.float32, tokenizer)
    tuned.save_pretrained(tmp_path / "tuned")
    read = language_base.load_base(tmp_path / "tuned", "reward", torch.bfloat16, tokenizer)
    assert read.model.layers[0].mlp.up_proj.weight.dtype == torch.bfloat16
    assert torch.equal(read.score.weight, tuned.score.weight)
    assert not torch.equal(read.score.weight, tuned.score.weight.bfloat16().float())


def test_a_reply_ends_where_the_chat_format_ends_it_and_people_write_no_markers(base: Path) -> None:
    from training.learning import language_base

    tokenizer = language_base.load_tokenizer(base)
    spoken = dialogues.sequence(tokenizer, [{"role": "user", "content": "a<|im_end|>b"}], "yes")
    text = tokenizer.decode(spoken.ids)
    assert text == "<|im_start|>user\na< |im_end|>b<|im_end|>\n<|im_start|>assistant\nyes<|im_end|>\n"
    assert tokenizer.decode(spoken.ids[spoken.prompt :]) == "yes<|im_end|>\n"
