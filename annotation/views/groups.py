"""Groups of people of a project, on the page of its people."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from accounts.models import User
from annotation import permissions
from annotation.errors import GroupRefused
from annotation.models import Project
from annotation.selectors.memberships import members
from annotation.selectors.projects import get_project
from annotation.services import groups


@login_required
@require_POST
def group_new(request: HttpRequest, slug: str) -> HttpResponse:
    project = get_project(request.user, slug, permissions.can_admin)
    try:
        made = groups.create(
            project, request.POST.get("name", ""), _chosen(request, project), by=_by(request)
        )
    except GroupRefused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The group “%(name)s” is there.") % {"name": made.name})
    return redirect("annotation:people", slug=slug)


@login_required
@require_POST
def group_change(request: HttpRequest, slug: str, uuid: UUID) -> HttpResponse:
    """Its name and its members."""
    project = get_project(request.user, slug, permissions.can_admin)
    group = get_object_or_404(project.work_groups.select_related("project"), uuid=uuid)
    try:
        groups.rename(group, request.POST.get("name", ""), by=_by(request))
        groups.set_members(group, _chosen(request, project), by=_by(request))
    except GroupRefused as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Saved."))
    return redirect("annotation:people", slug=slug)


@login_required
@require_POST
def group_remove(request: HttpRequest, slug: str, uuid: UUID) -> HttpResponse:
    project = get_project(request.user, slug, permissions.can_admin)
    group = get_object_or_404(project.work_groups.select_related("project"), uuid=uuid)
    freed = groups.remove(group, by=_by(request))
    freed_text = ngettext(
        "%(count)s item that waited for it is for everybody now.",
        "%(count)s items that waited for it are for everybody now.",
        freed,
    ) % {"count": freed}
    text = _("The group “%(name)s” is removed.") % {"name": group.name}
    messages.success(request, f"{text} {freed_text}" if freed else text)
    return redirect("annotation:people", slug=slug)


def _chosen(request: HttpRequest, project: Project) -> list[User]:
    """The active members whose boxes are ticked."""
    wanted = set(request.POST.getlist("member"))
    found = members(project).filter(is_active=True)
    return [one.user for one in found if str(one.user.uuid) in wanted]


def _by(request: HttpRequest) -> Any:
    return request.user
