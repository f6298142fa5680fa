"""Waking workers. A message carries a job's number only; losing one costs seconds, never a job."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from celery import current_app
from django.db import transaction
from django.utils import timezone

from jobs.models import Job, State

logger = logging.getLogger(__name__)
_held: ContextVar[bool] = ContextVar("jobs_dispatch_held", default=False)


def send(job_id: int) -> None:
    """Wake a worker for this job once the current transaction is committed."""
    if not _held.get():
        transaction.on_commit(lambda: _wake(job_id))


@contextmanager
def held() -> Iterator[None]:
    """Inside, nobody is woken: the caller runs the jobs itself with `jobs.drain()` (tests, simulate,
    commands).
    """
    token = _held.set(True)
    try:
        yield
    finally:
        _held.reset(token)


def _wake(job_id: int) -> None:
    resource = Job.objects.filter(pk=job_id, state=State.QUEUED).values_list("resource", flat=True).first()
    if resource is None:
        return
    try:
        current_app.send_task("jobs.run_job", args=[job_id], queue=resource, ignore_result=True)
    except Exception as error:  # every broker has errors of its own; the sweeper sends again
        logger.warning("job %s is queued, but the broker did not take the message (%s)", job_id, error)
        return
    Job.objects.filter(pk=job_id, state=State.QUEUED).update(sent_at=timezone.now())
