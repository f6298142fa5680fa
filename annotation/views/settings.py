"""The one page of a project's settings."""

from __future__ import annotations

import copy

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from annotation import permissions
from annotation.errors import AnnotationError
from annotation.forms import SettingsForm
from annotation.schema_editor import pages
from annotation.selectors import outdated
from annotation.selectors import schemas as schema_reads
from annotation.selectors.projects import get_project, has_items
from annotation.services import projects
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
    fields = pages.summaries(schema.definition) if schema else []
    context = {
        "project": project,
        "form": form,
        "schema": schema,
        "fields": fields,
        "outdated": outdated.outdated(project),
    }
    return render(request, "annotation/settings/settings.html", context, status=422 if form.errors else 200)
