from __future__ import annotations

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from accounts.services import tokens
from annotation.models import Project, Role
from tests.factories import add_member, make_items, make_project, make_user

pytestmark = pytest.mark.django_db


def logged_in(user: object) -> APIClient:
    client = APIClient()
    client.force_login(user)  # type: ignore[arg-type]
    return client


def test_it_lists_only_ones_own_projects() -> None:
    mine, _other = make_project("Mine"), make_project("Other")
    body = logged_in(add_member(mine)).get(reverse("annotation-api:projects")).json()
    assert [project["name"] for project in body["results"]] == ["Mine"]


def test_it_works_with_a_token() -> None:
    project = make_project("Mine")
    _token, secret = tokens.create(add_member(project), "script")
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    body = client.get(reverse("annotation-api:project", args=[project.slug])).json()
    assert body["name"] == "Mine"


def test_it_shows_labels_and_ones_role() -> None:
    project = make_project()
    client = logged_in(add_member(project, Role.REVIEWER))
    body = client.get(reverse("annotation-api:project", args=[project.slug])).json()
    assert body["role"] == "reviewer"
    assert [label["id"] for label in body["definition"]["fields"][0]["labels"]] == [
        "refund",
        "card-lost",
        "other",
    ]
    assert body["guideline"] is None


def test_it_makes_a_project_for_an_engineer() -> None:
    engineer = add_member(make_project(), Role.ENGINEER)
    given = {
        "name": "New one",
        "labels": ["Yes", {"name": "No", "name_zh": "否"}],
        "settings": {"daily_goal": 5},
    }
    response = logged_in(engineer).post(reverse("annotation-api:projects"), given)
    assert response.status_code == 201
    project = Project.objects.get(slug=response.json()["slug"])
    assert project.daily_goal == 5
    assert response.json()["role"] == "admin"
    assert project.memberships.get().user == engineer


def test_it_makes_no_project_for_an_annotator() -> None:
    client = logged_in(add_member(make_project()))
    assert client.post(reverse("annotation-api:projects"), {"name": "New one"}).status_code == 403


@pytest.mark.parametrize("given", [{"created_by": 1}, {"is_synthetic": True}, {"name": "x"}, {"no": 1}])
def test_it_takes_only_settings_as_settings(given: dict[str, object]) -> None:
    client = logged_in(make_user(is_superuser=True))
    response = client.post(reverse("annotation-api:projects"), {"name": "New", "settings": given})
    assert response.status_code == 400
    assert not Project.objects.exists()


def test_it_changes_settings_for_an_admin_only() -> None:
    project = make_project()
    address = reverse("annotation-api:project", args=[project.slug])
    assert logged_in(add_member(project, Role.ENGINEER)).patch(address, {"daily_goal": 7}).status_code == 403
    response = logged_in(add_member(project, Role.ADMIN)).patch(address, {"daily_goal": 7})
    assert response.json()["daily_goal"] == 7
    project.refresh_from_db()
    assert project.daily_goal == 7


def test_it_keeps_the_split_rules_once_items_are_in() -> None:
    project = make_project()
    make_items(project, 1)
    client = logged_in(add_member(project, Role.ADMIN))
    response = client.patch(reverse("annotation-api:project", args=[project.slug]), {"test_share": 0.5})
    assert response.status_code == 400
    assert response.json()["code"] == "project_refused"


def test_it_publishes_new_labels() -> None:
    project = make_project(labels=["Yes", "No"])
    client = logged_in(add_member(project, Role.ADMIN))
    address = reverse("annotation-api:schema", args=[project.slug])
    definition = client.get(reverse("annotation-api:project", args=[project.slug])).json()["definition"]
    definition["fields"][0]["labels"].append({"id": "maybe", "name": "Maybe"})
    assert client.post(address, {"definition": definition}).json()["number"] == 2
    definition["fields"][0]["labels"][0]["id"] = "Not An Id"
    response = client.post(address, {"definition": definition})
    assert response.status_code == 400
    assert response.json()["code"] == "schema_refused"
