from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.services import users
from jobs.errors import NotCancellable, NotRetryable, ProgramFailed, Transient, UnknownKind
from jobs.models import Job, State
from jobs.services import jobs
from jobs.signals import job_finished

pytestmark = pytest.mark.django_db


def test_it_runs_a_queued_job_and_keeps_its_result(kind):
    job = jobs.enqueue(kind(lambda ctx: {"sum": ctx.params["a"] + ctx.params["b"]}), params={"a": 2, "b": 3})
    assert job.state == State.QUEUED
    assert jobs.drain() == 1
    job.refresh_from_db()
    assert (job.state, job.result, job.progress, job.attempts, job.token) == (
        State.DONE,
        {"sum": 5},
        1.0,
        1,
        "",
    )
    assert job.started_at <= job.finished_at


def test_it_returns_the_same_job_for_the_same_key(kind):
    name = kind(lambda ctx: None)
    first = jobs.enqueue(name, key="once")
    jobs.drain()
    assert jobs.enqueue(name, key="once").pk == first.pk
    assert jobs.drain() == 0


def test_it_names_the_known_kinds_when_the_kind_is_unknown():
    with pytest.raises(UnknownKind, match="no kind of job “nonsense”.*jobs.check_worker"):
        jobs.enqueue("nonsense")


def test_it_loads_the_subject_by_its_content_type(kind):
    seen = []
    person = users.create_user("ana")
    jobs.enqueue(kind(lambda ctx: seen.append(ctx.subject)), subject=person)
    jobs.drain()
    assert seen == [person]


def test_it_fails_a_job_whose_worker_does_not_know_the_kind():
    job = Job.objects.create(kind="from.a_newer_version")
    jobs.drain()
    job.refresh_from_db()
    assert (job.state, job.error_code) == (State.FAILED, "unknown_job_kind")
    assert "restart it with the version of the code that made the job" in job.error


def test_it_fails_at_once_on_an_unexpected_error_and_logs_the_traceback(kind):
    def divide(ctx):
        ctx.log("before")
        return 1 / 0

    job = jobs.enqueue(kind(divide))
    assert jobs.drain() == 1
    job.refresh_from_db()
    assert (job.state, job.error_code, job.error) == (
        State.FAILED,
        "unexpected",
        "ZeroDivisionError: division by zero",
    )
    lines = [line.text for line in job.log_lines.all()]
    assert lines[0] == "before"
    assert lines[-1] == "ZeroDivisionError: division by zero"


def test_it_fails_a_job_whose_result_is_not_json(kind):
    job = jobs.enqueue(kind(lambda ctx: {"when": timezone.now()}))
    jobs.drain()
    job.refresh_from_db()
    assert job.state == State.FAILED
    assert "not JSON serializable" in job.error


@pytest.mark.parametrize("error", [Transient("the disk was busy"), ProgramFailed("killed", permanent=False)])
def test_it_tries_a_transient_failure_again_up_to_its_limit(kind, error):
    attempts = []

    def fail(ctx):
        attempts.append(ctx.attempt)
        raise error

    job = jobs.enqueue(kind(fail, max_attempts=3))
    assert jobs.drain() == 3
    job.refresh_from_db()
    assert attempts == [1, 2, 3]
    assert (job.state, job.error) == (State.FAILED, str(error))


def test_it_waits_between_attempts(kind):
    def fail(ctx):
        raise Transient("busy")

    job = jobs.enqueue(kind(fail))
    assert jobs.run(job.pk)
    job.refresh_from_db()
    assert job.state == State.QUEUED
    assert job.available_at > timezone.now() + timedelta(seconds=1)
    assert not jobs.run(job.pk)


def test_it_does_not_try_a_permanent_failure_again(kind):
    def fail(ctx):
        raise ProgramFailed("the data has one class only", permanent=True)

    job = jobs.enqueue(kind(fail))
    assert jobs.drain() == 1
    job.refresh_from_db()
    assert (job.state, job.error_code, job.error) == (
        State.FAILED,
        "program_failed",
        "the data has one class only",
    )


def test_it_cancels_a_waiting_job_at_once_and_says_who_did(kind):
    person = users.create_user("ana")
    job = jobs.enqueue(kind(lambda ctx: None))
    jobs.cancel(job, person)
    assert job.state == State.CANCELLED
    assert jobs.drain() == 0
    assert AuditEntry.objects.filter(verb="job.cancelled", actor=person, target_id=str(job.uuid)).count() == 1


def test_it_refuses_to_cancel_what_has_ended(kind):
    job = jobs.enqueue(kind(lambda ctx: None))
    jobs.drain()
    with pytest.raises(NotCancellable, match="has ended already"):
        jobs.cancel(job, None)


def test_it_stops_a_running_job_that_is_cancelled(kind):
    def work(ctx):
        jobs.cancel(ctx.job, None)
        ctx._pulse._last_beat = 0.0  # the next check asks the database
        for step in range(3):
            ctx.progress(step, 3)
        raise AssertionError("it went on")

    job = jobs.enqueue(kind(work))
    jobs.drain()
    job.refresh_from_db()
    assert (job.state, job.error) == (State.CANCELLED, "")


def test_it_retries_a_failed_job_from_the_first_attempt(kind):
    outcomes = [RuntimeError("no"), None]

    def work(ctx):
        outcome = outcomes.pop(0)
        if outcome:
            raise outcome
        return {"attempt": ctx.attempt}

    job = jobs.enqueue(kind(work))
    jobs.drain()
    job.refresh_from_db()
    jobs.retry(job, None)
    assert (job.state, job.error, job.attempts) == (State.QUEUED, "", 0)
    jobs.drain()
    job.refresh_from_db()
    assert (job.state, job.result) == (State.DONE, {"attempt": 1})


def test_it_refuses_to_retry_what_is_done(kind):
    job = jobs.enqueue(kind(lambda ctx: None))
    jobs.drain()
    with pytest.raises(NotRetryable, match="only a failed or cancelled one"):
        jobs.retry(job, None)


def test_it_drops_the_outcome_of_an_attempt_that_lost_its_job(kind):
    def work(ctx):
        Job.objects.filter(pk=ctx.job.pk).update(token="somebody else's", attempts=2)
        return {"from": "the lost attempt"}

    job = jobs.enqueue(kind(work))
    jobs.drain()
    job.refresh_from_db()
    assert (job.state, job.result, job.token) == (State.RUNNING, None, "somebody else's")


def test_it_tells_others_when_a_job_ends(kind, django_capture_on_commit_callbacks):
    ended = []

    def hear(sender, job, **kwargs):
        ended.append((job.kind, job.state))
        raise RuntimeError("a receiver that fails harms nobody")

    job_finished.connect(hear)
    try:
        name = kind(lambda ctx: None)
        job = jobs.enqueue(name)
        with django_capture_on_commit_callbacks(execute=True):
            jobs.drain()
    finally:
        job_finished.disconnect(hear)
    job.refresh_from_db()
    assert ended == [(name, "done")]
    assert job.state == State.DONE


def test_it_removes_the_work_folder_of_a_done_job_and_keeps_that_of_a_failed_one(kind, data_dir):
    def work(ctx):
        (ctx.work_folder() / "checkpoint").write_text("x")
        if ctx.params["fails"]:
            raise RuntimeError("no")

    name = kind(work)
    good, bad = (jobs.enqueue(name, params={"fails": fails}) for fails in (False, True))
    jobs.drain()
    assert not (data_dir / "work" / str(good.uuid)).exists()
    assert (data_dir / "work" / str(bad.uuid) / "checkpoint").read_text() == "x"


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_it_runs_a_job_once_however_many_workers_are_woken(kind):
    runs = []
    job = jobs.enqueue(kind(lambda ctx: runs.append(ctx.attempt)))

    def wake():
        try:
            jobs.run(job.pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=wake) for _ in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runs == [1]
