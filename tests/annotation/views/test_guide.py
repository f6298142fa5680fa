from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from annotation.models import Role
from annotation.services import guidelines
from tests import factories

pytestmark = pytest.mark.django_db


def address(name: str, project) -> str:
    return reverse(f"annotation:{name}", args=[project.slug])


def test_it_shows_the_guideline_with_its_versions_and_labels(client: Client) -> None:
    project = factories.make_project()
    guidelines.publish(project, "# Old", change_note="")
    guidelines.publish(project, "# Refunds\n\nMoney **back**.", change_note="refunds made clear")
    client.force_login(factories.add_member(project))
    html = client.get(address("guide", project)).content.decode()
    assert "<strong>back</strong>" in html
    assert "refunds made clear" in html
    assert "Card lost" in html
    old = client.get(address("guide", project) + "?version=1").content.decode()
    assert "<h1>Old</h1>" in old
    assert "the current one is 2" in old


def test_it_shows_html_in_a_guideline_as_text(client: Client) -> None:
    project = factories.make_project()
    guidelines.publish(project, "<script>alert(1)</script> [x](javascript:alert(1)) ![i](http://a/b.png)")
    client.force_login(factories.add_member(project))
    html = client.get(address("guide_text", project)).content.decode()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert 'href="javascript' not in html
    assert "<img" not in html


def test_an_admin_publishes_a_version(client: Client) -> None:
    project = factories.make_project()
    admin = factories.add_member(project, Role.ADMIN)
    client.force_login(admin)
    data = {"text": "Be kind.", "change_note": "first words", "base": 0}
    response = client.post(address("guide_edit", project), data)
    assert response.status_code == 302
    version = project.guidelines.get()
    assert (version.number, version.text, version.created_by) == (1, "Be kind.", admin)


def test_two_admins_do_not_overwrite_each_other_unseen(client: Client) -> None:
    project = factories.make_project()
    client.force_login(factories.add_member(project, Role.ADMIN))
    guidelines.publish(project, "published meanwhile")
    response = client.post(address("guide_edit", project), {"text": "mine", "change_note": "", "base": 0})
    assert response.status_code == 422
    html = response.content.decode()
    assert "Version 1 was published while you wrote" in html
    assert ">\nmine</textarea>" in html
    assert 'name="base" value="1"' in html


@pytest.mark.parametrize("role", [Role.ANNOTATOR, Role.REVIEWER, Role.ENGINEER])
def test_only_admins_may_write(client: Client, role: str) -> None:
    project = factories.make_project()
    client.force_login(factories.add_member(project, role))
    assert client.get(address("guide_edit", project)).status_code == 403


def test_a_stranger_finds_nothing(client: Client) -> None:
    project = factories.make_project()
    client.force_login(factories.make_user())
    assert client.get(address("guide", project)).status_code == 404
