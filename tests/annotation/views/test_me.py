from __future__ import annotations

import pytest
from django.test import Client

from tests import factories

pytestmark = pytest.mark.django_db


def test_it_teaches_who_belongs_to_no_project(client: Client) -> None:
    client.force_login(factories.make_user())
    assert "No project yet" in client.get("/me").content.decode()


def test_it_shows_nothing_of_projects_one_does_not_belong_to(client: Client) -> None:
    project, other = factories.make_project("Mine"), factories.make_project("Other one")
    client.force_login(factories.add_member(project))
    html = client.get(f"/me?project={other.slug}").content.decode()
    assert "Other one" not in html
    assert "Mine" in html
    assert "none yet" in html
