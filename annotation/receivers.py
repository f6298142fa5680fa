"""What this app does when something happened elsewhere. Each receiver is idempotent."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from annotation.models import Batch, Import, PatternPass
from annotation.selectors import bulk_acceptance as bulk_reads
from annotation.selectors.imports import KIND as IMPORT_ITEMS
from annotation.services import bulk_acceptance, import_runs, patterns, telling
from annotation.signals import batch_published, import_finished
from jobs.models import Job, State
from jobs.signals import job_finished


@receiver(job_finished, dispatch_uid="annotation.import_job_ended")
def import_job_ended(sender: type[Job], job: Job, **kwargs: Any) -> None:
    if job.kind == IMPORT_ITEMS and job.state in (State.FAILED, State.CANCELLED) and job.subject is not None:
        import_runs.on_job_ended(job.subject, job.state, job.error)


@receiver(job_finished, dispatch_uid="annotation.bulk_job_ended")
def bulk_job_ended(sender: type[Job], job: Job, **kwargs: Any) -> None:
    if job.kind in (bulk_reads.ACCEPT, bulk_reads.UNDO) and job.subject is not None:
        bulk_acceptance.settle(job.subject, job)


@receiver(import_finished, dispatch_uid="annotation.patterns_on_new_items")
def patterns_on_new_items(sender: type[Import], import_run: Import, **kwargs: Any) -> None:
    if PatternPass.objects.filter(project=import_run.project_id).exists():
        patterns.request(import_run.project)


@receiver(batch_published, dispatch_uid="annotation.work_available")
def work_available(sender: type[Batch], batch: Batch, **kwargs: Any) -> None:
    telling.work_available(batch.project)
