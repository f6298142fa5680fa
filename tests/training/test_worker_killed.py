"""The worker is killed with -9 in the middle of a real fine-tune: another one ends it with the same weights."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from bench._survival_runs import is_alive
from tests import training_kit as kit
from tests.jobs.test_worker_killed import QUIET, start, states, wait_until  # noqa: F401
from tests.training.services.test_event_files import read
from training.distributed import elastic
from training.learning.encoder import PACKAGE
from training.programs import finetune

LAUNCH = """
import django; django.setup()
from tests import factories
from training.services import runs
project = factories.make_project()
dataset = factories.make_dataset(project, train=40, test=4)
runs.launch(project, dataset, learner="finetune", settings={"epochs": 40.0, "batch_size": 8})
"""
WORKER = ("-m", "celery", "-A", "config", "worker", "-Q", "gpu", "--pool", "threads", "-c", "1")


@pytest.mark.slow
def test_another_worker_ends_a_fine_tune_with_the_same_weights(
    start: Any,  # noqa: F811
    migrated: Callable[[Path], None],
    tmp_path: Path,
) -> None:
    tiny = kit.tiny_encoder(
        tmp_path / "packages" / PACKAGE / "model"
    )  # where the programs look for the default
    (tiny.parent / "__init__.py").touch()
    where = {
        "CELERY_BROKER_URL": "filesystem://",
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "packages"), str(kit.ROOT)]),
        "OMP_NUM_THREADS": "1",
    }
    migrated(tmp_path / "data")
    assert start("-c", LAUNCH, **where).wait(120) == 0
    start("manage.py", "tick", **where)
    worker = start(*WORKER, *QUIET, **where)
    data = tmp_path / "data"
    awaited = ("work/*/checkpoints/attempt-*/checkpoint-*/whole.json", "tensorboard/*/*/events*")
    wait_until(lambda: all(any(data.glob(one)) for one in awaited), tmp_path)
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    (notes,) = (elastic.newest_notes(path) for path in data.glob("work/*/checkpoints"))
    (path,) = data.glob("work/*/attempt-1-*/finetune-1.spec.json")
    spec = json.loads(path.read_text())
    again = start(*WORKER, *QUIET, **where)
    (plain := tmp_path / "plain").mkdir()
    finetune.work({**spec, "result": str(plain / "result"), "work": str(plain / "work"), "threads": 1})
    wait_until(lambda: states(tmp_path) == [("done", 2)], tmp_path)
    (result,) = data.glob("artifacts/model/*")
    figures = json.loads((result / "result.json").read_text())
    assert figures["resumed_from_step"] >= 50
    assert [event["kind"] for event in figures["recovered"]] == ["lost"]
    assert figures["recovered"][0]["text"].startswith("the process was lost after step")
    for name in ("model.safetensors", "head.safetensors"):
        ours, undisturbed = load_file(result / "model" / name), load_file(plain / "result" / "model" / name)
        assert ours.keys() == undisturbed.keys()
        for key, value in undisturbed.items():
            np.testing.assert_array_equal(ours[key], value, err_msg=key)
    (curves,) = data.glob("tensorboard/*/*")
    assert len(list(curves.iterdir())) == 2  # one an attempt
    history = json.loads((plain / "result" / "result.json").read_text())["history"]
    losses = {point["step"]: point["loss"] for point in history if "loss" in point}
    seen = read(curves)["loss"]
    assert len(seen) > 0.8 * len(losses) and max(seen) == max(losses)  # lines under way died with the worker
    assert seen == pytest.approx({step: losses[step] for step in seen}, rel=1e-5)
    assert not any(is_alive(note.pid) for note in notes)
    os.killpg(again.pid, signal.SIGKILL)
    wait_until(lambda: not of_this_run(str(data)), tmp_path)
    shutil.rmtree(data)


def of_this_run(mark: str) -> list[str]:
    """The command lines of programs that work in a folder and run still."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if mark in words and "training.programs" in words:
            found.append(words)
    return found
