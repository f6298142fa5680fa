"""What this app does when another one tells it something."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from jobs.models import Job
from jobs.signals import job_finished
from training.services import runs


@receiver(job_finished, dispatch_uid="training.settle_run")
def settle_run(sender: type[Job], job: Job, **kwargs: Any) -> None:
    if job.kind == runs.KIND:
        runs.settle(job)
