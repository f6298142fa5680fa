"""Groups of people of a project, to whom work can be assigned."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.db.models import Min
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import audit
from annotation.errors import GroupRefused
from annotation.models import Group, Membership, Project, Slot
from annotation.services import ranks
from annotation.services.archive import guard_writable
from annotation.services.batches import lock_ranks

LONGEST_NAME = 80


@transaction.atomic
def create(project: Project, name: str, members: Collection[User] = (), *, by: User | None = None) -> Group:
    """A group of this name.

    Raises:
        GroupRefused: the name is empty, too long or taken, or somebody is not a member of the project.
    """
    guard_writable(project)
    name = _free_name(project, name)
    _check_members(project, members)
    group = Group.objects.create(project=project, name=name)
    group.members.set(members)
    _record("group.created", group, by, members=sorted(user.username for user in members))
    return group


@transaction.atomic
def rename(group: Group, name: str, *, by: User | None = None) -> Group:
    guard_writable(group.project)
    before = group.name
    group.name = _free_name(group.project, name, but=group)
    if group.name != before:
        group.save(update_fields=["name"])
        _record("group.renamed", group, by, before=before)
    return group


@transaction.atomic
def set_members(group: Group, members: Collection[User], *, by: User | None = None) -> Group:
    """Make these people the group. Who comes in is offered what was assigned to it before."""
    guard_writable(group.project)
    _check_members(group.project, members)
    lock_ranks(group.project)  # before the cursors, as everywhere
    before = set(group.members.values_list("pk", flat=True))
    wanted = {user.pk for user in members}
    if before == wanted:
        return group
    group.members.set(members)
    assigned = Slot.objects.filter(project=group.project, state=Slot.State.FREE, assigned_group=group)
    first = assigned.aggregate(first=Min("rank"))["first"]
    if first is not None and wanted - before:
        ranks.open_from(group.project, first, wanted - before)
    _record("group.members_changed", group, by, members=sorted(user.username for user in members))
    return group


@transaction.atomic
def remove(group: Group, *, by: User | None = None) -> int:
    """Dissolve a group; how many free slots that were assigned to it are now for everybody."""
    guard_writable(group.project)
    lock_ranks(group.project)
    assigned = Slot.objects.filter(project=group.project, assigned_group=group)
    free = list(assigned.filter(state=Slot.State.FREE).order_by("rank").values_list("rank", flat=True))
    assigned.update(assigned_group=None)
    if free:
        ranks.open_from(group.project, free[0])
    _record("group.removed", group, by, slots=len(free))
    group.delete()
    return len(free)


def release_person(project: Project, user: User) -> int:
    """Give what waits for one person to everybody, because they are out of the project."""
    lock_ranks(project)
    mine = Slot.objects.filter(project=project, state=Slot.State.FREE, assigned_to=user).order_by("rank")
    free = list(mine.values_list("pk", "rank"))
    Slot.objects.filter(pk__in=[pk for pk, _rank in free]).update(assigned_to=None)
    if free:
        ranks.open_from(project, free[0][1])
    return len(free)


def _free_name(project: Project, name: str, *, but: Group | None = None) -> str:
    name = " ".join(name.split())
    if not 0 < len(name) <= LONGEST_NAME:
        raise GroupRefused(
            _("The name has %(found)s characters: give a group 1 to %(most)s.")
            % {"found": len(name), "most": LONGEST_NAME}
        )
    same = Group.objects.filter(project=project, name__iexact=name)
    if (same.exclude(pk=but.pk) if but else same).exists():
        raise GroupRefused(_("There is a group “%(name)s” already: choose another name.") % {"name": name})
    return name


def _check_members(project: Project, members: Collection[User]) -> None:
    known = set(
        Membership.objects.filter(project=project, is_active=True, user__in=members).values_list(
            "user_id", flat=True
        )
    )
    strangers = [user for user in members if user.pk not in known]
    if strangers:
        raise GroupRefused(
            _("%(name)s is not in this project: invite them first, then add them to the group.")
            % {"name": strangers[0]}
        )


def _record(verb: str, group: Group, by: User | None, **data: object) -> None:
    audit.record(verb, actor=by, scope=group.project.uuid, target=group, name=group.name, **data)
