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
from annotation.services import item_actions
from selection import charts, value_words
from selection.permissions import may_run_rounds
from selection.selectors import values as reads
from selection.services import boundary, values

LONGEST_ROW = 18  # digits


@login_required
@require_GET
def index(request: HttpRequest, slug: str) -> HttpResponse:
    """The newest valuation; `page` of the cleaning order, `row` of an item whose prediction is taken
    apart, `edge` of one that is pushed over the boundary by `attack`.
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
        known = reads.methods(job)
        by = request.GET.get("by", "")
        by = by if by in known else ""
        page = reads.suspects(project, job, _number(request.GET.get("page")) or 1, by=by)
    except GyreError as error:  # its files are gone
        messages.error(request, str(error))
        return {}
    row, edge = _number(request.GET.get("row")), _number(request.GET.get("edge"))
    attack = request.GET.get("attack", boundary.FLIP)
    attack = attack if attack in boundary.ATTACKS else boundary.FLIP
    found = reads.attribution(project, job, row) if row is not None else None
    return {
        "valuation": summary,
        "made_at": job.finished_at,
        "suspects": page,
        "by": by,
        "methods": [(name, *value_words.METHODS[name]) for name in known],
        "meaning": value_words.METHODS[by][1],
        "chart": charts.value_by_source(summary["sources"]),
        "row": row,
        "attribution": found,
        "edge": edge,
        "attack": attack,
        "attacks": value_words.ATTACKS,
        "hard_rows": boundary.hard_rows(job),
        "is_of_other_vectors": not boundary.is_current(project, job),
        "boundary": boundary.near(project, job, edge, attack) if edge is not None else None,
        "may_queue": item_actions.ACTIONS["queue_first"].need(request.user, project),
    }


def _number(given: str | None) -> int | None:
    return int(given) if given and given.isdecimal() and len(given) <= LONGEST_ROW else None


@login_required
@require_POST
def launch(request: HttpRequest, slug: str) -> HttpResponse:
    project = get_project(request.user, slug, may_run_rounds)
    try:
        retrain = "retrain" in request.POST
        values.launch(project, retrain=retrain, by=request.user)  # type: ignore[arg-type]
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
