"""Data out."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from annotation import permissions
from annotation.errors import AnnotationError
from annotation.forms import ExportForm
from annotation.models import Project
from annotation.selectors import datasets, schemas
from annotation.selectors.projects import get_project
from annotation.services import exports
from annotation.views.downloads import download


@login_required
@require_GET
def export(request: HttpRequest, slug: str) -> HttpResponse:
    project = get_project(request.user, slug, permissions.can_engineer)
    form = _form(project, initial={"what": "resolutions", "format": "jsonl"})
    return _page(request, project, form)


@login_required
@require_POST
def export_download(request: HttpRequest, slug: str) -> HttpResponseBase:
    """A POST, since it leaves an entry in the log of who took what out."""
    project = get_project(request.user, slug, permissions.can_engineer)
    form = _form(project, request.POST)
    if form.is_valid():
        what, format = form.cleaned_data["what"], form.cleaned_data["format"]
        try:
            parts = exports.stream(project, what, format, by=request.user, choice=form.choice())  # type: ignore[arg-type]
        except AnnotationError as error:
            form.add_error(None, str(error))
        else:
            return download(parts, exports.file_name(project, what, format), exports.content_type(format))
    return _page(request, project, form)


def _form(project: Project, *args: Any, **kwargs: Any) -> ExportForm:
    schema = schemas.current(project)
    names = [one["name"] for one in schema.definition["fields"]] if schema else []
    return ExportForm(*args, fields=names, **kwargs)


def _page(request: HttpRequest, project: Project, form: ExportForm) -> HttpResponse:
    context = {"project": project, "form": form, "versions": datasets.versions(project)[:50]}
    return render(request, "annotation/export/export.html", context, status=422 if form.errors else 200)
