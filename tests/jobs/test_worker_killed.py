"""A worker is killed with -9 in the middle of its work: no job is lost, whichever broker is set."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from django.conf import settings

JOBS = 6
KILLS = 2
SECONDS = 2.0  # of work in each job
ENQUEUE = f"""
import django; django.setup()
from jobs.services import jobs
for _ in range({JOBS}):
    jobs.enqueue("jobs.check_worker", params={{"seconds": {SECONDS}}})
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Start a process of this installation; all are gone after the test."""
    children: list[subprocess.Popen[bytes]] = []
    log = (tmp_path / "log").open("wb")

    def run(*arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=settings.BASE_DIR,
            env=environment_of(tmp_path, **environment),
            stdin=subprocess.PIPE,  # with GYRE_LEASH: nothing is left if the tests themselves are killed
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        children.append(child)
        return child

    yield run
    for child in children:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    log.close()


def environment_of(folder: Path, **more: str) -> dict[str, str]:
    ours = {
        name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "CELERY_BROKER_URL")
    }
    fixed = {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "TEST_DATA_DIR": str(folder / "data"),
        "GYRE_LEASH": "1",
        "JOBS_STALE_SECONDS": "3",
        "JOBS_TICK_SECONDS": "0.5",
    }
    return {**ours, **fixed, **more}


def states(folder: Path) -> list[tuple[str, int]]:
    """State and attempts of each job; read past Django, whose start would take longer than the jobs."""
    with closing(sqlite3.connect(folder / "data" / "db.sqlite3", timeout=10)) as database:
        return database.execute("SELECT state, attempts FROM jobs_job ORDER BY id").fetchall()


WORKER = ("-m", "celery", "-A", "config", "worker", "-Q", "cpu", "--pool", "threads", "-c", "2")
QUIET = ("--without-gossip", "--without-mingle", "--loglevel", "INFO")


@pytest.mark.slow
def test_it_finishes_every_job_though_workers_are_killed(start, migrated, tmp_path):
    where = {"CELERY_BROKER_URL": os.environ.get("CELERY_BROKER_URL", "filesystem://")}
    migrated(tmp_path / "data")
    start("manage.py", "tick", **where)
    worker = start(*WORKER, *QUIET, **where)
    assert start("-c", ENQUEUE, **where).wait(120) == 0
    for _ in range(KILLS):
        wait_until(lambda: any(state == "running" for state, _attempts in states(tmp_path)), tmp_path)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
        worker = start(*WORKER, *QUIET, **where)
    wait_until(lambda: all(state == "done" for state, _attempts in states(tmp_path)), tmp_path)
    assert len(states(tmp_path)) == JOBS
    assert (
        sum(attempts for _state, attempts in states(tmp_path)) > JOBS
    )  # something was killed and taken up again


def wait_until(condition: Callable[[], bool], folder: Path, seconds: float = 120.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, (folder / "log").read_text(errors="replace")[-4000:]
        time.sleep(0.2)
