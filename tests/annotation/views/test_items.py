from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from annotation.models import Role
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return factories.make_project()


def get(client: Client, project, query: str = "") -> str:
    response = client.get(reverse("annotation:items", args=[project.slug]) + query)
    assert response.status_code == 200
    return response.content.decode()


def test_it_pages_through_items(client: Client, project) -> None:
    factories.make_items(project, 60)
    client.force_login(factories.add_member(project, Role.REVIEWER))
    html = get(client, project, "?split=&state=")
    assert html.count("<tr>") == 51
    assert "after=" in html
    second = get(client, project, "?after=49")
    assert second.count("<tr>") == 11
    assert "before=50" in second


@pytest.mark.parametrize(
    "query", ["?after=x", "?after=-1", "?after=99999999999999999999999", "?before=", "?split=zz"]
)
def test_it_survives_nonsense_in_the_address(client: Client, project, query: str) -> None:
    factories.make_items(project, 2)
    client.force_login(factories.add_member(project, Role.REVIEWER))
    assert "text number" in get(client, project, query)


def test_it_says_so_when_nothing_matches_and_when_nothing_is_there(client: Client, project) -> None:
    client.force_login(factories.add_member(project, Role.REVIEWER))
    assert "No items yet" in get(client, project)
    factories.make_items(project, 1)
    assert "No item matches" in get(client, project, "?text=absent")


def test_a_text_is_never_markup(client: Client, project) -> None:
    factories.make_items(project, ["<b onclick=x>bold</b>"])
    client.force_login(factories.add_member(project, Role.REVIEWER))
    assert "&lt;b onclick=x&gt;" in get(client, project)


def test_an_annotator_may_not_look_up_labels(client: Client, project) -> None:
    client.force_login(factories.add_member(project))
    assert client.get(reverse("annotation:items", args=[project.slug])).status_code == 403
