"""What programs that train share; their own tests run it on real ranks."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from training.programs import specs
from training.programs.surviving_run import curve, leaving_with_the_others

NAMES = {"loss": "loss", "eval_loss": "validation_loss"}


def test_a_curve_has_one_entry_a_step_with_all_that_was_measured_then() -> None:
    log = [{"step": 4, "eval_loss": 2}, {"step": 2, "loss": 1, "epoch": 0.5}, {"step": 4, "loss": 0.5}]
    log.append({"step": 4, "train_runtime": 9.0})
    assert curve(log, NAMES) == [
        {"step": 2, "loss": 1.0},
        {"step": 4, "validation_loss": 2.0, "loss": 0.5},
    ]
    assert curve([], NAMES) == []


@pytest.mark.parametrize(
    ("items", "epochs", "most", "steps"), [(101, 3, None, 21), (101, 0.01, None, 1), (101, 3, 5, 5)]
)
def test_it_takes_whole_batches_and_one_step_at_least(
    items: int, epochs: float, most: int | None, steps: int
) -> None:
    assert specs.steps_for(items, epochs=epochs, batch_size=16, max_steps=most) == steps


def test_a_rank_that_lost_another_says_so_and_leaves_and_other_faults_go_on() -> None:
    said: list[str] = []
    heart = SimpleNamespace(stop=said.append)
    run = SimpleNamespace(survival=SimpleNamespace(heart=heart))
    with pytest.raises(SystemExit) as left, leaving_with_the_others(run):
        raise RuntimeError("gloo: Connection closed by peer [127.0.0.1]:9")
    assert left.value.code == 1 and said[0].startswith("lost peer: gloo")
    with pytest.raises(KeyError), leaving_with_the_others(run):
        raise KeyError("our own")
    assert len(said) == 1
