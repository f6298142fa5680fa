"""What this app does when another one tells it something."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from annotation.models import Import
from annotation.signals import import_finished
from jobs.models import Job
from jobs.signals import job_finished
from selection.models import ColumnBuild, Round, RoundStation
from selection.services import builds, rounds


@receiver(job_finished, dispatch_uid="selection.advance_round")
def advance_round(sender: type[Job], job: Job, **kwargs: Any) -> None:
    if job.kind in builds.PART_KINDS:
        build = job.subject
        if build is not None and builds.advance(build).state != ColumnBuild.State.RUNNING:
            rounds.advance_origin(build.origin)
        return
    for station in RoundStation.objects.filter(job=job, round__state=Round.State.RUNNING).select_related(
        "round"
    ):
        rounds.advance(station.round)


@receiver(import_finished, dispatch_uid="selection.start_first_round")
def start_first_round(sender: type[Import], import_run: Import, **kwargs: Any) -> None:
    rounds.start_first(import_run.project)
