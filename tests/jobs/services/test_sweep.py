from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.models import Job, State
from jobs.services import dispatch, jobs

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(monkeypatch):
    """Numbers of the jobs for which a worker was woken."""
    numbers = []
    monkeypatch.setattr(dispatch, "send", numbers.append)
    return numbers


def running(**fields):
    silent = fields.pop("silent", 60)
    heartbeat = timezone.now() - timedelta(seconds=silent)
    return Job.objects.create(
        **{"kind": "jobs.check_worker", "state": State.RUNNING, "token": "t", "attempts": 1, **fields},
        heartbeat_at=heartbeat,
    )


def test_it_queues_a_job_again_whose_worker_is_silent(sent):
    job = running()
    assert jobs.sweep() >= 1
    job.refresh_from_db()
    assert (job.state, job.token, job.attempts) == (State.QUEUED, "", 1)
    assert job.pk in sent


def test_it_leaves_a_job_alone_whose_worker_has_just_beaten(sent):
    job = running(silent=1)
    assert jobs.sweep() == 0
    job.refresh_from_db()
    assert (job.state, job.token) == (State.RUNNING, "t")


def test_it_fails_a_job_that_has_lost_its_worker_too_often(sent):
    job = running(attempts=3, max_attempts=3)
    jobs.sweep()
    job.refresh_from_db()
    assert (job.state, job.error_code) == (State.FAILED, "worker_lost")
    assert job.error == "The worker was lost 3 times while it ran this: look at the log, then try again."


def test_it_ends_a_cancelled_job_whose_worker_is_gone(sent):
    job = running(cancel_requested_at=timezone.now())
    jobs.sweep()
    job.refresh_from_db()
    assert job.state == State.CANCELLED


def test_it_wakes_a_worker_for_a_job_whose_message_was_never_sent(sent):
    job = Job.objects.create(kind="jobs.check_worker")
    jobs.sweep()
    assert sent == [job.pk]


@pytest.mark.parametrize(
    ("sent_ago", "busy", "woken"),
    [
        (5, False, False),  # just sent
        (20, False, True),  # nobody works and it still waits: the message is lost
        (20, True, False),  # somebody works and will look by himself
        (700, True, True),  # old and long not sent
    ],
)
def test_it_sends_again_seldom_while_somebody_works(sent, sent_ago, busy, woken):
    now = timezone.now()
    job = Job.objects.create(kind="jobs.check_worker", sent_at=now - timedelta(seconds=sent_ago))
    Job.objects.filter(pk=job.pk).update(created_at=now - timedelta(seconds=1000))
    if busy:
        running(silent=0)
    jobs.sweep()
    assert (job.pk in sent) == woken


def test_it_does_not_wake_anybody_for_a_job_that_has_to_wait(sent):
    Job.objects.create(kind="jobs.check_worker", available_at=timezone.now() + timedelta(minutes=1))
    assert jobs.sweep() == 0
