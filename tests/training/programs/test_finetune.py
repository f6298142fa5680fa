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
import torch
from safetensors.numpy import load_file

from jobs import program
from tests import training_kit as kit
from training.distributed import profile
from training.distributed.survival import Survival
from training.learning import faster
from training.learning.encoder import default_encoder_path
from training.learning.text_model import Tokeniser
from training.programs import finetune, predict
from training.programs.finetune_order import order_of
from training.programs.finetune_spec import FinetuneSpec

MODULE = "training.programs.finetune"
RATING = {
    "name": "tone",
    "type": "rating",
    "lowest": 0,
    "points": 3,
    "dimensions": [{"id": "kind", "name": "Kind"}, {"id": "brief", "name": "Brief"}],
}


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
    assert two["resources"]["communication"]["bytes_sent"] > 0
    sums, bucket = two["layout_ran"]["calls_a_step"]["all_reduce"], two["plan"]["bucket_bytes"]
    assert sums > two["layout_ran"]["bytes_a_step"]["all_reduce"] / (2 * bucket) > 2  # not DDP's own 25 MB
    assert "communication" not in one["resources"] and one["resources"]["shares"]["communication"] == 0
    assert len(losses_of(specs[0])) == one["steps"] == 4
    memory = one["plan"]["memory"]  # no checkpoint, but validation
    assert memory["saved"] == 0 < memory["between"]
    np.testing.assert_allclose(losses_of(specs[0]), losses_of(specs[1]), rtol=2e-4)
    assert one["validation"]["loss"] == pytest.approx(two["validation"]["loss"], rel=1e-3)
    first, second = weights_of(specs[0]), weights_of(specs[1])
    for name, value in first.items():
        np.testing.assert_allclose(value, second[name], atol=2e-4, err_msg=name)


def check_costs(spec: dict[str, Any]) -> None:
    """What a run of two processes tells of its plan, its time and memory, and what was sent."""
    result = result_of(spec)
    assert result["plan"]["layout"]["name"] == "DDP 2"
    assert [reason["code"] for reason in result["plan"]["reasons"]][:3] == ["needs", "cpu_fixed", "copies"]
    cost = result["resources"]
    assert sum(cost["shares"].values()) == pytest.approx(1, abs=0.01)
    assert (cost["communication"]["method"], cost["communication"]["bytes_ratio"]) == ("fp16", 0.5)
    assert cost["peak_bytes"] > cost["before_bytes"] > 0 or not Path("/proc/self/status").exists()
    assert 0 < cost["utilisation"] < 1
    seen = result["profile"]
    assert (seen["steps"], seen["first_step"]) == (2, 5)
    assert sum(seen["shares"].values()) == pytest.approx(1, abs=0.01)
    names = {event["name"] for event in profile.events(Path(spec["result"]) / profile.TRACE)}
    assert profile.WAIT in names and any(name.startswith(("gloo:", "c10d::")) for name in names)


@pytest.mark.slow
def test_it_ends_with_the_same_weights_when_killed_with_two_processes_and_taken_up_again(
    tmp_path: Path, tiny: Path, data: Path
) -> None:
    whole, killed = (  # with dropout: random states count
        make_spec(tmp_path / name, data, tiny, save_every=5, max_steps=40, compression="fp16")
        for name in ("whole", "killed")
    )
    whole["profile_steps"] = 2
    for spec in (whole, killed):
        Path(spec["result"]).parent.mkdir()
    assert kit.run(MODULE, whole, tmp_path / "whole.json", processes=2).code == 0
    check_costs(whole)

    child = kit.start(MODULE, killed, tmp_path / "killed.json", processes=2)
    wait_for_checkpoint(child, Path(killed["work"]), step=10)
    os.kill(children_of(child.pid)[1], signal.SIGKILL)
    outcome = kit.finish(child)
    # No error event: what kills a rank (memory running out) may not happen again, so the job may be retried.
    assert outcome.code != 0 and outcome.error == ""
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
    written = []
    monkeypatch.setattr(
        "training.distributed.checkpoint_writer.Writer.start",
        lambda writer, step, tensors, documents, best: written.append(step),
    )
    spec = make_spec(tmp_path, data, tiny, max_steps=6, save_every=2)
    finetune.work(spec)
    assert written == [2, 4]
    assert result_of(spec)["steps"] == 6
    assert 0 < result_of(spec)["head_s"] + result_of(spec)["trained_s"] <= result_of(spec)["seconds"]


@pytest.mark.slow
def test_it_passes_over_a_truncated_checkpoint_for_the_next_older(
    tmp_path: Path, tiny: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, broken = (make_spec(tmp_path / name, data, tiny, save_every=5) for name in ("whole", "broken"))
    for spec in (whole, broken):
        Path(spec["result"]).parent.mkdir()
    finetune.work(whole)

    stepped = Survival.stepped

    def stop(survival: Survival, step: int, *rest: Any) -> None:
        stepped(survival, step, *rest)
        if step == 13:
            raise KeyError("the power went")

    with monkeypatch.context() as patch:
        patch.setattr(Survival, "stepped", stop)
        with pytest.raises(KeyError):
            finetune.work(broken)
    (weights,) = Path(broken["work"]).glob("*/checkpoint-10/model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1000])

    finetune.work(broken)
    assert result_of(broken)["resumed_from_step"] == 5
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
def test_it_says_that_the_disk_is_full_and_leaves_nothing_half_done(
    tmp_path: Path, tiny: Path, data: Path
) -> None:
    old = tmp_path / "old-model"
    old.mkdir()
    (old / "weights").write_text("the model in use")
    spec = make_spec(tmp_path, data, tiny, max_steps=4, save_every=2)

    def no_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    outcome = kit.finish(kit.start(MODULE, spec, tmp_path / "spec.json", preexec_fn=no_large_files))
    assert outcome.code == program.EXIT_REFUSED
    assert "the disk is full" in outcome.error and "free some space" in outcome.error
    assert not Path(spec["result"]).exists()
    assert not list(tmp_path.glob(".*tmp*"))
    assert not list(tmp_path.glob("work/*/checkpoint-*"))  # the half-written one gave its space back
    assert (old / "weights").read_text() == "the model in use"
    finetune.work(spec)  # with space again it goes well
    assert Path(spec["result"]).is_dir()


@pytest.mark.slow
def test_it_says_clearly_that_a_loss_is_no_number(tmp_path: Path, tiny: Path, data: Path) -> None:
    from safetensors.numpy import save_file

    broken = tmp_path / "broken"
    shutil.copytree(tiny, broken)
    weights = load_file(broken / "model.safetensors")
    weights["encoder.layer.1.output.dense.weight"] = weights["encoder.layer.1.output.dense.weight"] * np.nan
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    spec = make_spec(tmp_path, data, broken, head_start=False)
    with pytest.raises(program.Refused, match="the loss became nan at step 1: lower the learning rate"):
        finetune.work(spec)
    assert not Path(spec["result"]).exists()
    with pytest.raises(program.Refused, match="the encoder's weights are damaged"):
        finetune.work({**spec, "head_start": True})


@pytest.mark.slow
def test_it_learns_77_labels_of_which_4_are_seen_in_12_items(tmp_path: Path, tiny: Path) -> None:
    data = kit.write_dataset(tmp_path / "data", kit.messages(12), [], kit.messages(9, 2))
    labels = [f"label-{i}" for i in range(73)] + list(kit.TOPICS)
    spec = make_spec(tmp_path, data, tiny, labels=labels)
    finetune.work(spec)
    result = result_of(spec)
    assert result["calibration"] == {"temperature": 1.0} and result["validation"] == {"n": 0}
    assert result["label_counts"]["label-0"] == 0
    predicted = {
        "result": str(tmp_path / "predicted"),
        "model": spec["result"],
        "texts": str(data / "test.parquet"),
    }
    predict.work(predicted)
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
    assert 0.05 <= result["calibration"]["temperature"] <= 20
    assert result["validation"]["loss_calibrated"] <= result["validation"]["loss"] + 1e-3
    kept = {path.name for path in (Path(spec["result"]) / "model").iterdir()}
    assert {"model.safetensors", "head.safetensors", "config.json", "tokenizer.json"} <= kept
    assert not [name for name in kept if name.endswith((".bin", ".pt", ".pth", ".pkl"))]


@pytest.mark.slow
def test_it_looks_for_faster_settings_where_given_time_and_keeps_them_when_taken_up_again(
    tmp_path: Path, tiny: Path, data: Path
) -> None:
    spec = make_spec(tmp_path, data, tiny, max_steps=4, autotune_s=0.7, dropout=0.0)
    finetune.work(spec)
    tuned = result_of(spec)["tuned"]
    assert tuned["start"]["micro_batch"] == 16 and tuned["tried"] >= 1 and tuned["gain"] >= 0
    assert (tuned["settings"] == tuned["start"]) == (tuned["gain"] == 0)
    assert not (Path(spec["work"]) / faster.FILE).exists()
    known = {**tuned, "settings": {**tuned["start"], "micro_batch": 5}, "gain": 0.5}
    faster.remember(Path(spec["work"]), known)
    again = {**spec, "result": str(tmp_path / "again")}
    finetune.work(again)
    assert result_of(again)["tuned"] == known
    assert losses_of(again) == pytest.approx(losses_of(spec), rel=1e-4)  # in parts of 5, the same batch


@pytest.mark.slow
def test_it_stops_early_when_the_validation_loss_no_longer_falls(
    tmp_path: Path, tiny: Path, data: Path
) -> None:
    spec = make_spec(
        tmp_path, data, tiny, learning_rate=0.0, dropout=0.0, max_steps=40, save_every=4, patience=1
    )
    finetune.work(spec)
    assert result_of(spec)["steps"] == 8
    stopping = result_of(spec)["stopping"]
    assert (stopping["planned"], stopping["step"], stopping["kept"]) == (40, 8, 4)
    watched = [point["validation_loss"] for point in result_of(spec)["history"] if "validation_loss" in point]
    assert stopping["validation_loss"] == pytest.approx(watched[0], abs=1e-6)


@pytest.mark.slow
def test_it_trains_to_the_end_where_there_is_nothing_to_watch(tmp_path: Path, tiny: Path) -> None:
    alone = kit.write_dataset(tmp_path / "alone", kit.messages(20))
    spec = make_spec(tmp_path, alone, tiny, max_steps=3, patience=1)
    finetune.work(spec)
    told = {"planned": 3, "step": 3, "kept": None, "validation_loss": None}
    assert result_of(spec)["stopping"] == told


@pytest.mark.slow
def test_it_multiplies_in_bf16_where_asked_and_says_so(tmp_path: Path, tiny: Path, data: Path) -> None:
    specs = [
        make_spec(tmp_path / name, data, tiny, precision=name, max_steps=21) for name in ("fp32", "bf16")
    ]
    for spec in specs:
        Path(spec["result"]).parent.mkdir()
        finetune.work(spec)
    exact, near = (result_of(spec) for spec in specs)
    assert (exact["precision"], near["precision"]) == ("fp32", "bf16")
    assert near["precision_why"].startswith("asked for")
    assert losses_of(specs[0]) != losses_of(specs[1])
    assert near["validation"]["accuracy"] == pytest.approx(exact["validation"]["accuracy"], abs=0.08)
    for name, value in weights_of(specs[1]).items():
        assert value.dtype == np.float32, name
    # What is watched is read as the run computes; what stands of the finished model always in fp32.
    assert exact["history"][-1]["validation_loss"] == exact["validation"]["loss"]
    watched = near["history"][-1]["validation_loss"]
    assert watched != near["validation"]["loss"]
    assert watched == pytest.approx(near["validation"]["loss"], rel=0.02)


@pytest.mark.slow
def test_it_leaves_words_alone_that_no_text_of_the_run_has(tmp_path: Path, tiny: Path, data: Path) -> None:
    spec = make_spec(tmp_path, data, tiny, max_steps=2)
    finetune.work(spec)
    before = load_file(tiny / "model.safetensors")["embeddings.word_embeddings.weight"]
    after = weights_of(spec)["embeddings.word_embeddings.weight"]
    changed = (before != after).any(axis=1)
    assert before.shape == after.shape
    assert 20 < changed.sum() < 400  # the words of the messages


@pytest.mark.slow
@pytest.mark.parametrize("name", ["difficulty", "adaptive"])
def test_it_meets_its_items_by_difficulty_and_tells_what_was_forgotten(
    name: str, tmp_path: Path, tiny: Path, data: Path
) -> None:
    spec = make_spec(tmp_path, data, tiny, curriculum=name, max_steps=24, base_penalty=100.0)
    finetune.work(spec)
    result = result_of(spec)
    told = result["curriculum"]
    assert (told["name"], told["difficulty"]) == (name, "cross-validated loss")
    levels = told["competences"]
    assert levels[0] == 0.3 and levels[-1] >= 0.9
    assert all(later - before <= 0.1 + 1e-9 for before, later in zip(levels, levels[1:], strict=False))
    assert 60 < told["met"] <= 101 and 0 < told["once_right"] <= told["met"]
    assert told["forgotten"] >= 0
    assert 0 < result["base_distance"] < 0.5
    assert result["validation"]["accuracy"] > 0.4


def test_it_takes_the_number_of_steps_from_the_data() -> None:
    spec = FinetuneSpec.from_json(make_spec(Path("x"), Path("d"), Path("b"), epochs=2.5))
    assert spec.steps(101) == 18  # 2.5 passes of 7 batches
    assert spec.steps(1) == 3
    assert FinetuneSpec.from_json({**spec.to_json(), "epochs": 0.001}).steps(101) == 1
    assert FinetuneSpec.from_json({**spec.to_json(), "max_steps": 5}).steps(101) == 5


@pytest.mark.slow
def test_it_goes_on_from_a_model_with_its_head(tmp_path: Path, tiny: Path, data: Path) -> None:
    first = make_spec(tmp_path / "first", data, tiny, max_steps=2)
    Path(first["result"]).parent.mkdir()
    finetune.work(first)
    on = make_spec(tmp_path / "on", data, Path(first["result"]) / "model", max_steps=1, learning_rate=0.0)
    Path(on["result"]).parent.mkdir()
    more = kit.write_dataset(tmp_path / "more", kit.messages(110), kit.messages(40, 1))
    finetune.work({**on, "data": str(more), "before": str(data), "replay": 0.1, "start_head": True})
    assert_same_weights(first, on)
    assert (result_of(on)["train_count"], result_of(on)["replayed"]) == (20, 11)


def test_it_lets_new_and_replayed_items_give_way_to_each_other(
    tmp_path: Path, tiny: Path, data: Path
) -> None:
    more = kit.write_dataset(
        tmp_path / "more", kit.messages(101) + kit.messages(20, 7), kit.messages(40, 1), kit.messages(30, 2)
    )
    spec = make_spec(tmp_path, more, tiny, before=str(data), max_steps=6, gradient_surgery=True, dropout=0.0)
    finetune.work(spec)
    result = result_of(spec)
    found = result["surgery"]
    assert found["tasks"] == ["new", "known"] and 0 < found["steps"] <= 6
    assert 0 <= found["conflict_rate"] <= 1
    plain = {**spec, "result": str(tmp_path / "plain"), "gradient_surgery": False}
    finetune.work(plain)
    assert result_of(plain)["surgery"] is None
    assert losses_of(plain)[0] == pytest.approx(losses_of(spec)[0], abs=1e-6)  # before any step


def test_a_curriculum_of_spans_goes_by_the_loss_of_their_words(tmp_path: Path, tiny: Path) -> None:
    field = {"name": "entities", "type": "spans", "labels": [{"id": "thing", "name": "Thing"}]}
    rows = []
    for at in range(20):
        text = f"I lost my card number {at} please help"
        spans = [{"start": 10, "end": 14, "label": "thing"}] if at != 7 else []
        rows.append((text, {"spans": spans}))
    data = kit.write_answers(tmp_path / "data", field, rows)
    given = {"field": field, "objective": "spans", "labels": [], "curriculum": "competence"}
    spec = make_spec(tmp_path, data, tiny, **given, max_steps=2, batch_size=4)
    finetune.work(spec)
    assert result_of(spec)["curriculum"]["difficulty"] == "cross-validated loss"
    read = FinetuneSpec.from_json(spec)
    train = read.task.read(data, "train")
    encoded = read.task.encode(Tokeniser.load(tiny, 128), train.texts)
    targets = read.task.targets(train, encoded)
    order = order_of(read, train, targets, encoded.tokens, torch.device("cpu"))
    assert order.lengths == [len(row) for row in encoded.tokens]
    assert order.difficulty is not None and order.difficulty.argmax() == 7  # the one that others contradict


def test_it_lets_dimensions_of_a_rating_give_way_to_each_other(tmp_path: Path, tiny: Path) -> None:
    texts = [text for text, _topic in kit.messages(24)]
    rows = [(text, {"kind": at % 3, "brief": at // 3 % 3}) for at, text in enumerate(texts)]
    data = kit.write_answers(tmp_path / "data", RATING, rows)
    given = {"field": RATING, "objective": "rating", "labels": [], "dropout": 0.0, "head_start": False}
    spec = make_spec(
        tmp_path, data, tiny, **given, max_steps=4, gradient_surgery=True, surgery_tasks="dimensions"
    )
    finetune.work(spec)
    found = result_of(spec)["surgery"]
    rate = found["conflict_rate"]
    pair = {"tasks": ["kind", "brief"], "steps": 4, "conflict_rate": rate}
    assert found == {"among": "dimensions", **pair, "pairs": [pair]}
    assert 4 * rate in (1, 2, 3, 4)
    plain = {**spec, "result": str(tmp_path / "plain"), "gradient_surgery": False}
    finetune.work(plain)
    assert losses_of(plain)[0] == pytest.approx(losses_of(spec)[0], abs=1e-6)  # before any step
    assert losses_of(plain)[-1] != losses_of(spec)[-1]


def test_it_keys_a_checkpoint_by_what_is_trained_not_where() -> None:
    spec = FinetuneSpec.from_json(make_spec(Path("x"), Path("d"), Path("b")))
    same = FinetuneSpec.from_json(
        {**spec.to_json(), "result": "y", "work": "z", "processes": 2, "layout": "zero3", "autotune_s": 9}
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
        ({"compression": "batched_powersgd"}, "batched PowerSGD was seen failing on gloo"),
        ({"compression_share": 0}, "compression_share: found 0, expected a number above 0"),
        ({"compression": "zip"}, "compression: found 'zip', expected one of none, topk"),
        ({"profile_steps": -1}, "profile_steps: found -1"),
        ({"autotune_s": -1}, "autotune_s: found -1"),
        ({"layout": "pipeline"}, "layout: found pipeline, expected one of .*: a model is divided by"),
        ({"layout": "mesh"}, "layout: found 'mesh', expected one of auto, ddp, zero1"),
        ({"layout": "zero3", "compression": "topk"}, "found topk with the layout zero3, expected none"),
        ({"gradient_surgery": True}, "gradient_surgery: found no data learnt before"),
        ({"gradient_surgery": True, "surgery_tasks": "levels"}, "found levels, and this question has no two"),
        (
            {"exchange": "x", "layout": "zero3"},
            "exchange: found it with the layout zero3, expected auto, ddp",
        ),
        ({"exchange": "x", "compression": "fp16"}, "exchange: found it with compression or gradient_surgery"),
        ({"exchange_weight": 1.5}, "exchange_weight: found 1.5, expected 0 to 1"),
        (
            {"gradient_surgery": True, "before": "x", "layout": "tp"},
            "gradient_surgery: found it with the layout tp, expected auto, ddp or zero1",
        ),
        ({"objective": "mind-reading"}, "there is no objective 'mind-reading': use one of"),
        ({"colour": "blue"}, "has no colour"),
        ({"curriculum": "hard"}, "curriculum: found 'hard', expected one of none, difficulty"),
        ({"base_penalty": -1}, "base_penalty: found -1"),
        ({"precision": "fp16"}, "precision: found 'fp16', expected one of auto, fp32, bf16"),
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


def children_of(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def is_alive(pid: int) -> bool:
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return bool(state.strip()) and not state.startswith("Z")
