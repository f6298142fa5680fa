from __future__ import annotations

import pytest

from jobs.models import Job
from jobs.services import dispatch, jobs

pytestmark = pytest.mark.django_db


@pytest.fixture
def messages(monkeypatch):
    found = []

    def send(name, args, queue, **options):
        found.append((name, args, queue))

    monkeypatch.setattr(dispatch.current_app, "send_task", send)
    return found


def test_it_wakes_a_worker_of_the_right_kind_after_commit(kind, messages, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        job = jobs.enqueue(kind(lambda ctx: None, resource="io"))
        assert messages == []
    assert messages == [("jobs.run_job", [job.pk], "io")]
    job.refresh_from_db()
    assert job.sent_at is not None


def test_it_sends_nothing_while_held(kind, messages, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True), dispatch.held():
        jobs.enqueue(kind(lambda ctx: None))
    assert messages == []


def test_a_broker_that_is_away_costs_nothing_but_time(kind, monkeypatch, django_capture_on_commit_callbacks):
    def fail(*args, **options):
        raise ConnectionRefusedError("no broker")

    monkeypatch.setattr(dispatch.current_app, "send_task", fail)
    with django_capture_on_commit_callbacks(execute=True):
        job = jobs.enqueue(kind(lambda ctx: None))
    assert Job.objects.get(pk=job.pk).sent_at is None  # so the sweeper sends it
