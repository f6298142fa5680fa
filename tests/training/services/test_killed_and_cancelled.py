"""What happens to the processes of a real job: one stands still, the agent is killed, all are cancelled."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from bench._survival_runs import is_alive
from jobs.models import Job
from jobs.services import jobs
from tests import factories
from tests import training_kit as kit
from tests.training.test_worker_killed import of_this_run
from training.distributed import elastic
from training.learning import encoder
from training.models import ModelVersion, TrainingRun
from training.services import runs

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., TrainingRun]:
    tiny = kit.tiny_encoder(tmp_path / "tiny")
    monkeypatch.setattr(encoder, "default_encoder_path", lambda: tiny)
    project = factories.make_project()
    dataset = factories.make_dataset(project, train=40, test=4)

    def launched(**settings: Any) -> TrainingRun:
        given = {"epochs": 40.0, "batch_size": 8, **settings}
        return runs.launch(project, dataset, learner="finetune", settings=given)

    return launched


def test_the_job_goes_on_when_its_process_stands_still_and_when_the_agent_is_killed(
    launch: Callable[..., TrainingRun], data_dir: Path
) -> None:
    run = launch()
    work = data_dir / "work" / str(run.job.uuid) / "checkpoints"
    ranks: list[int] = []

    def disturb() -> None:
        wait_until(lambda: any(work.glob("attempt-*/checkpoint-*/whole.json")))
        ranks.extend(note.pid for note in elastic.newest_notes(work))
        os.kill(ranks[0], signal.SIGSTOP)
        wait_until(lambda: any(note.pid not in ranks for note in elastic.newest_notes(work)))
        ranks.extend(note.pid for note in elastic.newest_notes(work))
        os.kill(parent_of(ranks[1]), signal.SIGKILL)

    with beside(disturb):
        jobs.drain()
    job = Job.objects.get(pk=run.job.pk)
    assert (job.state, job.attempts) == ("done", 2), job.error
    model = ModelVersion.objects.get(run=run)
    assert model.figures["resumed_from_step"] >= 50
    events = model.figures["recovered"]
    assert [event["kind"] for event in events] == ["lost", "lost"]
    assert events[0]["text"].startswith("the process stood still and was killed after step")
    assert events[1]["text"].startswith("the process was lost after step")
    assert len(ranks) == 2 and not any(is_alive(pid) for pid in ranks)


def test_a_cancelled_run_leaves_no_process_behind_not_even_one_that_stands_still(
    launch: Callable[..., TrainingRun], data_dir: Path
) -> None:
    run = launch(processes=2, epochs=1000.0)
    work = data_dir / "work" / str(run.job.uuid) / "checkpoints"
    pids: list[int] = []

    def cancel() -> None:
        wait_until(lambda: [note.step >= 1 for note in elastic.newest_notes(work)] == [True, True])
        first, second = (note.pid for note in elastic.newest_notes(work))
        pids.extend([first, second, parent_of(first)])
        os.kill(second, signal.SIGSTOP)
        jobs.cancel(Job.objects.get(pk=run.job.pk), None)
        connection.close()

    with beside(cancel):
        jobs.drain()
    run.job.refresh_from_db()
    assert (run.job.state, len(pids)) == ("cancelled", 3)
    assert not any(is_alive(pid) for pid in pids)
    assert not of_this_run(str(data_dir))


@contextmanager
def beside(what: Callable[[], None]) -> Iterator[None]:
    """Do it in a thread while the job runs."""
    thread = threading.Thread(target=what)
    thread.start()
    yield
    thread.join()


def wait_until(holds: Callable[[], bool], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.02)


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
