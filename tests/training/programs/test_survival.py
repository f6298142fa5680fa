"""Fine-tunes to which something happens: in this process where that is enough, else on real ranks and agents."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from bench._survival_runs import Run, same
from jobs import program
from tests import training_kit as kit
from training.distributed import checkpoint, communicate, elastic, sharded
from training.distributed.recovery import Recovery
from training.learning.trainer import ExactTrainer
from training.programs import finetune

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kit.tiny_encoder(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kit.write_dataset(tmp_path_factory.mktemp("data"), kit.messages(101), kit.messages(20, 1))


@pytest.fixture
def make(tmp_path: Path, tiny: Path, data: Path) -> Callable[..., Run]:
    def make_run(name: str, **settings: Any) -> Run:
        given = {"labels": list(kit.TOPICS), "learning_rate": 1e-3, "max_steps": 24, "save_every": 5}
        return Run(tmp_path / name, data, tiny, **{**given, **settings})

    return make_run


def broken(
    monkeypatch: pytest.MonkeyPatch, fault: Callable[[ExactTrainer, dict[str, Any], Any], Any]
) -> None:
    """Let `fault` have a say in every loss: it is given the trainer, the batch and the loss."""
    plain = ExactTrainer.compute_loss

    def compute_loss(
        trainer: ExactTrainer, model: Any, inputs: dict[str, Any], *rest: Any, **more: Any
    ) -> Any:
        return fault(trainer, inputs, plain(trainer, model, inputs, *rest, **more))

    monkeypatch.setattr(ExactTrainer, "compute_loss", compute_loss)


def batch_of(trainer: ExactTrainer) -> int:
    return int(trainer.schedule_positions[trainer.state.global_step])


@pytest.mark.parametrize(
    ("times", "batch", "says"),
    [(float("nan"), 12, "the loss became nan at step 13:"), (1e4, 22, "the loss jumped to ")],
)
def test_it_leaves_out_a_batch_whose_loss_is_no_number_or_jumps(
    make: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, times: float, batch: int, says: str
) -> None:
    run = make("run")
    broken(monkeypatch, lambda trainer, _inputs, loss: loss * times if batch_of(trainer) == batch else loss)
    finetune.work(run.spec)
    figures = run.figures()
    back = batch // 5 * 5
    (event,) = figures["recovered"]
    assert (event["kind"], event["step"], event["batch"]) == ("anomaly", batch + 1, batch)
    assert event["back_to"] == figures["resumed_from_step"] == back
    assert event["text"].startswith(says)
    assert f": back to step {back}, its batch left out, learning rate halved" in event["text"]
    assert figures["steps"] == 24
    losses = [entry["loss"] for entry in figures["history"] if "loss" in entry]
    assert len(losses) == 24 and max(losses) < 10  # what was not learnt from is in no curve
    rates = {entry["step"]: entry["learning_rate"] for entry in figures["history"] if "loss" in entry}
    assert rates[back] == pytest.approx(1e-3 * (24 - back + 1) / 22, rel=1e-6)
    assert rates[back + 1] == pytest.approx(0.5e-3 * (24 - back) / 22, rel=1e-6)
    assert all(np.isfinite(value).all() for value in run.weights().values())
    assert list(run.work.iterdir()) == []


def test_it_stops_with_a_sentence_when_going_back_does_not_help(
    make: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make("run", rollbacks=1)
    broken(
        monkeypatch,
        lambda trainer, _inputs, loss: loss * float("nan") if trainer.state.global_step > 6 else loss,
    )
    with pytest.raises(
        program.Refused, match="became nan at step 8, after 1 rollbacks that did not help: lower"
    ):
        finetune.work(run.spec)
    assert not run.result.exists()


def test_it_does_its_batch_in_pieces_when_memory_runs_out(
    make: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, short = make("plain", dropout=0.0), make("short", dropout=0.0)
    finetune.work(plain.spec)

    def small_memory(trainer: ExactTrainer, inputs: dict[str, Any], loss: Any) -> Any:
        again = trainer.spread.layout.checkpointing if trainer.spread else "none"
        if len(inputs["ids"]) > 2 or again != "full":
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
        return loss

    broken(monkeypatch, small_memory)
    finetune.work(short.spec)
    events = short.figures()["recovered"]
    assert {event["kind"] for event in events} == {"memory"}
    told = [(event.get("pieces"), event.get("again")) for event in events]
    assert told == [(2, None), (4, None), (None, 0.5), (None, 1.0), (8, None)]
    assert "the batch stays the same" in events[0]["text"]
    assert "the activations of some layers are now computed again" in events[2]["text"]
    plan = short.figures()["plan"]
    assert plan["layout"]["checkpointing"] == "full"
    assert "checkpoint_full" in [reason["code"] for reason in plan["reasons"]]
    for name, value in plain.weights().items():
        np.testing.assert_allclose(value, short.weights()[name], atol=1e-5, err_msg=name)


class Trap:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def test_it_goes_on_from_a_second_copy_and_runs_no_code_that_lies_in_it(
    make: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plain, run = make("plain"), make("run", second_copy=str(tmp_path / "other disk"))
    finetune.work(plain.spec)

    def stop(trainer: ExactTrainer, _inputs: Any, loss: Any) -> Any:
        if trainer.state.global_step == 13:
            raise KeyError("the power went")
        return loss

    with monkeypatch.context() as patch:
        broken(patch, stop)
        with pytest.raises(KeyError):
            finetune.work(run.spec)
    for attempt in run.work.glob("attempt-*"):
        for path in sorted(attempt.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
    (copy,) = (tmp_path / "other disk").glob("*/checkpoint-10")
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin", "pytorch_model.bin"):
        torch.save(Trap(tmp_path / "sprung"), copy / name)
    (copy / ".metadata").write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    checkpoint.seal(copy, json.loads((copy / checkpoint.MARKER).read_text())["key"])
    finetune.work(run.spec)
    assert not (tmp_path / "sprung").exists()
    assert run.figures()["resumed_from_step"] == 10
    assert same(plain.weights(), run.weights())  # with dropout: the random numbers came back as well
    assert [event["kind"] for event in run.figures()["recovered"]] == ["lost"]
    assert not list((tmp_path / "other disk").iterdir())


def test_it_keeps_the_best_checkpoint_of_an_earlier_attempt(
    make: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make("run", patience=9)
    outputs = ExactTrainer.outputs_of

    def ever_worse(trainer: ExactTrainer, tokens: Any, *precision: Any) -> Any:
        return outputs(trainer, tokens, *precision) - 9.0 * trainer.state.global_step * np.arange(4)

    def stop(trainer: ExactTrainer, _inputs: Any, loss: Any) -> Any:
        if trainer.state.global_step == 13:
            raise KeyError("the power went")
        return loss

    monkeypatch.setattr(ExactTrainer, "outputs_of", ever_worse)
    with monkeypatch.context() as patch:
        broken(patch, stop)
        with pytest.raises(KeyError):
            finetune.work(run.spec)
    (best,) = run.work.glob("attempt-*/checkpoint-5")
    head = load_file(best / "model.safetensors")["head.weight"]
    monkeypatch.setattr(communicate, "_ALONE", "another")
    finetune.work(run.spec)
    figures = run.figures()
    assert (figures["resumed_from_step"], figures["stopping"]["kept"]) == (10, 5)
    (kept,) = (value for value in run.weights().values() if value.shape == tuple(head.shape))
    np.testing.assert_array_equal(kept, head.numpy())


def test_it_survives_ranks_that_are_killed_or_stand_still_at_random_steps(make: Callable[..., Run]) -> None:
    # A loss is noted every second step as the mean of two: a checkpoint between them would shorten one mean.
    settings = {
        "max_steps": 200,
        "save_every": 20,
        "head_start": False,
        "heartbeat_s": 2.0,
        "layout": "zero3",
    }
    plain, run = make("plain", **settings), make("run", **settings)
    plain.start(elastic.launcher(2))
    assert plain.finish(), plain.tail()
    rng = np.random.default_rng(7)
    steps = np.sort(rng.choice(np.arange(5, 180), size=3, replace=False))
    faults = rng.permutation([signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP])
    run.start(elastic.launcher(2))
    try:
        for step, fault in zip(steps, faults, strict=True):
            run.wait_for_step(int(step), after=len(run.steps()))
            os.kill(run.notes()[int(rng.integers(2))].pid, fault)
            run.wait_for_start(after=len(run.starts()))
        assert run.finish(), run.tail()
    finally:
        run.stop()
    assert same(plain.weights(), run.weights())
    figures = run.figures()
    assert figures["layout_ran"]["name"] == "FSDP2 2 (ZeRO-3)"
    assert figures["resumed_from_step"] >= steps[-1] // 20 * 20 - 40  # at most one was being written
    assert [event["kind"] for event in figures["recovered"]] == ["lost"] * 3
    for event, fault in zip(figures["recovered"], faults, strict=True):
        how = "stood still and was killed" if fault == signal.SIGSTOP else "was lost"
        assert f"of 2 {how} after step" in event["text"]
    losses = [
        [entry["loss"] for entry in one["history"] if "loss" in entry] for one in (figures, plain.figures())
    ]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


def test_it_reads_parts_of_two_ranks_with_one_and_resets_a_rank_that_differs(tmp_path: Path) -> None:
    script = Path(__file__).parent.parent / "distributed" / "two_ranks.py"
    environment = {**os.environ, "PYTHONPATH": str(kit.ROOT), "OMP_NUM_THREADS": "1"}
    launch = [sys.executable, "-m", "torch.distributed.run", *elastic.launcher(2, restarts=0)]
    done = subprocess.run(
        [*launch, str(script), str(tmp_path)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    from tests.training.distributed import two_ranks

    model, optimizer = two_ranks.made()
    found = checkpoint.newest([tmp_path], "parts")
    assert found is not None and found.name == "checkpoint-3"
    assert sorted(path.name for path in found.iterdir()) == [
        *(f"{file}-0000{rank}-of-00002.safetensors" for file in ("model", "optimizer") for rank in (1, 2)),
        *("state.json", checkpoint.MARKER),
    ]
    sizes = {name: tuple(size) for name, (size, _kind) in sharded.contents(found).items()}
    assert sizes["0.weight"] == sizes["0/exp_avg"] == (5, 7) and sizes["3/exp_avg"] == (1,)
    first = load_file(found / "model-00001-of-00002.safetensors")
    assert {name: tuple(value.shape) for name, value in first.items()} == {
        **{"0.weight": (3, 7), "0.bias": (3,)},
        **{"2.weight": (1, 5), "2.bias": (1,)},
    }
    with pytest.raises(ValueError, match="checkpoint-3 is not a checkpoint of this model: .*missing"):
        sharded.read(found, {"missing": torch.zeros(1)})
    with pytest.raises(ValueError, match="checkpoint-3 is not a checkpoint of this model"):
        sharded.read(found, {"0.bias": torch.zeros(4)})
    two_ranks.take_up(found, model, optimizer)
    for step in range(3, 6):
        two_ranks.train(model, optimizer, step)
    expected = torch.load(tmp_path / "expected.pt", weights_only=True)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-6)
    told = {"step": 4, "text": "rank 1 held other weights than rank 0: reset from it", "ranks": [1]}
    for rank in (0, 1):
        events = json.loads((tmp_path / f"diverged-{rank}.json").read_text())
        assert events == [{"kind": "diverged", **told}]
    assert Recovery.read(tmp_path / "run", "run").events == events
    assert '"text": "rank 1 held other weights' in done.stdout
