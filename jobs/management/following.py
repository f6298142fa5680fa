"""Following a job on the command line."""

from __future__ import annotations

import time
from collections.abc import Callable

from accounts.templatetags.gyre import duration
from jobs.models import Job, State
from jobs.selectors import logs

LOOKS_EVERY = 1.0  # seconds


def follow(job: Job, write: Callable[[str], object]) -> None:
    """Tell how far a job is and every line of its log, until it has ended."""
    last, said = 0, ""
    while True:
        job.refresh_from_db()  # before its lines: all of them are there once it has ended
        while lines := logs.after(job, last):
            for line in lines:
                write(line.text)
            last = lines[-1].pk
        if job.has_ended:
            return
        now = progress(job) if job.state == State.RUNNING else str(job.get_state_display())
        if now != said:
            write(now)
            said = now
        time.sleep(LOOKS_EVERY)


def progress(job: Job) -> str:
    left = f", {duration(job.eta_seconds)} left" if job.eta_seconds is not None else ""
    return f"{job.percent} %{left}  {job.progress_text}".rstrip()
