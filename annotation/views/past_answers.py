"""A person's own last answers in a project; each can be opened again while nobody has decided on it."""

from __future__ import annotations

import uuid
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.errors import GyreError
from annotation import permissions
from annotation.models import Project
from annotation.selectors import past_answers as selectors
from annotation.selectors.projects import get_project
from annotation.services import labelling


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def mine(request: HttpRequest, slug: str) -> HttpResponse:
    project = get_project(request.user, slug, permissions.can_label)
    if request.method == "POST":
        return _open_again(request, project)
    text, after = request.GET.get("text", ""), request.GET.get("after", "")
    page = selectors.page(
        request.user, project, text=text, after=int(after) if after.isdecimal() and len(after) < 19 else None
    )
    context = {
        "project": project,
        "page": page,
        "text": text,
        "last": selectors.LAST,
        "older_url": _url(text, page.older),
        "newer_url": _url(text, page.newer),
    }
    return render(request, "annotation/me/mine.html", context)


def _url(text: str, after: int | None) -> str:
    """The address of another page; empty where there is none. 0 begins with the newest."""
    if after is None:
        return ""
    return "?" + urlencode({key: value for key, value in (("text", text), ("after", after)) if value})


def _open_again(request: HttpRequest, project: Project) -> HttpResponse:
    """Take the answer back and go to its item."""
    try:
        slot = labelling.undo(project, request.user, uuid.UUID(request.POST.get("slot", "")))  # type: ignore[arg-type]
    except (GyreError, ValueError) as error:
        messages.error(request, str(error))
        return redirect("annotation:mine", slug=project.slug)
    return redirect(f"{reverse('annotation:label', args=[project.slug])}?slot={slot.uuid}")
