"""The page of one training run, live while it goes; two runs side by side."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from annotation.models import Project
from annotation.selectors.projects import get_project
from jobs.models import State
from training import charts
from training.models import TrainingRun
from training.permissions import may_train
from training.selectors import base_models, curves, resources, runs, teaching


@login_required
@require_GET
def detail(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    project = get_project(request.user, slug, may_train)
    run = runs.get_run(project, number)
    spent = resources.spent(run)
    context = _context(project, run) | {
        "spent": spent,
        "taught": teaching.taught(run),
        "resource_charts": [
            charts.time_spent(spent),
            *([charts.time_profiled(spent.profiled)] if spent.profiled else []),
            charts.memory_spent(spent),
        ]
        if spent
        else [],
        "curves": curves.folder_of_run(run),
        "others": runs.for_project(project).exclude(pk=run.pk)[:50],
    }
    return render(request, "training/runs/detail.html", context)


@login_required
@require_GET
def trace(request: HttpRequest, slug: str, number: int) -> FileResponse:
    """The profiler's trace of a run, for a viewer of traces."""
    project = get_project(request.user, slug, may_train)
    path = resources.trace(runs.get_run(project, number))
    return FileResponse(
        path.open("rb"),
        as_attachment=True,
        filename=f"run-{number}-trace.json.gz",
        content_type="application/gzip",
    )


@login_required
@require_GET
def compare(request: HttpRequest, slug: str) -> HttpResponse:
    """Two runs: how their settings differ, and what came of it."""
    project = get_project(request.user, slug, may_train)
    numbers = [request.GET.get(name, "") for name in ("one", "other")]
    if not all(number.isdecimal() and len(number) < 10 for number in numbers):
        raise Http404(_("Give two runs: ?one=1&other=2."))
    one, other = (runs.get_run(project, int(number)) for number in numbers)
    rows = resources.compare(one, other)
    named = [(_("run %(number)s") % {"number": run.number}, run.job) for run in (one, other)]
    context = {
        "project": project,
        "one": one,
        "other": other,
        "different": [row for row in rows if row.differs],
        "same": [row for row in rows if not row.differs],
        "outcomes": resources.outcomes(one, other),
        "chart": charts.losses(*named),
    }
    return render(request, "training/runs/compare.html", context)


@login_required
@require_GET
def live(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """The part that moves; polled while the run goes."""
    project = get_project(request.user, slug, may_train)
    return render(request, "training/runs/_live.html", _context(project, runs.get_run(project, number)))


def _context(project: Project, run: TrainingRun) -> dict[str, Any]:
    job, reinforces = run.job, run.learner == TrainingRun.Learner.REINFORCE
    made = base_models.made_by(run) if reinforces else None
    return {
        "project": project,
        "run": run,
        "job": job,
        "settings": [
            (resources.name_of(run, name), value) for name, value in resources.settings_of(run).items()
        ],
        "live_charts": [chart for chart in (charts.reward(job), charts.loss(job)) if chart] if job else [],
        "figures": runs.newest(job) if job else {},
        "log": runs.log(job) if job else [],
        "recovered": runs.recovered(run),
        "model": getattr(run, "model_version", None),
        "reinforced": made.name if made else "",
        # A run that is done has its model; what follows of its job may fail.
        "error": run.error or (job.error if reinforces and job and job.state == State.FAILED else ""),
        # Of a round's run the round decides what comes next.
        "can_retry": reinforces and job is not None and job.state in (State.FAILED, State.CANCELLED),
        "is_open": run.state in (TrainingRun.State.QUEUED, TrainingRun.State.RUNNING)
        or (reinforces and job is not None and not job.has_ended),
    }
