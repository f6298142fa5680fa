"""The page of one training run, live while it goes."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotation.models import Project
from annotation.selectors.projects import get_project
from training import charts
from training.models import TrainingRun
from training.permissions import may_train
from training.selectors import runs


@login_required
@require_GET
def detail(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    project = get_project(request.user, slug, may_train)
    return render(request, "training/runs/detail.html", _context(project, runs.get_run(project, number)))


@login_required
@require_GET
def live(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """The part that moves; polled while the run goes."""
    project = get_project(request.user, slug, may_train)
    return render(request, "training/runs/_live.html", _context(project, runs.get_run(project, number)))


def _context(project: Project, run: TrainingRun) -> dict[str, Any]:
    job = run.job
    settings = {
        name: value for name, value in run.spec.items() if name not in ("labels", "settings", "spec_version")
    }
    return {
        "project": project,
        "run": run,
        "job": job,
        "settings": settings,
        "chart": charts.loss(job) if job else None,
        "figures": runs.newest(job) if job else {},
        "log": runs.log(job) if job else [],
        "model": getattr(run, "model_version", None),
        "is_open": run.state in (TrainingRun.State.QUEUED, TrainingRun.State.RUNNING),
    }
