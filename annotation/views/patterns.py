"""Patterns of a project: added after a look at what they match, switched on and off."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from accounts.errors import GyreError
from annotation.errors import AnnotationError
from annotation.forms import PatternForm
from annotation.models import PatternPass, Project
from annotation.permissions import can_engineer
from annotation.selectors import patterns as reads
from annotation.selectors.projects import get_project
from annotation.services import patterns as services


@login_required
@require_http_methods(["GET", "POST"])
def patterns(request: HttpRequest, slug: str) -> HttpResponse:
    """GET with ?pattern= shows what it would do; POST adds it."""
    project = get_project(request.user, slug, can_engineer)
    options = reads.field_options(project)
    asked = request.POST or (request.GET if "pattern" in request.GET else None)
    form = PatternForm(asked, options=options) if options else None
    tested = None
    if form is not None and asked is not None and form.is_valid():
        try:
            if request.method == "POST":
                services.add(project, request.user, **form.described())  # type: ignore[arg-type]
                messages.success(request, _("Added. Open items get its suggestions now."))
                return redirect("annotation:patterns", slug=slug)
            tested = _tested(project, form.described())
        except AnnotationError as error:
            form.add_error("pattern", str(error))
    context = {
        "project": project,
        "form": form,
        "tested": tested,
        "rows": reads.rows(project) if options else [],
        "progress": _progress(project),
    }
    status = 422 if form is not None and form.errors else 200
    return render(request, "annotation/patterns/patterns.html", context, status=status)


def _tested(project: Project, given: dict[str, str]) -> reads.Tested:
    field = reads.field_for(project, given["field"], given["label"])
    return reads.test(project, field, given["label"], reads.compiled(given["kind"], given["pattern"]))


def _progress(project: Project) -> dict[str, Any] | None:
    """How far the items are gone through; None without patterns, or when all are."""
    state = PatternPass.objects.filter(project=project).first()
    rows = reads.last_row(project) + 1
    if state is None or not rows or (state.rows_done >= rows and not state.is_stale):
        return None
    return {"share": 0.0 if state.is_stale else state.rows_done / rows}


@login_required
@require_POST
def switch(request: HttpRequest, slug: str, uuid: UUID) -> HttpResponse:
    project = get_project(request.user, slug, can_engineer)
    pattern = get_object_or_404(project.patterns.select_related("project"), uuid=uuid)
    try:
        services.set_active(pattern, request.user, request.POST.get("active") == "1")  # type: ignore[arg-type]
    except GyreError as error:
        messages.error(request, str(error))
    return redirect("annotation:patterns", slug=slug)


@login_required
@require_POST
def measure(request: HttpRequest, slug: str) -> HttpResponse:
    project = get_project(request.user, slug, can_engineer)
    try:
        services.measure_again(project, request.user)  # type: ignore[arg-type]
    except GyreError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The patterns are measured again, and suggest with what comes of it."))
    return redirect("annotation:patterns", slug=slug)
