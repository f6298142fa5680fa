"""The quick pass: one suggestion after another, yes or no. With scripts it talks to the API; without, it
posts.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.errors import GyreError
from annotation import permissions
from annotation.models import Project
from annotation.selectors import progress, projects, schemas
from annotation.selectors import suggestion_checks as reads
from annotation.services import suggestion_checks

HELD = 3  # suggestions a page holds: the one on the screen and two behind it


@login_required
@never_cache
@require_http_methods(["GET", "POST"])
def check(request: HttpRequest, slug: str) -> HttpResponse:
    project = projects.get_project(request.user, slug, permissions.can_label)
    if request.method == "POST":
        return _act(request, project)
    schema = schemas.require(project)
    slots = suggestion_checks.lease(project, request.user, count=HELD, schema=schema)
    cards = reads.cards(project, request.user, slots, schema)
    context = {
        "project": project,
        "first": cards[0] if cards else None,
        "client_key": uuid.uuid4().hex,
        "progress": progress.today(project, request.user),
        "is_manual": project.mode == Project.Mode.MANUAL,
        "data": _data(request, project, cards),
    }
    return render(request, "annotation/check/check.html", context)


def _data(request: HttpRequest, project: Project, cards: list[dict[str, Any]]) -> dict[str, Any]:
    """What the scripts need: the suggestions held, addresses, and every sentence they may write."""
    urls = {
        name: reverse(f"annotation-api:check-{name}", args=[project.slug])
        for name in ("next", "accept", "reject", "undo")
    }
    return {
        "project": project.slug,
        "user": str(request.user.uuid),
        "slots": cards,
        "lease_seconds": project.lease_seconds,
        "urls": {**urls, "renew": reverse("annotation-api:renew", args=[project.slug])},
        "edit": f"{reverse('annotation:label', args=[project.slug])}?slot=",
        "texts": {
            "saved": _("saved ✓"),
            "waiting": _("%s waiting"),
            "offline": _("offline, %s kept here"),
            "signed-out": _("log in again, %s kept here"),
            "stopped": _("not sent, %s kept here"),
            "progress": _("%s of %s today"),
        },
    }


def _act(request: HttpRequest, project: Project) -> HttpResponse:
    """A button of the form was pressed without scripts."""
    action = request.POST.get("action", "")
    try:
        if action == "undo":
            suggestion_checks.undo(project, request.user)
        else:
            slot, prelabel = _uuid(request, "slot"), _uuid(request, "prelabel")
            if action == "accept":
                key = request.POST.get("client_key") or uuid.uuid4().hex
                suggestion_checks.accept(project, request.user, slot, prelabel, client_key=key)
            elif action == "reject":
                suggestion_checks.reject(project, request.user, slot, prelabel)
    except GyreError as error:
        messages.error(request, str(error))
    return redirect("annotation:check", slug=project.slug)


def _uuid(request: HttpRequest, name: str) -> uuid.UUID:
    try:
        return uuid.UUID(request.POST.get(name, ""))
    except ValueError as error:
        raise GyreError(
            _("The form did not say which item it was for: load the page again."), code="slot_missing"
        ) from error
