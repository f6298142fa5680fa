"""What a job's function is given: its parameters, its folders, and ways to report, to stop, and to run a
program.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings

from jobs.models import Job
from jobs.services import processes
from jobs.services.eta import Eta
from jobs.services.pulse import Pulse


class JobContext:
    """One attempt at one job.

    Attributes:
        job: the row as it was when it was claimed.
        params: the job's parameters (JSON).
        attempt: 1 for the first attempt, 2 after a worker was lost, ...
        token: names this attempt; changes with every attempt.
        observers: are told the figures of programs too, as (step, figures by name).
    """

    def __init__(self, job: Job, pulse: Pulse) -> None:
        self.job = job
        self.params: dict[str, Any] = job.params
        self.attempt: int = job.attempts
        self.token: str = job.token
        self.observers: list[Callable[[int, dict[str, Any]], None]] = []
        self._pulse = pulse
        self._eta = Eta()
        self._programs = 0

    @property
    def subject(self) -> Any:
        """The row the job is about; None if it has none or the row is gone."""
        return self.job.subject

    def check(self) -> None:
        """Raise `Cancelled` or `Lost` if the job must stop here. `progress` does it too."""
        self._pulse.check()

    def progress(self, done: float, total: float, text: str = "") -> None:
        """Say that `done` of `total` units are done; the time left is worked out from it."""
        share = min(1.0, max(0.0, done / total)) if total > 0 else 0.0
        eta = self._eta.update(time.monotonic(), share)
        self._pulse.set(progress=share, progress_text=text[:200], eta_seconds=eta)
        self.check()

    def log(self, text: str) -> None:
        """Add to the job's log."""
        self._pulse.log(text)

    def metric(self, step: int, **values: float) -> None:
        """Add a point to the job's live curves."""
        self._pulse.metric(step, values)

    def work_folder(self) -> Path:
        """The job's own folder, the same in every attempt, for checkpoints. Removed when the job is done."""
        return _made(Path(settings.DATA_DIR) / "work" / str(self.job.uuid))

    def attempt_folder(self) -> Path:
        """This attempt's own folder: nothing of another attempt, dead or still dying, is in it."""
        return _made(self.work_folder() / f"attempt-{self.attempt}-{self.token[:8]}")

    def run_program(
        self,
        module: str,
        spec: dict[str, Any],
        *,
        processes: int = 1,
        torchrun: bool = False,
        launcher: Sequence[str] = (),
        in_process: bool = False,
    ) -> Path:
        """Run a heavy program and return its result folder, which is whole and matches its manifest.

        `spec["result"]` may be left out: then it is a folder of this attempt. If it is given, lies under
        `work_folder()`, and an earlier attempt has finished it from the same spec, the program is not run
        again.

        Args:
            module: "training.programs.finetune"; it follows jobs/program.py.
            processes: how many, under torchrun.
            torchrun: start it by torch's own launcher; always so for more than one process.
            launcher: its module and options; left out, one machine and no second start of a lost process.
            in_process: call `module.work(spec)` here; for programs that load no torch and take moments.

        Raises:
            ProgramFailed: it ended without a result; its own sentence, and whether trying again may help.
            Cancelled, Lost: the job must stop; the program and all its children are gone by then.
        """
        self._programs += 1
        name = f"{module.rsplit('.', 1)[-1]}-{self._programs}"
        full = {"spec_version": 1, "result": str(self.attempt_folder() / name), **spec}
        return _program(self, module, full, name, processes, torchrun, launcher, in_process)

    def on_event(self, event: dict[str, Any]) -> None:
        """Take one event line of a program (jobs/program.py)."""
        match event:
            case {"event": "progress", "done": int() | float() as done, "total": int() | float() as total}:
                self.progress(done, total, str(event.get("text", "")))
            case {"event": "metric", "step": int() as step}:
                values = {key: value for key, value in event.items() if key not in ("event", "step")}
                self._pulse.metric(step, values)
                for tell in self.observers:
                    tell(step, values)
            case {"event": "log", "text": text}:
                self.log(str(text))
            case {"event": "error", "message": message}:
                self.log(f"error: {message}")
            case _:
                self.log(str(event))


def _program(
    ctx: JobContext,
    module: str,
    spec: dict[str, Any],
    name: str,
    count: int,
    torchrun: bool,
    launcher: Sequence[str],
    in_process: bool,
) -> Path:
    if in_process:
        return processes.call(module, spec, on_event=ctx.on_event)
    return processes.run(
        module,
        spec,
        spec_path=ctx.attempt_folder() / f"{name}.spec.json",
        on_event=ctx.on_event,
        check=ctx.check,
        processes=count,
        torchrun=torchrun or count > 1,
        launcher=launcher,
    )


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
