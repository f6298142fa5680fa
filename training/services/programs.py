"""Light programs (no torch, moments long) can run inside the process that runs the job.

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

from jobs.services.context import JobContext

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
