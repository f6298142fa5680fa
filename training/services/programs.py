"""How the programs of runs are started: those that train under torchrun, on one machine or several; light ones
(no torch, moments long) can run inside the process that runs the job.

A worker starts every program as a process of its own, so that it can be cancelled and a crash takes nothing
along. Where one process does hundreds of rounds (simulate, the demo) the start of a process costs more than
the work, and is saved.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from django.conf import settings as conf

from jobs.services.context import JobContext
from training.distributed import elastic
from training.models import TrainingRun

_IN_PROCESS: ContextVar[bool] = ContextVar("training_programs_in_process", default=False)


@contextmanager
def in_this_process() -> Iterator[None]:
    """Inside, `run_light` calls its program instead of starting it."""
    token = _IN_PROCESS.set(True)
    try:
        yield
    finally:
        _IN_PROCESS.reset(token)


def run_light(ctx: JobContext, module: str, spec: dict[str, Any]) -> Path:
    """Run a program that loads no torch; its result folder."""
    return ctx.run_program(module, spec, in_process=_IN_PROCESS.get())


def run_ranks(ctx: JobContext, run: TrainingRun, module: str, spec: dict[str, Any]) -> Path:
    """Run a program that trains, the first of its job, with `spec["processes"]` ranks here; its result folder.

    Where a run has several machines, the log shows the command for the others.
    """
    spec = {**spec, "least_nodes": elastic.least_of(conf.TRAINING_NODES)}
    options = elastic.launcher(
        spec["processes"],
        nodes=conf.TRAINING_NODES,
        endpoint=conf.TRAINING_RENDEZVOUS,
        run_id=f"{run.uuid}-{ctx.attempt}",
    )
    launch = [elastic.AGENT, *options]
    if conf.TRAINING_RENDEZVOUS:
        path = ctx.attempt_folder() / f"{module.rsplit('.', 1)[-1]}-1.spec.json"
        ctx.log(
            f"on each of the other machines: {' '.join(['python', '-m', *launch, '-m', module, str(path)])}"
        )
    return ctx.run_program(module, spec, processes=spec["processes"], torchrun=True, launcher=launch)
