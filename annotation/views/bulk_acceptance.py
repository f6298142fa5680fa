"""Accepting sure suggestions in bulk: what is known, what it will do, what came of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.charts import Chart, Line, Point, line_chart
from accounts.charts.svg import as_percent
from accounts.errors import GyreError
from annotation.models import BulkAcceptance, Labeller, Project
from annotation.permissions import can_admin, can_review
from annotation.quality.acceptance import MINIMUM, Calibration
from annotation.selectors import bulk_acceptance as reads
from annotation.selectors.projects import get_project
from annotation.services import bulk_acceptance


@login_required
@require_http_methods(["GET", "POST"])
def accept(request: HttpRequest, slug: str) -> HttpResponse:
    project = get_project(request.user, slug, can_review)
    found = reads.labellers(project)
    labeller = _chosen(request, found)
    if request.method == "POST":
        return _accept(request, project, labeller)
    context: dict[str, Any] = {
        "project": project,
        "labellers": found,
        "labeller": labeller,
        "is_hybrid": project.mode == Project.Mode.HYBRID,
        "may_admin": can_admin(request.user, project),
        "history": project.bulk_acceptances.select_related("labeller", "created_by", "project")[:20],
    }
    if labeller is not None and context["is_hybrid"]:
        outlook = reads.outlook(project, labeller, _number(request.GET.get("threshold")))
        context |= {"outlook": outlook, "chart": _chart(outlook.calibration, outlook.threshold)}
        context["checks"] = round(outlook.above * project.bulk_check_share) or 1
    return render(request, "annotation/accept/accept.html", context)


def _chosen(request: HttpRequest, found: list[Labeller]) -> Labeller | None:
    """The labeller that the request names, else the newest."""
    named = request.POST.get("labeller") or request.GET.get("labeller")
    return next((one for one in found if str(one.uuid) == named), found[0] if found else None)


def _accept(request: HttpRequest, project: Project, labeller: Labeller | None) -> HttpResponse:
    threshold = _number(request.POST.get("threshold"))
    if labeller is None or threshold is None:
        messages.error(request, _("The form did not arrive whole: look at the page again, then accept."))
        return redirect("annotation:accept", slug=project.slug)
    try:
        acceptance = bulk_acceptance.accept(project, request.user, labeller, threshold)  # type: ignore[arg-type]
    except GyreError as error:
        messages.error(request, str(error))
        return redirect(f"{reverse('annotation:accept', args=[project.slug])}?labeller={labeller.uuid}")
    return redirect(acceptance)


def _number(given: str | None) -> float | None:
    try:
        number = float(given or "")
    except ValueError:
        return None
    return number if 0 <= number <= 1 else None


def _chart(calibration: Calibration, threshold: float | None) -> Chart | None:
    """Accuracy above each confidence that enough items reach; None while nothing is resolved."""
    if not calibration.curve:
        return None
    points = [
        Point(step.threshold, step.accuracy.value, step.accuracy.low, step.accuracy.high, step.accuracy.n)
        for step in calibration.curve
        if step.accuracy.n >= min(MINIMUM, calibration.n)
    ]
    lowest = min([0.5, *(point.low for point in points if point.low is not None)])
    return line_chart(
        [Line(_("accuracy above"), points)],
        title=_("How right suggestions are above a confidence"),
        note=_("resolved by people who did not see them, or checked; intervals of 95 %"),
        x_label=_("confidence of at least"),
        y_label=_("share that was right"),
        x_format=lambda value: f"{value:.2f}",
        y_format=as_percent,
        x_range=(min((point.x for point in points), default=0.5), 1.0),
        y_range=(lowest, 1.0),
        marks=[(threshold, _("threshold"))] if threshold is not None else [],
        target=(calibration.target, _("target %(target)s") % {"target": as_percent(calibration.target)}),
    )


@login_required
@require_GET
def accepted(request: HttpRequest, slug: str, uuid: UUID) -> HttpResponse:
    project, acceptance = _acceptance(request, slug, uuid)
    return render(request, "annotation/accept/accepted.html", _state(request, project, acceptance))


@login_required
@require_GET
def accepted_state(request: HttpRequest, slug: str, uuid: UUID) -> HttpResponse:
    """The part of the page that renews itself while the job runs."""
    project, acceptance = _acceptance(request, slug, uuid)
    return render(request, "annotation/accept/_state.html", _state(request, project, acceptance))


@login_required
@require_POST
def accepted_undo(request: HttpRequest, slug: str, uuid: UUID) -> HttpResponse:
    _project, acceptance = _acceptance(request, slug, uuid)
    try:
        bulk_acceptance.undo(acceptance, request.user)  # type: ignore[arg-type]
    except GyreError as error:
        messages.error(request, str(error))
    return redirect(acceptance)


def _acceptance(request: HttpRequest, slug: str, uuid: UUID) -> tuple[Project, BulkAcceptance]:
    project = get_project(request.user, slug, can_review)
    found = project.bulk_acceptances.select_related("labeller", "created_by", "undone_by", "project")
    return project, get_object_or_404(found, uuid=uuid)


def _state(request: HttpRequest, project: Project, acceptance: BulkAcceptance) -> dict[str, Any]:
    return {
        "project": project,
        "acceptance": acceptance,
        "outcome": reads.outcome(acceptance),
        "job": reads.job(acceptance),
        "polled": request.headers.get("X-Requested-With") == "poll",
    }
