from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.errors import NameTaken, PasswordRefused
from accounts.models import AuditEntry, User
from annotation.errors import InviteInvalid, MembershipRefused, ProjectArchived
from annotation.models import Invite, Membership, Role
from annotation.selectors import memberships as membership_reads
from annotation.services import labellers, memberships, projects
from tests.factories import PASSWORD, add_member, make_project, make_user, membership_of

pytestmark = pytest.mark.django_db


def test_it_invites_by_a_secret_that_is_kept_nowhere() -> None:
    admin = make_user()
    project = make_project(by=admin)
    invite, secret = memberships.invite(project, Role.REVIEWER, by=admin)
    assert secret not in str(Invite.objects.values())
    user = make_user()
    membership = memberships.accept_invite(secret, user)
    assert (membership.role, membership.is_active) == ("reviewer", True)
    invite.refresh_from_db()
    assert invite.uses_left == 0
    assert AuditEntry.objects.filter(verb="invite.accepted", actor=user, scope=project.uuid).exists()


def test_it_turns_away_with_an_unknown_used_revoked_or_old_invitation() -> None:
    admin = make_user()
    project = make_project(by=admin)
    with pytest.raises(InviteInvalid, match="not known"):
        memberships.accept_invite("nonsense", make_user())
    _, used = memberships.invite(project, by=admin)
    memberships.accept_invite(used, make_user())
    revoked, revoked_secret = memberships.invite(project, by=admin)
    memberships.revoke_invite(revoked, by=admin)
    old, old_secret = memberships.invite(project, by=admin)
    Invite.objects.filter(pk=old.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    for secret in (used, revoked_secret, old_secret):
        with pytest.raises(InviteInvalid, match="ask for a new one"):
            memberships.accept_invite(secret, make_user())
    assert Membership.objects.count() == 2


def test_it_does_not_lower_a_role_or_use_up_an_invitation_for_a_member() -> None:
    admin = make_user()
    project = make_project(by=admin)
    invite, secret = memberships.invite(project, Role.ANNOTATOR, by=admin)
    assert memberships.accept_invite(secret, admin).role == "admin"
    invite.refresh_from_db()
    assert invite.uses_left == 1


def test_it_does_not_let_somebody_who_was_shut_out_in_by_a_link() -> None:
    admin = make_user()
    project = make_project(by=admin)
    user = add_member(project)
    _, secret = memberships.invite(project, by=admin)
    memberships.deactivate(membership_of(project, user), by=admin)
    with pytest.raises(InviteInvalid, match="taken out"):
        memberships.accept_invite(secret, user)


def test_it_makes_account_and_membership_together_or_neither() -> None:
    admin = make_user()
    project = make_project(by=admin)
    _, secret = memberships.invite(project, by=admin, uses=2)
    with pytest.raises(PasswordRefused):
        memberships.join(secret, "newcomer", password="123")
    with pytest.raises(NameTaken):
        memberships.join(secret, admin.username.upper(), password=PASSWORD)
    assert User.objects.count() == 1
    user = memberships.join(secret, "newcomer", password=PASSWORD)
    assert membership_of(project, user).role == "annotator"


def test_it_never_leaves_a_project_without_an_admin() -> None:
    admin = make_user()
    project = make_project(by=admin)
    own = membership_of(project, admin)
    with pytest.raises(MembershipRefused, match="last admin"):
        memberships.deactivate(own)
    with pytest.raises(MembershipRefused, match="last admin"):
        memberships.set_role(own, Role.ENGINEER)
    add_member(project, Role.ADMIN)
    memberships.set_role(own, Role.ENGINEER, by=admin)
    assert membership_of(project, admin).role == "engineer"


def test_it_takes_a_member_out_and_back_and_keeps_their_labeller() -> None:
    project = make_project()
    user = add_member(project)
    labeller = labellers.person(project, user)
    memberships.deactivate(membership_of(project, user))
    assert not membership_of(project, user).is_active
    memberships.add(project, user, Role.REVIEWER)
    membership = membership_of(project, user)
    assert (membership.is_active, membership.role) == (True, "reviewer")
    assert labellers.person(project, user) == labeller


def test_it_gives_an_admin_no_key_to_somebody_elses_rights() -> None:
    admin, boss = make_user(), make_user(is_superuser=True)
    project = make_project(by=admin)
    add_member(project, user=boss)
    guest = add_member(project)
    other = make_project()
    with pytest.raises(MembershipRefused, match="ask whoever runs"):
        memberships.reset_link(membership_of(project, boss), by=admin)
    assert memberships.reset_link(membership_of(project, guest), by=admin).startswith("/accounts/")
    add_member(other, user=guest)
    with pytest.raises(MembershipRefused):
        memberships.reset_link(membership_of(project, guest), by=admin)
    assert memberships.reset_link(membership_of(project, guest), by=boss)


def test_it_refuses_unknown_roles_and_odd_invitations() -> None:
    admin = make_user()
    project = make_project(by=admin)
    with pytest.raises(MembershipRefused, match="no role “king”"):
        memberships.add(project, make_user(), "king")
    with pytest.raises(MembershipRefused, match="1 to 1000"):
        memberships.invite(project, by=admin, uses=0)
    with pytest.raises(MembershipRefused, match="1 to 365 days"):
        memberships.invite(project, by=admin, days=1000)


def test_it_takes_nobody_into_an_archived_project() -> None:
    admin = make_user()
    project = make_project(by=admin)
    _, secret = memberships.invite(project, by=admin)
    projects.archive(project)
    with pytest.raises(ProjectArchived):
        memberships.accept_invite(secret, make_user())


def test_it_lists_members_and_open_invitations() -> None:
    admin = make_user("zoe")
    project = make_project(by=admin)
    gone = add_member(project, user=make_user("abe"))
    memberships.deactivate(membership_of(project, gone))
    made, _ = memberships.invite(project, by=admin)
    revoked, _ = memberships.invite(project, by=admin)
    memberships.revoke_invite(revoked)
    assert [member.user.username for member in membership_reads.members(project)] == ["zoe", "abe"]
    assert list(membership_reads.open_invites(project)) == [made]
