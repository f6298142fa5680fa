"""Running jobs: claim, call, book; and sweeping up after workers that died.

Claims, bookings and sweeps are conditional updates: they name the state (and the token) they expect and look
at the number of rows changed. Zero means that somebody else was first.
"""

from __future__ import annotations

import json
import logging
import secrets
import shutil
import time
import traceback
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import OperationalError, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.errors import GyreError
from jobs import registry
from jobs.errors import Cancelled, Lost, ProgramFailed, Transient
from jobs.models import Job, Resource, State
from jobs.services import dispatch
from jobs.services.context import JobContext
from jobs.services.pulse import Pulse
from jobs.signals import job_finished

logger = logging.getLogger(__name__)

_RESEND_SECONDS = 15.0


def run(job_id: int) -> bool:
    """Claim the job, run it, book what came of it. False if it cannot be claimed: taken, or ended."""
    job = _claim(Q(pk=job_id, available_at__lte=timezone.now()))
    if job is None:
        return False
    _attempt(job)
    return True


def run_next(resources: list[str]) -> bool:
    """Run the oldest job that waits for one of these resources; False if none does."""
    waiting = Job.objects.filter(
        state=State.QUEUED, resource__in=resources, available_at__lte=timezone.now()
    ).order_by("available_at", "pk")
    return any(run(job_id) for job_id in waiting.values_list("pk", flat=True)[:10])


def drain(limit_s: float | None = None) -> int:
    """Run queued jobs in this process, oldest first, until none is left; return how many attempts were made.

    Waiting times between attempts are skipped. `limit_s` bounds the start of further jobs, not the one that
    runs.
    """
    started, count = time.monotonic(), 0
    while limit_s is None or time.monotonic() - started < limit_s:
        job_id = Job.objects.filter(state=State.QUEUED).order_by("pk").values_list("pk", flat=True).first()
        if job_id is None:
            break
        job = _claim(Q(pk=job_id))
        if job is not None:
            _attempt(job)
            count += 1
    return count


def _claim(which: Q) -> Job | None:
    token, now = secrets.token_hex(16), timezone.now()
    claimed = Job.objects.filter(which, state=State.QUEUED).update(
        state=State.RUNNING,
        token=token,
        attempts=F("attempts") + 1,
        heartbeat_at=now,
        started_at=now,
        finished_at=None,
        progress=0.0,
        progress_text="",
        eta_seconds=None,
        error="",
        error_code="",
    )
    return Job.objects.get(token=token, state=State.RUNNING) if claimed else None


def _attempt(job: Job) -> None:
    """Run one attempt and book its outcome. Only Ctrl-C and the like leave this function as an error."""
    outcome: dict[str, Any]
    with Pulse(job.pk, job.token) as pulse:
        try:
            outcome = _call(JobContext(job, pulse))
        except Cancelled:
            outcome = {"state": State.CANCELLED, "error": ""}
        except Lost:
            outcome = _given_back()
        except Exception as error:  # the outermost loop of a job: recorded, booked
            outcome = _failed(job, error, pulse)
        except BaseException:
            _book(job, _given_back())
            raise
    _book(job, outcome)


def _call(ctx: JobContext) -> dict[str, Any]:
    kind = registry.KINDS.get(ctx.job.kind)
    if kind is None:
        raise GyreError(
            _(
                "This worker knows no job “%(kind)s”: restart it with the version of the code "
                "that made the job."
            )
            % {"kind": ctx.job.kind},
            code="unknown_job_kind",
        )
    if ctx.attempt > 1:
        ctx.log(f"attempt {ctx.attempt} of {ctx.job.max_attempts}")
    result = kind.function(ctx)
    json.dumps(result)  # what cannot be stored fails here, with the job's own name on it
    return {"state": State.DONE, "result": result, "progress": 1.0, "eta_seconds": None}


def _given_back() -> dict[str, Any]:
    """Fields that put a sound job back in the queue as if this attempt had not been: the worker stops."""
    return {
        "state": State.QUEUED,
        "attempts": F("attempts") - 1,
        "available_at": timezone.now(),
        "sent_at": None,
    }


def _failed(job: Job, error: Exception, pulse: Pulse) -> dict[str, Any]:
    """Fields of a job whose attempt raised `error`: tried again if that may help, else failed."""
    if isinstance(error, GyreError):
        code, message = error.code, str(error)
    else:
        code, message = "unexpected", f"{type(error).__name__}: {error}"
        pulse.log(traceback.format_exc())
        logger.exception("job %s (%s) failed", job.pk, job.kind)
    may_help = isinstance(error, Transient | OperationalError) or (
        isinstance(error, ProgramFailed) and not error.permanent
    )
    fields: dict[str, Any] = {"error_code": code, "error": message, "eta_seconds": None}
    if may_help and job.attempts < job.max_attempts:
        pulse.log(f"attempt {job.attempts} failed: {message}")
        wait = timedelta(seconds=min(60.0, 2.0**job.attempts))
        return {**fields, "state": State.QUEUED, "available_at": timezone.now() + wait, "sent_at": None}
    return {**fields, "state": State.FAILED}


def _book(job: Job, fields: dict[str, Any]) -> None:
    """Write an attempt's outcome if the attempt still owns the job; tell the others when it has ended."""
    ended = fields["state"] != State.QUEUED
    with transaction.atomic():
        mine = Job.objects.filter(pk=job.pk, token=job.token, state=State.RUNNING)
        if not mine.update(token="", finished_at=timezone.now() if ended else None, **fields):
            logger.warning("job %s: attempt %s had lost it, its outcome is dropped", job.pk, job.attempts)
            return
        if ended:
            announce(job.pk)
    if fields["state"] in (State.DONE, State.CANCELLED):
        shutil.rmtree(Path(settings.DATA_DIR) / "work" / str(job.uuid), ignore_errors=True)


def announce(job_id: int) -> None:
    """Send `job_finished` after commit. A receiver that fails is logged; the tick does its work later."""

    def send() -> None:
        job = Job.objects.get(pk=job_id)
        for receiver, answer in job_finished.send_robust(sender=Job, job=job):
            if isinstance(answer, Exception):
                logger.error(
                    "receiver %r of job_finished failed on job %s", receiver, job_id, exc_info=answer
                )

    transaction.on_commit(send)


def sweep() -> int:
    """Queue again what dead workers left, and wake workers whose message was lost. Returns the number of jobs
    touched.

    Called every few seconds by the scheduler; running it twice at once does no harm.
    """
    stale_before = timezone.now() - timedelta(seconds=settings.JOBS_STALE_SECONDS)
    stale = Job.objects.filter(state=State.RUNNING, heartbeat_at__lt=stale_before)
    touched = sum(_reclaim(job) for job in stale)
    for job_id in _unheard(timezone.now()):
        dispatch.send(job_id)
        touched += 1
    return touched


def _reclaim(job: Job) -> int:
    now = timezone.now()
    fields: dict[str, Any] = {"token": ""}
    if job.cancel_requested_at is not None:
        fields |= {"state": State.CANCELLED, "finished_at": now}
    elif job.attempts >= job.max_attempts:
        message = _("The worker was lost %(count)s times while it ran this: look at the log, then try again.")
        fields |= {"state": State.FAILED, "finished_at": now, "error_code": "worker_lost"}
        fields |= {"error": message % {"count": job.attempts}}
    else:
        fields |= {"state": State.QUEUED, "available_at": now, "sent_at": None}
    with transaction.atomic():
        # The heartbeat is named too: a worker that was only slow, and has just beaten again, keeps its job.
        same = Job.objects.filter(
            pk=job.pk, token=job.token, state=State.RUNNING, heartbeat_at=job.heartbeat_at
        )
        if not same.update(**fields):
            return 0
        logger.warning("job %s: its worker was lost, now %s", job.pk, fields["state"])
        if fields["state"] == State.QUEUED:
            dispatch.send(job.pk)
        else:
            announce(job.pk)
    return 1


def _unheard(now: Any) -> list[int]:
    """Waiting jobs whose wake-up seems lost.

    A worker that ends one job looks for the next by itself, so a message matters only where nobody works.
    While somebody does, a job's messages come at doubling distances, or a long training would fill the broker
    with them.
    """
    waiting = Job.objects.filter(state=State.QUEUED, available_at__lte=now)
    busy = set(Job.objects.filter(state=State.RUNNING).values_list("resource", flat=True))
    heavy = {Resource.CPU, Resource.GPU}  # one worker serves both
    chosen = []
    for job_id, resource, sent_at, created_at in waiting.values_list(
        "pk", "resource", "sent_at", "created_at"
    )[:1000]:
        if sent_at is not None:
            is_busy = resource in busy or (resource in heavy and bool(heavy & busy))
            age = (sent_at - created_at).total_seconds() if is_busy else 0.0
            if (now - sent_at).total_seconds() < max(_RESEND_SECONDS, age):
                continue
        chosen.append(job_id)
    return chosen
