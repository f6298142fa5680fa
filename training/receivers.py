"""What this app does when another one tells it something."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from jobs.models import Job
from jobs.signals import job_finished
from training.models import Evaluation
from training.services import reinforcing, runs
from training.signals import evaluation_finished


@receiver(job_finished, dispatch_uid="training.settle_run")
def settle_run(sender: type[Job], job: Job, **kwargs: Any) -> None:
    if job.kind in (runs.KIND, reinforcing.KIND):
        runs.settle(job)


@receiver(evaluation_finished, dispatch_uid="training.decide_reinforced")
def decide_reinforced(sender: type[Evaluation], evaluation: Evaluation, **kwargs: Any) -> None:
    reinforcing.decide(evaluation)
