"""The one page of a project's settings, and its labels."""

from __future__ import annotations

import copy
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from annotation import permissions
from annotation.errors import AnnotationError
from annotation.forms import LabelsForm, SettingsForm
from annotation.models import SchemaVersion
from annotation.selectors import schemas as schema_reads
from annotation.selectors.projects import get_project, has_items
from annotation.services import projects, schemas
from annotation.views.form_errors import add_errors


@login_required
@require_http_methods(["GET", "POST"])
def settings(request: HttpRequest, slug: str) -> HttpResponse:
    project = get_project(request.user, slug, permissions.can_admin)
    # A copy: the form writes what was typed into its instance, and the page must show the project as it is.
    form = SettingsForm(request.POST or None, instance=copy.copy(project))
    fixed = has_items(project)
    for name in projects.FROZEN_WITH_ITEMS:
        form.fields[name].disabled = fixed
    if request.method == "POST" and form.is_valid():
        try:
            projects.update_settings(project, by=request.user, **form.cleaned_data)  # type: ignore[arg-type]
        except AnnotationError as error:
            add_errors(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("annotation:settings", slug=slug)
    schema = schema_reads.current(project)
    context = {"project": project, "form": form, "schema": schema, "labels": _labels(schema)}
    return render(request, "annotation/settings/settings.html", context, status=422 if form.errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
def labels(request: HttpRequest, slug: str) -> HttpResponse:
    """Add, rename and explain labels: publishes a new version of the schema."""
    project = get_project(request.user, slug, permissions.can_admin)
    schema = schema_reads.current(project)
    form = LabelsForm(request.POST or None, labels=_labels(schema))
    if request.method == "POST" and form.is_valid():
        try:
            version = schemas.publish_labels(project, form.result(), by=request.user)  # type: ignore[arg-type]
        except AnnotationError as error:
            form.add_error(None, str(error))
        else:
            messages.success(
                request, _("The labels are saved as version %(number)s.") % {"number": version.number}
            )
            return redirect("annotation:settings", slug=slug)
    context = {"project": project, "form": form, "schema": schema}
    return render(request, "annotation/settings/labels.html", context, status=422 if form.errors else 200)


def _labels(schema: SchemaVersion | None) -> list[dict[str, Any]]:
    return list(schema_reads.label_field(schema).get("labels", ())) if schema else []
