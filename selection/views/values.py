"""What labels are worth: which to look at again, which source to buy more of, what taught a prediction."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.errors import GyreError
from annotation.models import Project
from annotation.selectors.projects import get_project
from selection import charts
from selection.permissions import may_run_rounds
from selection.selectors import values as reads
from selection.services import values

LONGEST_ROW = 18  # digits


@login_required
@require_GET
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """The newest valuation; `page` of the cleaning order, `row` of an item whose prediction is taken
    apart.
    """
    project = get_project(request.user, slug, may_run_rounds)
    context: dict[str, Any] = {**_status(project), "project": project, "valuation": None}
    job = reads.newest(project)
    if job is not None:
        context |= _valuation(request, project, job)
    return render(request, "selection/values/index.html", context)


def _valuation(request: HttpRequest, project: Project, job: Any) -> dict[str, Any]:
    try:
        summary = reads.read_summary(reads.folder(job))
        page = reads.suspects(project, job, _number(request.GET.get("page")) or 1)
    except GyreError as error:  # its files are gone
        messages.error(request, str(error))
        return {}
    row = _number(request.GET.get("row"))
    found = reads.attribution(project, job, row) if row is not None else None
    return {
        "valuation": summary,
        "made_at": job.finished_at,
        "suspects": page,
        "chart": charts.value_by_source(summary["sources"]),
        "row": row,
        "attribution": found,
    }


def _number(given: str | None) -> int | None:
    return int(given) if given and given.isdecimal() and len(given) <= LONGEST_ROW else None


@login_required
@require_POST
def launch(request: HttpRequest, slug: str) -> HttpResponse:
    project = get_project(request.user, slug, may_run_rounds)
    try:
        values.launch(project, by=request.user)  # type: ignore[arg-type]
    except GyreError as error:
        messages.error(request, str(error))
    return redirect("selection:values", slug=slug)


@login_required
@require_GET
def status(request: HttpRequest, slug: str) -> HttpResponse:
    """How far the valuation is; polled by the page while it runs."""
    project = get_project(request.user, slug, may_run_rounds)
    context = {**_status(project), "project": project, "polled": True}
    return render(request, "selection/values/_status.html", context)


def _status(project: Project) -> dict[str, Any]:
    return {"running": reads.running(project), "failed": reads.failed(project)}
