from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from annotation.models import Group, Project, Role
from tests.factories import add_member, make_project, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("Bank")


@pytest.fixture
def admin(client: Client, project: Project):
    person = add_member(project, Role.ADMIN)
    client.force_login(person)
    return person


def test_an_admin_makes_changes_and_removes_groups(client: Client, project: Project, admin) -> None:
    ana, ben = (add_member(project, user=make_user(name)) for name in ("ana", "ben"))
    stranger = make_user("zoe")
    sent = {"name": "Experts", "member": [str(ana.uuid), str(stranger.uuid)]}
    page = client.post(reverse("annotation:group_new", args=["bank"]), sent, follow=True)
    group = Group.objects.get()
    assert list(group.members.all()) == [ana]
    assert "Experts" in page.content.decode()
    sent = {"name": "Lawyers", "member": [str(ben.uuid)]}
    client.post(reverse("annotation:group_change", args=["bank", group.uuid]), sent)
    group.refresh_from_db()
    assert (group.name, list(group.members.all())) == ("Lawyers", [ben])
    page = client.post(reverse("annotation:group_remove", args=["bank", group.uuid]), follow=True)
    assert "“Lawyers” is removed" in page.content.decode()
    assert not Group.objects.exists()


def test_a_name_that_is_taken_is_said(client: Client, project: Project, admin) -> None:
    for _ in range(2):
        page = client.post(reverse("annotation:group_new", args=["bank"]), {"name": "Experts"}, follow=True)
    assert "There is a group “Experts” already" in page.content.decode()
    assert Group.objects.count() == 1


def test_groups_are_the_admins(client: Client, project: Project) -> None:
    group = Group.objects.create(project=project, name="Experts")
    other = Group.objects.create(project=make_project("Other"), name="Experts")
    posts = [
        reverse("annotation:group_new", args=["bank"]),
        reverse("annotation:group_change", args=["bank", group.uuid]),
        reverse("annotation:group_remove", args=["bank", group.uuid]),
    ]
    for person, status in ((add_member(project, Role.ENGINEER), 403), (make_user(), 404)):
        client.force_login(person)
        assert {client.post(one, {"name": "x"}).status_code for one in posts} == {status}
    client.force_login(add_member(project, Role.ADMIN))
    assert client.post(reverse("annotation:group_remove", args=["bank", other.uuid])).status_code == 404
    assert Group.objects.count() == 2
