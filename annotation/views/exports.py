"""Data out."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from annotation import permissions
from annotation.forms import ExportForm
from annotation.selectors import datasets
from annotation.selectors.projects import get_project
from annotation.services import exports
from annotation.views.downloads import download


@login_required
@require_GET
def export(request: HttpRequest, slug: str) -> HttpResponse:
    project = get_project(request.user, slug, permissions.can_engineer)
    form = ExportForm(initial={"what": "resolutions", "format": "jsonl"})
    context = {"project": project, "form": form, "versions": datasets.versions(project)[:50]}
    return render(request, "annotation/export/export.html", context)


@login_required
@require_POST
def export_download(request: HttpRequest, slug: str) -> HttpResponseBase:
    """A POST, since it leaves an entry in the log of who took what out."""
    project = get_project(request.user, slug, permissions.can_engineer)
    form = ExportForm(request.POST)
    if not form.is_valid():
        context = {"project": project, "form": form, "versions": datasets.versions(project)[:50]}
        return render(request, "annotation/export/export.html", context, status=422)
    what, format = form.cleaned_data["what"], form.cleaned_data["format"]
    parts = exports.stream(project, what, format, by=request.user)  # type: ignore[arg-type]
    return download(parts, exports.file_name(project, what, format), exports.content_type(format))
