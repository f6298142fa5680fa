from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from annotation.models import Role
from tests import factories

pytestmark = pytest.mark.django_db


def test_it_sends_a_stranger_to_the_login_page(client: Client) -> None:
    response = client.get("/")
    assert response.status_code == 302
    assert response["Location"].startswith("/accounts/login/")


def test_it_shows_only_the_projects_one_belongs_to(client: Client) -> None:
    mine, other = factories.make_project("Bank intents"), factories.make_project("Not mine")
    person = factories.add_member(mine)
    client.force_login(person)
    html = client.get("/").content.decode()
    assert "Bank intents" in html
    assert other.name not in html
    assert "0 of 60 today" in html


def test_it_teaches_a_person_without_project(client: Client) -> None:
    client.force_login(factories.make_user())
    assert "invitation link" in client.get("/").content.decode()


def test_it_shows_the_tabs_of_ones_role_only(client: Client) -> None:
    project = factories.make_project()
    annotator = factories.add_member(project)
    client.force_login(annotator)
    html = client.get(reverse("annotation:guide", args=[project.slug])).content.decode()
    assert reverse("annotation:label", args=[project.slug]) in html
    assert reverse("annotation:review", args=[project.slug]) not in html
    client.force_login(factories.add_member(project, Role.REVIEWER))
    html = client.get(reverse("annotation:guide", args=[project.slug])).content.decode()
    assert reverse("annotation:review", args=[project.slug]) in html


def test_the_dashboard_lists_what_one_runs(client: Client) -> None:
    project = factories.make_project("Run by me")
    factories.make_items(project, 4)
    engineer = factories.add_member(project, Role.ENGINEER)
    client.force_login(engineer)
    html = client.get(reverse("annotation:dashboard")).content.decode()
    assert "Run by me" in html
    client.force_login(factories.add_member(project))
    assert "Run by me" not in client.get(reverse("annotation:dashboard")).content.decode()


@pytest.mark.parametrize("projects", [1, 6])
def test_home_takes_as_many_queries_for_six_projects_as_for_one(
    client: Client, django_assert_max_num_queries, projects: int
) -> None:
    person = factories.make_user()
    for _ in range(projects):
        factories.add_member(factories.make_project(), user=person)
    client.force_login(person)
    with django_assert_max_num_queries(9):
        client.get("/")
