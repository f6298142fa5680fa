from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from annotation.models import Membership, Project, Role
from annotation.services import memberships
from tests.factories import PASSWORD, add_member, make_project, make_user, membership_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> User:
    return make_user("boss")


@pytest.fixture
def project(client: Client, admin: User) -> Project:
    client.force_login(admin)
    return make_project("Bank", by=admin)


def change(client: Client, project: Project, user: User, **data: str) -> object:
    page = reverse("annotation:member", args=[project.slug, membership_of(project, user).pk])
    return client.post(page, data)


def test_it_invites_by_a_link_with_which_a_stranger_joins(client: Client, project: Project) -> None:
    answer = client.post(
        reverse("annotation:invite", args=["bank"]), {"role": "reviewer", "uses": "1", "days": "3"}
    )
    link = re.search(r'id="invite-link">([^<]+)<', answer.text)
    assert link is not None
    path = link[1].removeprefix("http://testserver")
    stranger = Client()
    assert "Join Bank" in stranger.get(path).text
    weak = stranger.post(path, {"username": "newcomer", "password": "short"})
    assert (weak.status_code, weak.context["form"]["username"].value()) == (422, "newcomer")
    assert "password" in weak.context["form"].errors
    taken = stranger.post(path, {"username": "BOSS", "password": PASSWORD})
    assert "is taken" in taken.context["form"].errors["username"][0]
    joined = stranger.post(path, {"username": "newcomer", "password": PASSWORD})
    assert joined.status_code == 302
    user = User.objects.get(username="newcomer")
    assert membership_of(project, user).role == "reviewer"
    assert stranger.session["_auth_user_id"] == str(user.pk)
    gone = Client().get(path)
    assert (gone.status_code, "ask for a new one" in gone.text) == (410, True)


def test_it_lets_somebody_with_an_account_join_by_one_button(project: Project, admin: User) -> None:
    _, secret = memberships.invite(project, by=admin)
    other, user = Client(), make_user()
    other.force_login(user)
    path = reverse("annotation:join", args=[secret])
    assert "You are signed in as" in other.get(path).text
    assert not Membership.objects.filter(user=user).exists()
    assert other.post(path).status_code == 302
    assert membership_of(project, user).role == "annotator"


def test_it_says_when_an_invitation_is_nonsense(client: Client) -> None:
    answer = client.get(reverse("annotation:join", args=["nonsense"]))
    assert (answer.status_code, "not known" in answer.text) == (410, True)


def test_it_lists_people_and_withdraws_an_invitation(client: Client, project: Project, admin: User) -> None:
    made, _ = memberships.invite(project, by=admin)
    page = client.get(reverse("annotation:people", args=["bank"]))
    assert "boss" in page.text and "Withdraw" in page.text
    client.post(reverse("annotation:invite_revoke", args=["bank", made.uuid]))
    assert "Withdraw<" not in client.get(reverse("annotation:people", args=["bank"])).text


def test_it_changes_roles_and_takes_people_out_and_in(client: Client, project: Project) -> None:
    user = add_member(project)
    change(client, project, user, action="role", role="engineer")
    assert membership_of(project, user).role == "engineer"
    change(client, project, user, action="deactivate")
    assert not membership_of(project, user).is_active
    change(client, project, user, action="reactivate")
    assert membership_of(project, user).is_active


def test_it_says_why_the_last_admin_stays(client: Client, project: Project, admin: User) -> None:
    page = reverse("annotation:member", args=["bank", membership_of(project, admin).pk])
    answer = client.post(page, {"action": "role", "role": "annotator"}, follow=True)
    assert "last admin" in answer.text
    assert membership_of(project, admin).role == "admin"


def test_it_shows_a_password_link_once_and_only_over_people_one_runs(
    client: Client, project: Project
) -> None:
    user = add_member(project)
    page = reverse("annotation:member", args=["bank", membership_of(project, user).pk])
    answer = client.post(page, {"action": "reset"})
    link = re.search(r'id="reset-link">http://testserver([^<]+)<', answer.text)
    assert link is not None and Client().get(link[1], follow=True).status_code == 200
    add_member(make_project(), user=user)
    assert "ask whoever runs" in client.post(page, {"action": "reset"}, follow=True).text


def test_it_refuses_an_odd_invitation_in_place(client: Client, project: Project) -> None:
    answer = client.post(
        reverse("annotation:invite", args=["bank"]), {"role": "reviewer", "uses": "0", "days": "3"}
    )
    assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["uses"])
    assert answer.context["form"]["role"].value() == "reviewer"


def test_it_changes_no_member_of_another_project(client: Client, project: Project) -> None:
    other = make_project()
    user = add_member(other, Role.ADMIN)
    page = reverse("annotation:member", args=["bank", membership_of(other, user).pk])
    assert client.post(page, {"action": "deactivate"}).status_code == 404
    assert membership_of(other, user).is_active
