"""The background jobs of one project."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from annotation import permissions
from annotation.selectors.projects import get_project
from jobs.selectors import jobs as selectors
from jobs.views.jobs import listing


@login_required
@require_GET
def jobs(request: HttpRequest, slug: str) -> HttpResponse:
    project = get_project(request.user, slug, permissions.can_engineer)
    return listing(request, selectors.for_scope(project.uuid))
