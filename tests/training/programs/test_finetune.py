from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from jobs import program
from tests import training_kit as kit
from training.learning.encoder import default_encoder_path
from training.programs import finetune
from training.programs.finetune import FinetuneSpec

MODULE = "training.programs.finetune"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kit.tiny_encoder(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """101 items: with batches of 16 the last one of a pass holds five, which two ranks cannot share evenly."""
    return kit.write_dataset(
        tmp_path_factory.mktemp("data"), kit.messages(101), kit.messages(40, 1), kit.messages(30, 2)
    )


def make_spec(folder: Path, data: Path, base: Path, **changes: Any) -> dict[str, Any]:
    return {
        "spec_version": 1,
        "result": str(folder / "result"),
        "work": str(folder / "work"),
        "data": str(data),
        "labels": list(kit.TOPICS),
        "base_model": str(base),
        "epochs": 3,
        "batch_size": 16,
        "learning_rate": 1e-3,
        **changes,
    }


def result_of(spec: dict[str, Any]) -> dict[str, Any]:
    program.verify_manifest(Path(spec["result"]))
    found: dict[str, Any] = json.loads((Path(spec["result"]) / "result.json").read_text())
    return found


def weights_of(spec: dict[str, Any]) -> dict[str, np.ndarray]:
    folder = Path(spec["result"]) / "model"
    return {**load_file(folder / "model.safetensors"), **load_file(folder / "head.safetensors")}


def assert_same_weights(one: dict[str, Any], other: dict[str, Any]) -> None:
    first, second = weights_of(one), weights_of(other)
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)


def losses_of(spec: dict[str, Any]) -> list[float]:
    return [entry["loss"] for entry in result_of(spec)["history"] if "loss" in entry]


@pytest.mark.slow
def test_it_has_the_same_losses_with_one_and_two_processes_on_real_data(tmp_path: Path) -> None:
    rows = kit.real("banking77", "train", 74)
    labels = sorted({label for _text, label in rows})
    data = kit.write_dataset(tmp_path / "data", rows[:50], rows[50:])
    specs = []
    for processes in (1, 2):
        folder = tmp_path / str(processes)
        folder.mkdir()
        spec = make_spec(
            folder, data, default_encoder_path(), labels=labels, dropout=0.0, learning_rate=1e-4, epochs=1
        )
        outcome = kit.run(MODULE, spec, folder / "spec.json", processes=processes)
        assert outcome.code == 0, outcome
        specs.append(spec)
    one, two = (result_of(spec) for spec in specs)
    assert (one["world_size"], two["world_size"]) == (1, 2)
    assert len(losses_of(specs[0])) == one["steps"] == 4
    np.testing.assert_allclose(losses_of(specs[0]), losses_of(specs[1]), rtol=2e-4)
    assert one["validation"]["loss"] == pytest.approx(two["validation"]["loss"], rel=1e-3)
    first, second = weights_of(specs[0]), weights_of(specs[1])
    for name, value in first.items():
        np.testing.assert_allclose(value, second[name], atol=2e-4, err_msg=name)


@pytest.mark.slow
def test_it_ends_with_the_same_weights_when_killed_with_two_processes_and_taken_up_again(
    tmp_path: Path, tiny: Path, data: Path
) -> None:
    whole, killed = (  # with dropout: random states count
        make_spec(tmp_path / name, data, tiny, save_every=5, max_steps=40) for name in ("whole", "killed")
    )
    for spec in (whole, killed):
        Path(spec["result"]).parent.mkdir()
    assert kit.run(MODULE, whole, tmp_path / "whole.json", processes=2).code == 0

    child = kit.start(MODULE, killed, tmp_path / "killed.json", processes=2)
    kill_at_checkpoint(child, Path(killed["work"]), step=10, ranks=2)
    assert not Path(killed["result"]).exists()

    outcome = kit.run(MODULE, killed, tmp_path / "killed.json", processes=2)
    assert outcome.code == 0, outcome
    resumed = result_of(killed)["resumed_from_step"]
    assert resumed >= 10
    assert any(f"going on from step {resumed}" in event["text"] for event in outcome.of("log"))
    assert_same_weights(whole, killed)
    assert losses_of(killed) == losses_of(whole)  # the curve is whole as well
    assert not list(Path(killed["work"]).glob("attempt-*"))  # checkpoints are gone once the result is there


@pytest.mark.slow
def test_it_writes_no_checkpoint_of_the_last_step(
    tmp_path: Path, tiny: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = []
    monkeypatch.setattr(
        "training.distributed.checkpoint.seal", lambda folder, key: sealed.append(folder.name)
    )
    spec = make_spec(tmp_path, data, tiny, max_steps=6, save_every=2)
    finetune.work(spec)
    assert sealed == ["checkpoint-2", "checkpoint-4"]
    assert result_of(spec)["steps"] == 6
    assert 0 < result_of(spec)["head_s"] + result_of(spec)["trained_s"] <= result_of(spec)["seconds"]


@pytest.mark.slow
def test_it_passes_over_a_truncated_checkpoint_for_the_next_older(
    tmp_path: Path, tiny: Path, data: Path
) -> None:
    whole, broken = (
        make_spec(tmp_path / name, data, tiny, save_every=5, max_steps=40) for name in ("whole", "broken")
    )
    for spec in (whole, broken):
        Path(spec["result"]).parent.mkdir()
    assert kit.run(MODULE, whole, tmp_path / "whole.json").code == 0

    child = kit.start(MODULE, broken, tmp_path / "broken.json")
    kill_at_checkpoint(child, Path(broken["work"]), step=10, ranks=0)
    found = sorted(Path(broken["work"]).glob("*/checkpoint-*"), key=lambda path: int(path.name[11:]))
    newest = [path for path in found if (path / "whole.json").exists()][-1]
    weights = newest / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])

    assert kit.run(MODULE, broken, tmp_path / "broken.json").code == 0
    resumed = result_of(broken)["resumed_from_step"]
    assert resumed == int(newest.name[11:]) - 5
    assert_same_weights(whole, broken)


@pytest.mark.slow
def test_it_ends_all_ranks_when_standard_input_closes(tmp_path: Path, tiny: Path, data: Path) -> None:
    spec = make_spec(tmp_path, data, tiny, max_steps=100_000)
    child = kit.start(MODULE, spec, tmp_path / "spec.json", processes=2)
    wait_for_progress(child)
    ranks = children_of(child.pid)
    assert len(ranks) == 2
    assert child.stdin is not None
    child.stdin.close()
    assert child.wait(30) != 0
    deadline = time.monotonic() + 10
    while any(is_alive(pid) for pid in ranks) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(is_alive(pid) for pid in ranks)
    assert not Path(spec["result"]).exists()


@pytest.mark.slow
def test_it_ends_without_a_verdict_when_a_rank_is_killed(tmp_path: Path, tiny: Path, data: Path) -> None:
    """No error event: what kills a rank (memory running out) may not happen again, so the job may be retried."""
    spec = make_spec(tmp_path, data, tiny, max_steps=100_000)
    child = kit.start(MODULE, spec, tmp_path / "spec.json", processes=2)
    wait_for_progress(child)
    os.kill(children_of(child.pid)[1], signal.SIGKILL)
    outcome = kit.finish(child)
    assert outcome.code != 0
    assert outcome.error == ""


@pytest.mark.slow
@pytest.mark.parametrize("limit", [200_000, 6_000_000], ids=["in the weights", "in the optimiser's state"])
def test_it_says_that_the_disk_is_full_and_leaves_nothing_half_done(
    tmp_path: Path, tiny: Path, data: Path, limit: int
) -> None:
    old = tmp_path / "old-model"
    old.mkdir()
    (old / "weights").write_text("the model in use")
    spec = make_spec(tmp_path, data, tiny, max_steps=4, save_every=2)

    def no_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    outcome = kit.finish(kit.start(MODULE, spec, tmp_path / "spec.json", preexec_fn=no_large_files))
    assert outcome.code == program.EXIT_REFUSED
    assert "the disk is full" in outcome.error and "free some space" in outcome.error
    assert not Path(spec["result"]).exists()
    assert not list(tmp_path.glob(".*tmp*"))
    assert not list(tmp_path.glob("work/*/checkpoint-*"))  # the half-written one gave its space back
    assert (old / "weights").read_text() == "the model in use"
    if limit > 1_000_000:
        assert kit.run(MODULE, spec, tmp_path / "spec.json").code == 0  # with space again it goes well


@pytest.mark.slow
def test_it_says_clearly_that_a_loss_is_no_number(tmp_path: Path, tiny: Path, data: Path) -> None:
    from safetensors.numpy import save_file

    broken = tmp_path / "broken"
    shutil.copytree(tiny, broken)
    weights = load_file(broken / "model.safetensors")
    weights["encoder.layer.1.output.dense.weight"] = weights["encoder.layer.1.output.dense.weight"] * np.nan
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    spec = make_spec(tmp_path, data, broken, head_start=False)
    outcome = kit.run(MODULE, spec, tmp_path / "spec.json")
    assert outcome.code == program.EXIT_REFUSED
    assert "the loss became nan at step 1: lower the learning rate" in outcome.error
    assert not Path(spec["result"]).exists()
    outcome = kit.run(MODULE, {**spec, "head_start": True}, tmp_path / "spec.json")
    assert "the encoder's weights are damaged" in outcome.error


@pytest.mark.slow
def test_it_learns_77_labels_of_which_4_are_seen_in_12_items(tmp_path: Path, tiny: Path) -> None:
    data = kit.write_dataset(tmp_path / "data", kit.messages(12), [], kit.messages(9, 2))
    labels = [f"label-{i}" for i in range(73)] + list(kit.TOPICS)
    spec = make_spec(tmp_path, data, tiny, labels=labels)
    outcome = kit.run(MODULE, spec, tmp_path / "spec.json")
    assert outcome.code == 0, outcome
    result = result_of(spec)
    assert result["temperature"] == 1.0 and result["validation"] == {"n": 0}
    assert result["label_counts"]["label-0"] == 0
    predicted = {
        "result": str(tmp_path / "predicted"),
        "model": spec["result"],
        "texts": str(data / "test.parquet"),
    }
    assert kit.run("training.programs.predict", predicted, tmp_path / "predict.json").code == 0
    probs = np.load(tmp_path / "predicted" / "probs.npy")
    assert probs.shape == (9, 77)
    assert probs.argmax(axis=1).min() >= 73
    vectors = np.load(tmp_path / "predicted" / "embeddings.npy")
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
def test_it_tells_progress_and_figures_and_writes_no_pickle(tmp_path: Path, tiny: Path, data: Path) -> None:
    spec = make_spec(tmp_path, data, tiny, save_every=5)
    child = kit.start(MODULE, spec, tmp_path / "spec.json")
    wait_for_checkpoint(child, Path(spec["work"]), step=10)
    for checkpoint in Path(spec["work"]).glob("*/checkpoint-*"):
        assert not (checkpoint / "training_args.bin").exists()
        assert not (checkpoint / "pytorch_model.bin").exists()
    outcome = kit.finish(child)
    assert outcome.code == 0
    assert outcome.lines == []  # nothing but events
    last = outcome.of("progress")[-1]
    assert (last["done"], last["total"]) == (21, 21)
    figures = [event for event in outcome.of("metric") if "loss" in event]
    assert all(event["samples_per_s"] > 0 and event["eta_s"] >= 0 for event in figures)
    assert any("validation_accuracy" in event for event in outcome.of("metric"))
    result = result_of(spec)
    assert result["labels"] == spec["labels"]
    assert result["train_count"] == 101 and result["steps"] == 21
    assert result["validation"]["accuracy"] > 0.5
    assert 0.05 <= result["temperature"] <= 20
    assert result["validation"]["loss_calibrated"] <= result["validation"]["loss"] + 1e-3
    kept = {path.name for path in (Path(spec["result"]) / "model").iterdir()}
    assert {"model.safetensors", "head.safetensors", "config.json", "tokenizer.json"} <= kept
    assert not [name for name in kept if name.endswith((".bin", ".pt", ".pth", ".pkl"))]


@pytest.mark.slow
def test_it_stops_early_when_the_validation_loss_no_longer_falls(
    tmp_path: Path, tiny: Path, data: Path
) -> None:
    spec = make_spec(
        tmp_path, data, tiny, learning_rate=0.0, dropout=0.0, max_steps=40, save_every=4, patience=1
    )
    outcome = kit.run(MODULE, spec, tmp_path / "spec.json")
    assert outcome.code == 0, outcome
    assert result_of(spec)["steps"] == 8


def test_it_takes_the_number_of_steps_from_the_data() -> None:
    spec = FinetuneSpec.from_json(make_spec(Path("x"), Path("d"), Path("b"), epochs=2.5))
    assert spec.steps(101) == 18  # 2.5 passes of 7 batches
    assert spec.steps(1) == 3
    assert FinetuneSpec.from_json({**spec.to_json(), "epochs": 0.001}).steps(101) == 1
    assert FinetuneSpec.from_json({**spec.to_json(), "max_steps": 5}).steps(101) == 5


def test_it_keys_a_checkpoint_by_what_is_trained_not_where() -> None:
    spec = FinetuneSpec.from_json(make_spec(Path("x"), Path("d"), Path("b")))
    same = FinetuneSpec.from_json(
        {**spec.to_json(), "result": "y", "work": "z", "processes": 2, "threads": 1}
    )
    other = FinetuneSpec.from_json({**spec.to_json(), "learning_rate": 1e-5})
    assert spec.key() == same.key() != other.key()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": ["one"]}, "two or more"),
        ({"labels": ["a", "a"]}, "two or more"),
        ({"epochs": 0}, "epochs: found 0"),
        ({"epochs": float("nan")}, "epochs: found nan"),
        ({"batch_size": 0}, "batch_size: found 0"),
        ({"dropout": 1.0}, "dropout: found 1.0"),
        ({"objective": "mind-reading"}, "there is no objective 'mind-reading': use one of classification"),
        ({"colour": "blue"}, "has no colour"),
        ({"spec_version": 2}, "found spec version 2, expected 1"),
    ],
)
def test_it_refuses_a_spec_that_makes_no_sense(
    changes: dict[str, Any], words: str, tmp_path: Path, data: Path
) -> None:
    with pytest.raises(program.Refused, match=words):
        finetune.work(make_spec(tmp_path, data, tmp_path, **changes))


def test_it_refuses_a_spec_with_a_field_missing(tmp_path: Path, data: Path) -> None:
    spec = make_spec(tmp_path, data, tmp_path)
    del spec["base_model"]
    with pytest.raises(program.Refused, match="needs base_model"):
        finetune.work(spec)


def test_it_refuses_data_that_cannot_be_learnt_from(tmp_path: Path) -> None:
    missing = make_spec(tmp_path, tmp_path / "nowhere", default_encoder_path())
    with pytest.raises(program.Refused, match="cannot be read.*freeze the dataset again"):
        finetune.work(missing)
    one = kit.write_dataset(tmp_path / "one", [("a text", "card"), ("another", "card")])
    with pytest.raises(program.Refused, match="found one label among the 2 items"):
        finetune.work(make_spec(tmp_path, one, default_encoder_path()))
    alien = kit.write_dataset(tmp_path / "alien", [("a text", "card"), ("another", "unheard-of")])
    with pytest.raises(program.Refused, match="labels that the schema does not know: unheard-of"):
        finetune.work(make_spec(tmp_path, alien, default_encoder_path()))


def test_it_refuses_a_base_model_that_is_none(tmp_path: Path, data: Path) -> None:
    with pytest.raises(program.Refused, match="holds no tokenizer|holds no model.safetensors"):
        finetune.work(make_spec(tmp_path, data, tmp_path))


def wait_for_progress(child: subprocess.Popen[bytes]) -> None:
    for event in kit.follow(child):
        if event["event"] == "progress" and "step" in event["text"]:
            return
    raise AssertionError(f"the program ended with {child.wait()} before its first step")


def wait_for_checkpoint(child: subprocess.Popen[bytes], work: Path, step: int) -> None:
    """Return as soon as a checkpoint of at least this step is sealed."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and child.poll() is None:
        for path in work.glob("*/checkpoint-*/whole.json"):
            if int(path.parent.name[11:]) >= step:
                return
        time.sleep(0.005)
    raise AssertionError(f"no checkpoint; the program: {child.poll()}")


def kill_at_checkpoint(child: subprocess.Popen[bytes], work: Path, *, step: int, ranks: int) -> None:
    """kill -9 of the launcher and of all its ranks once a checkpoint of at least this step is sealed."""
    pids: list[int] = []
    while len(pids) < ranks and child.poll() is None:
        pids = children_of(child.pid)  # known beforehand: the run is over moments after the checkpoint
    wait_for_checkpoint(child, work, step)
    for pid in [*pids, child.pid]:
        os.kill(pid, signal.SIGKILL)
    child.wait(30)


def children_of(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def is_alive(pid: int) -> bool:
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return bool(state.strip()) and not state.startswith("Z")
