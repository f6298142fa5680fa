"""The people of a project and its open invitations."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet
from django.utils import timezone

from annotation.models import Group, Invite, Membership, Project


def members(project: Project) -> QuerySet[Membership]:
    """All members with their users, active ones first, then by name."""
    return (
        Membership.objects.filter(project=project)
        .select_related("user", "project")
        .order_by("-is_active", "user__username")
    )


def open_invites(project: Project) -> QuerySet[Invite]:
    """Invitations that still let somebody in, newest first."""
    return Invite.objects.filter(
        project=project, revoked_at=None, uses_left__gt=0, expires_at__gt=timezone.now()
    ).select_related("created_by", "project")


@dataclass(frozen=True)
class GroupCard:
    group: Group
    members: set[str]  # uuids of users
    names: str


def groups(project: Project) -> list[GroupCard]:
    """The groups of a project with their members, by name. Two queries."""
    found = Group.objects.filter(project=project).prefetch_related("members")
    return [
        GroupCard(
            group,
            {str(user.uuid) for user in group.members.all()},
            ", ".join(str(user) for user in group.members.all()),
        )
        for group in found
    ]
