from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from training.distributed import elastic
from training.services import programs

RUN: Any = SimpleNamespace(uuid="5e1f")


class Context:
    """What of a job's context is used, written down."""

    attempt = 2

    def __init__(self, folder: Path) -> None:
        self.folder, self.lines = folder, []
        self.ran: dict[str, Any] = {}

    def attempt_folder(self) -> Path:
        return self.folder

    def log(self, text: str) -> None:
        self.lines.append(text)

    def run_program(self, module: str, spec: dict[str, Any], **options: Any) -> Path:
        self.ran = {"module": module, "spec": spec, **options}
        return self.folder / "result"


def run(folder: Path, module: str) -> Context:
    ctx: Any = Context(folder)
    assert programs.run_ranks(ctx, RUN, module, {"processes": 3}) == folder / "result"
    found: Context = ctx
    return found


@pytest.mark.parametrize("name", ["finetune", "tune", "reinforce"])
def test_every_run_of_ranks_tells_the_other_machines_how_to_join(
    tmp_path: Path, settings: Any, name: str
) -> None:
    settings.TRAINING_NODES, settings.TRAINING_RENDEZVOUS = "2:4", "first:29400"
    ctx = run(tmp_path, f"training.programs.{name}")
    options = elastic.launcher(3, nodes="2:4", endpoint="first:29400", run_id="5e1f-2")
    assert ctx.ran == {
        "module": f"training.programs.{name}",
        "spec": {"processes": 3, "least_nodes": 2},
        "processes": 3,
        "torchrun": True,
        "launcher": ["training.distributed.agent", *options],
    }
    assert ctx.lines == [
        "on each of the other machines: python -m training.distributed.agent "
        f"{' '.join(options)} -m training.programs.{name} {tmp_path}/{name}-1.spec.json"
    ]


def test_on_one_machine_nobody_is_told(tmp_path: Path, settings: Any) -> None:
    settings.TRAINING_NODES, settings.TRAINING_RENDEZVOUS = "1", ""
    ctx = run(tmp_path, "training.programs.tune")
    assert ctx.ran["launcher"] == ["training.distributed.agent", *elastic.launcher(3)]
    assert (ctx.ran["spec"]["least_nodes"], ctx.lines) == (1, [])
