"""The first page and the dashboard."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotation import permissions
from annotation.selectors import home as selectors


@login_required
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    context = {
        "cards": selectors.cards(request.user),
        "may_create": permissions.can_create_projects(request.user),
    }
    return render(request, "annotation/home/home.html", context)


@login_required
@require_GET
def dashboard(request: HttpRequest) -> HttpResponse:
    """The projects that the person runs; whoever runs none is told so."""
    context = {
        "overviews": selectors.overviews(request.user),
        "may_create": permissions.can_create_projects(request.user),
    }
    return render(request, "annotation/home/dashboard.html", context)
