"""Who may do what in a project: predicates on (user, project). Every view begins with
`selectors.projects.get_project`.

Each role may do what the one before may: annotator, reviewer, engineer, admin. Superusers may do all. In an
archived project nobody labels or reviews; engineers and admins may still look, and services refuse their
writes with `ProjectArchived`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext as _

from annotation.errors import ProjectArchived
from annotation.models import Membership, Project, Role

RANKS = {Role.ANNOTATOR: 1, Role.REVIEWER: 2, Role.ENGINEER: 3, Role.ADMIN: 4}


@dataclass(frozen=True)
class Viewer:
    """Who a project was loaded for, so that asking for the role again in the same request costs no query."""

    user_id: int
    role: Role | None


def role_of(user: Any, project: Project) -> Role | None:
    """The role of an active member; ADMIN for a superuser; None for everybody else."""
    if not user.is_authenticated or not user.is_active:
        return None
    if user.is_superuser:
        return Role.ADMIN
    viewer = getattr(project, "viewer", None)
    if isinstance(viewer, Viewer) and viewer.user_id == user.pk:
        return viewer.role
    role = (
        Membership.objects.filter(project=project, user=user, is_active=True)
        .values_list("role", flat=True)
        .first()
    )
    return Role(role) if role else None


def has_role(user: Any, project: Project, role: Role) -> bool:
    """Whether the user's role is `role` or one above it."""
    own = role_of(user, project)
    return own is not None and RANKS[own] >= RANKS[role]


def require(need: Callable[[Any, Project], bool], user: Any, project: Project) -> None:
    """Raise PermissionDenied, with what to do, unless a member of the project may do what `need` asks;
    ProjectArchived (as a 403) where it is the project's state that forbids it.
    """
    if need(user, project):
        return
    if project.state == Project.State.ARCHIVED:
        sentence = _("This project is archived: an admin can take it up again in its settings.")
        raise ProjectArchived(sentence, status=403)
    raise PermissionDenied(_("Your role in this project does not allow this: ask one of its admins."))


def is_member(user: Any, project: Project) -> bool:
    return role_of(user, project) is not None


def can_label(user: Any, project: Project) -> bool:
    return project.state != Project.State.ARCHIVED and has_role(user, project, Role.ANNOTATOR)


def can_review(user: Any, project: Project) -> bool:
    return project.state != Project.State.ARCHIVED and has_role(user, project, Role.REVIEWER)


def can_check_suggestions(user: Any, project: Project) -> bool:
    return project.mode != Project.Mode.MANUAL and can_label(user, project)


def can_accept_in_bulk(user: Any, project: Project) -> bool:
    return project.mode == Project.Mode.HYBRID and can_review(user, project)


def can_engineer(user: Any, project: Project) -> bool:
    return has_role(user, project, Role.ENGINEER)


def can_admin(user: Any, project: Project) -> bool:
    return has_role(user, project, Role.ADMIN)


def can_see_items(user: Any, project: Project) -> bool:
    """The table of items with everybody's answers. Never annotators: whoever is to give a second, independent
    label must not look up the first. In an archived project engineers may still look.
    """
    return can_review(user, project) or can_engineer(user, project)


def can_arrange_items(user: Any, project: Project) -> bool:
    """Tag items, and put work into the queue: first, again, for somebody. Nothing of that loses anything."""
    return can_review(user, project)


def can_remove_items(user: Any, project: Project) -> bool:
    """Hold items back, release and delete them: it changes what models learn from, and a text that is deleted
    is gone.
    """
    return project.state != Project.State.ARCHIVED and can_engineer(user, project)


def can_create_projects(user: Any) -> bool:
    """Superusers, and whoever is an engineer or admin of some project."""
    if not user.is_authenticated or not user.is_active:
        return False
    return (
        user.is_superuser
        or Membership.objects.filter(user=user, is_active=True, role__in=[Role.ENGINEER, Role.ADMIN]).exists()
    )
