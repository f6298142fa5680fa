"""Who belongs to a project, and the links by which people come in."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import audit, users
from annotation.errors import InviteInvalid, MembershipRefused
from annotation.models import Invite, Membership, Project, Role
from annotation.permissions import RANKS
from annotation.services import groups
from annotation.services.archive import guard_writable

INVITE_DAYS = 14


@transaction.atomic
def add(project: Project, user: User, role: str = Role.ANNOTATOR, *, by: User | None = None) -> Membership:
    """Make `user` a member with this role; who was one already gets the role and is active again."""
    guard_writable(project)
    membership = Membership.objects.filter(project=project, user=user).first()
    if membership is None:
        membership = Membership.objects.create(project=project, user=user, role=_known(role))
        _record("membership.added", membership, by)
        return membership
    if not membership.is_active:
        reactivate(membership, by=by)
    return set_role(membership, role, by=by)


@transaction.atomic
def set_role(membership: Membership, role: str, *, by: User | None = None) -> Membership:
    """Change what a member may do.

    Raises:
        MembershipRefused: the project would be left without an admin.
    """
    role = _known(role)
    if membership.role == role:
        return membership
    if role != Role.ADMIN:
        _guard_last_admin(membership)
    before, membership.role = membership.role, role
    membership.save(update_fields=["role"])
    _record("membership.role_changed", membership, by, before=before)
    return membership


@transaction.atomic
def deactivate(membership: Membership, *, by: User | None = None) -> None:
    """Shut a member out of the project. Their labels stay; what they hold comes back when its lease runs out,
    and what was assigned to them alone is for everybody.

    Raises:
        MembershipRefused: the project would be left without an admin.
    """
    if not membership.is_active:
        return
    _guard_last_admin(membership)
    membership.is_active = False
    membership.save(update_fields=["is_active"])
    released = groups.release_person(membership.project, membership.user)
    _record("membership.deactivated", membership, by, released=released)


@transaction.atomic
def reactivate(membership: Membership, *, by: User | None = None) -> None:
    if membership.is_active:
        return
    membership.is_active = True
    membership.save(update_fields=["is_active"])
    _record("membership.reactivated", membership, by)


@transaction.atomic
def invite(
    project: Project, role: str = Role.ANNOTATOR, *, by: User, uses: int = 1, days: int = INVITE_DAYS
) -> tuple[Invite, str]:
    """Make an invitation. The second value is the secret of its link: it is shown once and stored nowhere."""
    guard_writable(project)
    if not 1 <= uses <= 1000:
        raise MembershipRefused(
            _("An invitation works for 1 to 1000 people, found %(uses)s.") % {"uses": uses}
        )
    if not 1 <= days <= 365:
        raise MembershipRefused(
            _("An invitation is valid for 1 to 365 days, found %(days)s.") % {"days": days}
        )
    secret = secrets.token_urlsafe(24)
    made = Invite.objects.create(
        project=project,
        role=_known(role),
        digest=_digest(secret),
        uses_left=uses,
        expires_at=timezone.now() + timedelta(days=days),
        created_by=by,
    )
    audit.record("invite.created", actor=by, scope=project.uuid, target=made, role=made.role, uses=uses)
    return made, secret


def open_invite(secret: str) -> Invite:
    """The invitation with this secret, its project loaded.

    Raises:
        InviteInvalid: there is none, or it ran out, was used up or revoked.
    """
    found = Invite.objects.select_related("project").filter(digest=_digest(secret)).first()
    if found is None:
        raise InviteInvalid(_("This invitation is not known: check that the link was copied whole."))
    if found.revoked_at is not None or found.uses_left < 1 or found.expires_at <= timezone.now():
        raise InviteInvalid(_("This invitation has run out or was withdrawn: ask for a new one."))
    guard_writable(found.project)
    return found


@transaction.atomic
def accept_invite(secret: str, user: User) -> Membership:
    """Make `user` a member. Who is one already loses nothing: a higher role stays, and the invitation is not
    used up.

    Raises:
        InviteInvalid: the invitation is unknown, used up, revoked or too old.
    """
    found = open_invite(secret)
    own = Membership.objects.filter(project=found.project, user=user, is_active=True).first()
    if own is not None and RANKS[Role(own.role)] >= RANKS[Role(found.role)]:
        return own
    was_shut_out = Membership.objects.filter(project=found.project, user=user, is_active=False).exists()
    if was_shut_out:
        raise InviteInvalid(
            _("You were taken out of this project: ask one of its admins to let you in again.")
        )
    if not _still_valid(found).update(uses_left=F("uses_left") - 1):
        raise InviteInvalid(_("This invitation has run out or was withdrawn: ask for a new one."))
    membership = add(found.project, user, found.role, by=found.created_by)
    audit.record("invite.accepted", actor=user, scope=found.project.uuid, target=found)
    return membership


@transaction.atomic
def join(secret: str, username: str, *, password: str, email: str = "", language: str = "") -> User:
    """Make an account from an invitation and let it in; both or neither.

    Raises:
        InviteInvalid: as in `accept_invite`.
        NameTaken, PasswordRefused: as in `accounts.services.users.create_user`.
    """
    open_invite(secret)
    user = users.create_user(username, password=password, email=email, language=language)
    accept_invite(secret, user)
    return user


@transaction.atomic
def revoke_invite(found: Invite, *, by: User | None = None) -> None:
    if Invite.objects.filter(pk=found.pk, revoked_at=None).update(revoked_at=timezone.now()):
        audit.record("invite.revoked", actor=by, scope=found.project.uuid, target=found)
    found.refresh_from_db(fields=["revoked_at"])


def reset_link(membership: Membership, *, by: User) -> str:
    """Path of a page on which a member sets a new password.

    The link gives the whole account away, so an admin gets it only for somebody over whom they stand in every
    project that person is in.

    Raises:
        MembershipRefused: the member is a superuser, or belongs to a project that `by` does not run.
    """
    target = membership.user
    elsewhere = Membership.objects.filter(user=target, is_active=True).exclude(
        project__in=Membership.objects.filter(user=by, is_active=True, role=Role.ADMIN).values("project")
    )
    if not by.is_superuser and (target.is_superuser or target.is_staff or elsewhere.exists()):
        raise MembershipRefused(
            _("%(name)s also has rights that you lack: ask whoever runs this installation for the link.")
            % {"name": target}
        )
    audit.record("membership.reset_link_made", actor=by, scope=membership.project.uuid, target=membership)
    return users.reset_link(target, actor=by)


def _still_valid(found: Invite) -> QuerySet[Invite]:
    return Invite.objects.filter(pk=found.pk, uses_left__gt=0, revoked_at=None, expires_at__gt=timezone.now())


def _guard_last_admin(membership: Membership) -> None:
    if membership.role != Role.ADMIN or not membership.is_active:
        return
    # The row lock keeps two admins from taking the role from each other at the same moment.
    Project.objects.select_for_update(no_key=True).get(pk=membership.project_id)
    others = Membership.objects.filter(
        project_id=membership.project_id, role=Role.ADMIN, is_active=True, user__is_active=True
    ).exclude(pk=membership.pk)
    if not others.exists():
        raise MembershipRefused(_("This is the project's last admin: make somebody else an admin first."))


def _known(role: str) -> Role:
    if role not in Role.values:
        raise MembershipRefused(
            _("There is no role “%(role)s”: use one of %(known)s.")
            % {"role": role, "known": ", ".join(Role.values)}
        )
    return Role(role)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _record(verb: str, membership: Membership, by: User | None, **data: object) -> None:
    audit.record(
        verb,
        actor=by,
        scope=membership.project.uuid,
        target=membership,
        user=membership.user.username,
        role=membership.role,
        **data,
    )
