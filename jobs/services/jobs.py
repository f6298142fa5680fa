"""Jobs as the other apps know them: enqueue, cancel, retry, run, sweep, drain."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import audit
from jobs import registry
from jobs.errors import NotCancellable, NotRetryable, UnknownKind
from jobs.models import Job, State
from jobs.services import dispatch
from jobs.services.running import announce, drain, run, run_next, sweep

__all__ = ["cancel", "drain", "enqueue", "retry", "run", "run_next", "sweep"]


def enqueue(
    kind: str,
    *,
    subject: models.Model | None = None,
    scope: UUID | None = None,
    params: dict[str, Any] | None = None,
    created_by: User | None = None,
    key: str | None = None,
) -> Job:
    """Add a job; a worker is woken once the current transaction is committed.

    With a `key` that a job has already, that job is returned and nothing is added, whatever its state.

    Raises:
        UnknownKind: no app has registered `kind`.
    """
    known = registry.KINDS.get(kind)
    if known is None:
        names = ", ".join(sorted(registry.KINDS))
        raise UnknownKind(
            _("There is no kind of job “%(kind)s”: use one of %(names)s.") % {"kind": kind, "names": names}
        )
    job = Job(
        kind=kind,
        scope=scope,
        params=params or {},
        created_by=created_by,
        key=key,
        resource=known.resource,
        max_attempts=known.max_attempts,
    )
    if subject is not None:
        job.subject_type = ContentType.objects.get_for_model(subject)
        job.subject_id = str(subject.pk)
    if key is not None:
        existing = Job.objects.filter(key=key).first()
        if existing is not None:
            return existing
    try:
        with transaction.atomic():
            job.save(force_insert=True)
    except IntegrityError:
        existing = Job.objects.filter(key=key).first() if key is not None else None
        if existing is None:
            raise
        return existing  # another process was first
    dispatch.send(job.pk)
    return job


@transaction.atomic
def cancel(job: Job, by: User | None) -> None:
    """Stop a job. A waiting one ends now; a running one is told, and its programs are gone within seconds.

    Raises:
        NotCancellable: it has ended already.
    """
    now = timezone.now()
    waiting = Job.objects.filter(pk=job.pk, state=State.QUEUED)
    if waiting.update(state=State.CANCELLED, cancel_requested_at=now, finished_at=now):
        announce(job.pk)
    elif not Job.objects.filter(pk=job.pk, state=State.RUNNING).update(cancel_requested_at=now):
        job.refresh_from_db()
        raise NotCancellable(
            _("This job has ended already (%(state)s): there is nothing to cancel.")
            % {"state": job.get_state_display()}
        )
    audit.record("job.cancelled", actor=by, scope=job.scope, target=job, kind=job.kind)
    job.refresh_from_db()


@transaction.atomic
def retry(job: Job, by: User | None) -> None:
    """Run a failed or cancelled job again, with its parameters and, where its program keeps some, its
    checkpoints.

    Raises:
        NotRetryable: it is waiting, running or done.
    """
    ended = Job.objects.filter(pk=job.pk, state__in=[State.FAILED, State.CANCELLED])
    now = timezone.now()
    if not ended.update(
        state=State.QUEUED,
        attempts=0,
        available_at=now,
        sent_at=None,
        finished_at=None,
        cancel_requested_at=None,
        progress=0.0,
        progress_text="",
        error="",
        error_code="",
    ):
        job.refresh_from_db()
        raise NotRetryable(
            _("This job is %(state)s: only a failed or cancelled one can be tried again.")
            % {"state": job.get_state_display()}
        )
    audit.record("job.retried", actor=by, scope=job.scope, target=job, kind=job.kind)
    dispatch.send(job.pk)
    job.refresh_from_db()
