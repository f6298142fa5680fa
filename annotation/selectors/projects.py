"""Projects as a person may see them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from accounts.selectors.prepared import given, prepared
from annotation.errors import MembershipEnded
from annotation.models import Membership, Project, Role
from annotation.permissions import Viewer, require

Need = Callable[[Any, Project], bool]


def get_project(user: Any, slug: str, need: Need) -> Project:
    """The project at this address, if `user` may do what the predicate `need` (annotation.permissions) asks.

    Raises:
        Http404: there is none, or the user does not belong to it: whether it exists is not told.
        MembershipEnded: they belonged to it and do no longer.
        PermissionDenied: a member without the role.
    """
    project = _visible(user, slug)
    if project is None and user.is_authenticated and _has_left(user, slug):
        raise MembershipEnded(
            _("You do not belong to this project any more: ask one of its admins if you should.")
        )
    if project is None:
        raise Http404(_("There is no such project, or you do not belong to it."))
    require(need, user, project)
    return project


def _visible(user: Any, slug: str) -> Project | None:
    if not user.is_authenticated or not user.is_active:
        return None
    if user.is_superuser:
        project = Project.objects.filter(slug=slug).first()
        role: Role | None = Role.ADMIN
    else:
        membership = _membership().first(user=user.pk, slug=slug)
        project = membership.project if membership else None
        role = Role(membership.role) if membership else None
    if project is not None:
        project.viewer = Viewer(user.pk, role)  # type: ignore[attr-defined]
    return project


def _has_left(user: Any, slug: str) -> bool:
    return Membership.objects.filter(user=user, project__slug=slug, is_active=False).exists()


@prepared
def _membership() -> QuerySet[Membership]:
    mine = Membership.objects.filter(user=given("user"), is_active=True)
    found = mine.filter(project__slug=given("slug")).select_related("project")
    return found.defer("created_at", "project__created_at")


def projects_of(user: Any, *, archived: bool = False, roles: list[Role] | None = None) -> QuerySet[Project]:
    """The projects `user` belongs to (a superuser: all), by name; archived ones only if asked for.

    With `roles`, only those where the user has one of these roles.
    """
    projects = Project.objects.all()
    if not user.is_superuser:
        mine = Membership.objects.filter(user=user, is_active=True)
        if roles is not None:
            mine = mine.filter(role__in=roles)
        projects = projects.filter(pk__in=mine.values("project_id"))
    if not archived:
        projects = projects.exclude(state=Project.State.ARCHIVED)
    return projects.order_by("name", "pk")


def run_by(user: Any) -> QuerySet[Project]:
    """The projects that `user` runs as an engineer or admin, archived ones included."""
    return projects_of(user, archived=True, roles=[Role.ENGINEER, Role.ADMIN])


def scopes_run_by(user: Any) -> list[UUID]:
    """The uuids of `run_by`: the scopes whose jobs the user may list."""
    return list(run_by(user).values_list("uuid", flat=True))


def has_items(project: Project) -> bool:
    return project.items.exists()
