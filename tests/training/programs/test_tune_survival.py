"""Tunes of a language model to which something happens: the same rules as for fine-tunes."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from glob import glob
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench._survival_runs import Run, same
from jobs import program
from tests import language_kit
from tests.forked import Ranks
from tests.training.programs.layouts import RUN
from tests.training.programs.test_tune import make_spec, result_of, weights_of
from training.distributed import elastic
from training.learning import tuning
from training.programs import tune
from training.programs.trainer_arguments import on_one_device

pytestmark = pytest.mark.slow

Fault = Callable[[Any, dict[str, Any], Any], Any]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return language_kit.tiny_llama(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("data")
    return {
        "response": language_kit.write_dataset(folder / "r", train=language_kit.responses(24)),
        "preference": language_kit.write_dataset(folder / "p", train=language_kit.pairs(24)),
    }


class TuneRun(Run):
    module = "training.programs.tune"
    given = {"objective": "dpo", "max_length": 96, "precision": "fp32", "learning_rate": 5e-3}


def broken(patch: pytest.MonkeyPatch, fault: Fault) -> None:
    """Let `fault` have a say in every loss: it is given the trainer, the batch and the loss."""
    plain = tuning._Known.compute_loss

    def compute_loss(trainer: Any, model: Any, inputs: dict[str, Any], *rest: Any, **more: Any) -> Any:
        given = dict(inputs)
        return fault(trainer, given, plain(trainer, model, inputs, *rest, **more))

    patch.setattr(tuning._Known, "compute_loss", compute_loss)


@pytest.mark.parametrize(
    ("objective", "curriculum"),
    [("sft", "none"), ("sft", "anti"), ("dpo", "difficulty"), ("reward", "adaptive")],
)
def test_it_goes_back_and_leaves_out_a_batch_whose_loss_is_no_number(
    tmp_path: Path,
    data: dict[str, Path],
    base: Path,
    objective: str,
    curriculum: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Under a curriculum too; pairs that are ordered right are counted as TRL does."""
    spec = make_spec(tmp_path, data, base, objective, max_steps=10, save_every=4, curriculum=curriculum)
    shares: list[tuple[float, float]] = []

    def fault(trainer: Any, inputs: dict[str, Any], loss: Any) -> Any:
        if objective != "sft":
            name = "rewards/accuracies" if objective == "dpo" else "accuracy"
            right = trainer.forgetting.last[inputs["items"].numpy()]
            shares.append((right.mean(), trainer._metrics["train"][name][-1]))
        return loss * float("nan") if trainer.schedule_positions[trainer.state.global_step] == 5 else loss

    broken(monkeypatch, fault)
    tune.work(spec)
    found = result_of(spec)
    (event,) = found["recovered"]
    assert (event["kind"], event["step"], event["batch"], event["back_to"]) == ("anomaly", 6, 5, 4)
    assert (found["steps"], found["resumed_from_step"]) == (10, 4)
    rates = {entry["step"]: entry["learning_rate"] for entry in found["history"]}
    assert rates[6] == pytest.approx(0.5 * 5e-3 * (10 - 5) / 9)
    assert all(np.isfinite(value).all() for value in weights_of(spec).values())
    assert not list(Path(spec["work"]).iterdir())
    assert [ours for ours, _trls in shares] == [trls for _ours, trls in shares]
    told = found.get("curriculum", {"name": "none"})
    assert told["name"] == curriculum
    assert ("met" in told) == (objective != "sft")  # no response is right or wrong
    assert len(told.get("competences", [])) == (11 if curriculum != "none" else 0)  # ten steps, one left out


def test_it_stops_with_a_sentence_when_going_back_does_not_help(
    tmp_path: Path, data: dict[str, Path], base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = make_spec(tmp_path, data, base, "dpo", max_steps=10, save_every=4, rollbacks=1)
    late = 4
    broken(
        monkeypatch, lambda trainer, _i, loss: loss * torch.nan if trainer.state.global_step > late else loss
    )
    with pytest.raises(program.Refused, match="became nan at step 6, after 1 rollbacks that did not help"):
        tune.work(spec)
    assert not Path(spec["result"]).exists()


@pytest.mark.parametrize("objective", ["sft", "dpo", "reward"])
def test_it_does_its_batch_in_pieces_when_memory_runs_out(
    tmp_path: Path, data: dict[str, Path], base: Path, objective: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, short = (  # without an adapter, and so without dropout, whose numbers pieces would draw otherwise
        make_spec(tmp_path / name, data, base, objective, adapter="full", max_steps=4, learning_rate=1e-3)
        for name in ("plain", "short")
    )
    tune.work(plain)

    def small_memory(_trainer: Any, inputs: dict[str, Any], loss: Any) -> Any:
        if len(inputs["input_ids"]) > (3 if objective == "sft" else 6):
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return loss

    broken(monkeypatch, small_memory)
    tune.work(short)
    events = result_of(short)["recovered"]
    assert [(event["kind"], event["pieces"]) for event in events] == [("memory", 2), ("memory", 4)]
    for name, value in weights_of(plain).items():
        np.testing.assert_allclose(weights_of(short)[name], value, atol=2e-5, err_msg=name)


def test_it_goes_on_from_a_second_copy(
    tmp_path: Path, data: dict[str, Path], base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other disk"
    plain = make_spec(tmp_path / "plain", data, base, "sft", max_steps=10, save_every=4)
    run = make_spec(tmp_path / "run", data, base, "sft", max_steps=10, save_every=4, second_copy=str(other))
    tune.work(plain)

    def stop(trainer: Any, _inputs: dict[str, Any], loss: Any) -> Any:
        if trainer.state.global_step == 7:
            raise KeyError("the power went")
        return loss

    with monkeypatch.context() as patch:
        broken(patch, stop)
        with pytest.raises(KeyError):
            tune.work(run)
    shutil.rmtree(run["work"])  # the disk, with all that was noted there
    (copy,) = other.glob("*/checkpoint-4")
    assert (copy / "model.safetensors").stat().st_size < (base / "model.safetensors").stat().st_size
    tune.work(run)
    assert result_of(run)["resumed_from_step"] == 4
    for name, value in weights_of(plain).items():  # with the adapter's dropout
        np.testing.assert_array_equal(weights_of(run)[name], value, err_msg=name)
    assert not list(other.iterdir())


@pytest.mark.xdist_group("layouts")
def test_a_divided_tune_whose_rank_is_killed_ends_with_the_weights_of_an_undisturbed_one(
    tmp_path: Path, data: dict[str, Path], base: Path, ranks: Ranks
) -> None:
    """With the adapter's dropout, and reference likelihoods that are worked out once."""
    settings = {"layout": "zero3", "max_steps": 50, "save_every": 4, "batch_size": 4}
    plain, run = (TuneRun(tmp_path / name, data["preference"], base, **settings) for name in ("plain", "run"))
    run.start(elastic.launcher(2))
    try:
        run.wait_for_step(10)
        os.kill(run.notes()[1].pid, signal.SIGKILL)
        parts = {Path(path).name for path in glob(f"{run.work}/attempt-*/checkpoint-*/*.safetensors")}
        assert run.finish(), run.tail()
    finally:
        run.stop()
    assert parts == {
        f"{file}-0000{rank}-of-00002.safetensors" for file in ("model", "optimizer") for rank in (1, 2)
    }
    ranks.run(2, RUN, [{**plain.spec, "drops": True}])
    assert same(plain.weights(), run.weights())
    found, undisturbed = run.figures(), plain.figures()
    assert found["layout_ran"]["name"] == undisturbed["layout_ran"]["name"] == "FSDP2 2 (ZeRO-3)"
    assert found["resumed_from_step"] >= 4 and undisturbed["resumed_from_step"] is None
    assert [event["kind"] for event in found["recovered"]] == ["lost"]
    assert "rank 1 of 2 was lost after step" in found["recovered"][0]["text"]
    assert (found["history"], found["validation_before"]) == (undisturbed["history"], {"n": 0})


def test_one_process_takes_one_card_of_several() -> None:
    args = tuning.CONFIGS["sft"](output_dir="unused", use_cpu=True, report_to=[])
    assert on_one_device(args).n_gpu == 0
    args._n_gpu = 4  # what transformers counts where four are seen
    assert on_one_device(args).n_gpu == 1
