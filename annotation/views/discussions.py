"""Discussions: the threads of a project, and one of them."""

from __future__ import annotations

import uuid as uuids
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from accounts.errors import GyreError
from annotation import permissions
from annotation.selectors import discussions as selectors
from annotation.selectors.projects import get_project
from annotation.services import discussions


@login_required
@require_GET
def discussion_list(request: HttpRequest, slug: str) -> HttpResponse:
    project = get_project(request.user, slug, permissions.is_member)
    closed = request.GET.get("show") == "closed"
    context = {
        "project": project,
        "closed": closed,
        "found": selectors.listed(project, request.user, closed=closed),
    }
    return render(request, "annotation/discussions/list.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def discussion(request: HttpRequest, slug: str, uuid: UUID) -> HttpResponse:
    project = get_project(request.user, slug, permissions.is_member)
    found = get_object_or_404(selectors.visible(project, request.user), uuid=uuid)
    typed = ""
    if request.method == "POST":
        typed = request.POST.get("text", "")
        try:
            if request.POST.get("action") == "close":
                discussions.close(found, request.user)  # type: ignore[arg-type]
                messages.success(request, _("The discussion is closed."))
                return redirect("annotation:discussions", slug=slug)
            discussions.reply(
                found,
                request.user,  # type: ignore[arg-type]
                typed,
                client_key=request.POST.get("client_key", ""),
            )
        except GyreError as error:
            messages.error(request, str(error))
        else:
            return redirect("annotation:discussion", slug=slug, uuid=uuid)
    context = {
        "project": project,
        "discussion": found,
        "comments": found.comments.select_related("author"),
        "typed": typed,
        "client_key": uuids.uuid4().hex,
        "may_close": permissions.can_review(request.user, project) or found.opened_by_id == request.user.pk,
    }
    return render(request, "annotation/discussions/detail.html", context)
