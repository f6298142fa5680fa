"""Reading training runs."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from annotation.models import Project
from jobs.models import Job, JobLog, JobMetric
from training.models import TrainingRun

LOG_LINES = 300

# What `recovered` in a model's figures can hold (training/distributed/recovery.py, KINDS).
EVENTS = {
    "lost": _lazy("a process was lost"),
    "connection": _lazy("the processes lost each other"),
    "network": _lazy("the processes lost each other again and again"),
    "memory": _lazy("memory ran out"),
    "anomaly": _lazy("a step was not taken"),
    "diverged": _lazy("a process held other weights"),
    "node": _lazy("a machine was left out"),
    "checkpoint": _lazy("a checkpoint could not be written"),
    "resumed": _lazy("steps came out otherwise when done again"),
}


def for_project(project: Project) -> QuerySet[TrainingRun]:
    return TrainingRun.objects.filter(project=project).select_related(
        "dataset", "job", "model_version", "created_by"
    )


def get_run(project: Project, number: int) -> TrainingRun:
    """Raises Http404 where the project has no such run."""
    found = for_project(project).filter(number=number).first()
    if found is None:
        raise Http404(_("This project has no training run %(number)s.") % {"number": number})
    return found


def recovered(run: TrainingRun) -> list[dict[str, Any]]:
    """What a finished run went through, oldest first: label of the kind, step, text."""
    model = getattr(run, "model_version", None)
    events = (model.figures or {}).get("recovered", []) if model else []
    return [{**event, "label": EVENTS.get(event["kind"], event["kind"])} for event in events]


def metrics(job: Job, name: str, *, limit: int = 400) -> list[tuple[int, float]]:
    """(step, value) of one figure of a job, oldest first; of a long run an even selection of at most `limit`
    points.
    """
    stored = JobMetric.objects.filter(job=job).order_by("step").values_list("step", "values")
    points = [(step, float(values[name])) for step, values in stored if values.get(name) is not None]
    stride = max(1, -(-len(points) // limit))
    return (
        points[::stride] if not points or points[-1] in points[::stride] else [*points[::stride], points[-1]]
    )


def newest(job: Job) -> dict[str, float]:
    """The last figures a job has reported, such as samples per second."""
    last = JobMetric.objects.filter(job=job).order_by("-step").values_list("values", flat=True).first()
    return dict(last or {})


def log(job: Job) -> list[JobLog]:
    """The newest log lines, oldest of them first."""
    return list(reversed(JobLog.objects.filter(job=job).order_by("-pk")[:LOG_LINES]))
