"""`manage.py jobs`: the list, one job's log, following and cancelling it."""

from __future__ import annotations

import io
import threading
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from jobs.models import Job, JobLog, State
from jobs.services import jobs

pytestmark = pytest.mark.django_db


def call(*args: str) -> list[str]:
    out = io.StringIO()
    call_command("jobs", *args, stdout=out)
    return out.getvalue().splitlines()


def short(job: Job) -> str:
    return str(job.uuid)[:8]


def test_it_lists_what_waits_and_runs_and_on_demand_what_has_ended(kind: Any) -> None:
    assert call() == ["nothing waits and nothing runs"]
    assert call("--all") == ["no job has been started yet"]

    def fails(ctx: Any) -> None:
        raise ValueError("no")

    ended = jobs.enqueue(kind(fails), params={})
    jobs.drain()
    running = jobs.enqueue(kind(lambda ctx: None))
    Job.objects.filter(pk=running.pk).update(
        state=State.RUNNING, progress=0.42, eta_seconds=90, progress_text="42 of 100 items"
    )
    waiting = jobs.enqueue(kind(lambda ctx: None))
    assert call() == [
        f"{short(waiting)}  waiting   {waiting.kind}",
        f"{short(running)}  running   {running.kind}  42 %, 2 min left  42 of 100 items",
    ]
    assert call("--limit", "1") == [f"{short(waiting)}  waiting   {waiting.kind}"]
    assert call("--all")[2].startswith(f"{short(ended)}  failed")


def test_it_prints_the_log_of_one_job(kind: Any) -> None:
    def speaks(ctx: Any) -> None:
        ctx.log("first line")
        ctx.log("second line")

    job = jobs.enqueue(kind(speaks))
    jobs.drain()
    assert call("--log", str(job.uuid)) == [
        f"{short(job)}  done      {job.kind}",
        "first line",
        "second line",
    ]
    assert call("--follow", short(job)) == [
        "first line",
        "second line",
        f"{short(job)}  done      {job.kind}",
    ]


def test_it_prints_every_line_of_a_long_log(kind: Any) -> None:
    job = jobs.enqueue(kind(lambda ctx: None))
    jobs.drain()
    JobLog.objects.bulk_create(JobLog(job=job, text=f"line {number}") for number in range(2100))
    assert call("--follow", short(job))[:-1] == [f"line {number}" for number in range(2100)]


@pytest.mark.django_db(transaction=True)
def test_it_follows_a_job_to_its_end_and_fails_with_it(kind: Any, capsys: Any) -> None:
    def fails(ctx: Any) -> None:
        ctx.log("so far so good")
        raise ValueError("no")

    job = jobs.enqueue(kind(fails, max_attempts=1))

    def work() -> None:
        try:
            jobs.drain()
        finally:
            connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    with pytest.raises(CommandError, match="the job has failed"):
        call_command("jobs", "--follow", short(job))
    worker.join()
    assert "so far so good" in capsys.readouterr().out


def test_it_cancels_once(kind: Any) -> None:
    job = jobs.enqueue(kind(lambda ctx: None))
    assert call("--cancel", short(job)) == ["cancelled"]
    job.refresh_from_db()
    assert job.state == State.CANCELLED
    with pytest.raises(CommandError, match="has ended already"):
        call("--cancel", short(job))


def test_it_tells_a_running_job_to_stop(kind: Any) -> None:
    job = jobs.enqueue(kind(lambda ctx: None))
    Job.objects.filter(pk=job.pk).update(state=State.RUNNING)
    assert call("--cancel", short(job)) == ["told to stop: its programs are gone within seconds"]
    assert call()[0].endswith("0 %  told to stop")


@pytest.mark.parametrize("identity", ["abc", "not an id", "ffffffff"])
def test_it_says_so_where_no_job_is_called_so(identity: str) -> None:
    with pytest.raises(CommandError, match="no job with an ID that begins with"):
        call("--log", identity)


def test_it_says_so_where_several_jobs_begin_so(kind: Any) -> None:
    name = kind(lambda ctx: None)
    for end in ("1", "2"):
        job = jobs.enqueue(name)
        Job.objects.filter(pk=job.pk).update(uuid=f"abcdef00-0000-4000-8000-00000000000{end}")
    with pytest.raises(CommandError, match="2 jobs with an ID"):
        call("--log", "abcdef")
