"""The page of the quick pass, as it works without scripts."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from annotation.models import Annotation, Project, Rejection
from annotation.services import batches, prelabels, projects
from tests.factories import add_member, make_items, make_model_labeller, make_project, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    made = make_project(
        overlap_share=0.0, spot_check_share=0.0, evaluation_items=0, self_consistency_share=0.0
    )
    items = make_items(made, ["first <b>text</b>", "second text"], split="train")
    rows = [(item.pk, {"label": "refund"}, 0.8, {}) for item in items]
    prelabels.store(made, make_model_labeller(made), rows)
    batches.publish(made, [batches.Pick(row=item.row) for item in items], origin="test")
    return made


def page(project: Project) -> str:
    return reverse("annotation:check", args=[project.slug])


def sent(html: str, action: str) -> dict[str, str]:
    found = dict(re.findall(r'name="(slot|prelabel|client_key)" value="([^"]+)"', html))
    return {**found, "action": action}


def test_its_buttons_work_without_scripts(client: Client, project: Project) -> None:
    client.force_login(add_member(project))
    html = client.get(page(project)).content.decode()
    assert "first &lt;b&gt;text&lt;/b&gt;" in html
    assert "<strong" in html and "Refund" in html
    client.post(page(project), sent(html, "accept"))
    assert Annotation.objects.get().accepted_prelabel
    html = client.get(page(project)).content.decode()
    assert "second text" in html
    client.post(page(project), sent(html, "reject"))
    assert Rejection.objects.count() == 1
    assert "No suggestion is waiting" in client.get(page(project)).content.decode()
    client.post(page(project), {"action": "undo"})
    assert "second text" in client.get(page(project)).content.decode()
    answer = client.post(page(project), {"action": "accept", "slot": "nonsense"}, follow=True)
    assert "did not say which item" in answer.content.decode()


def test_label_it_myself_opens_that_item_on_the_labelling_page(client: Client, project: Project) -> None:
    client.force_login(add_member(project))
    client.get(page(project))
    held = {slot.item.text: slot for slot in project.slots.select_related("item")}
    url = reverse("annotation:label", args=[project.slug])
    html = client.get(url, {"slot": held["second text"].uuid}).content.decode()
    assert f'name="slot" value="{held["second text"].uuid}"' in html
    html = client.get(url, {"slot": "nonsense"}).content.decode()
    assert f'name="slot" value="{held["first <b>text</b>"].uuid}"' in html


def test_it_says_that_a_manual_project_shows_none(client: Client, project: Project) -> None:
    projects.update_settings(project, mode="manual")
    client.force_login(add_member(project))
    html = client.get(page(project)).content.decode()
    assert "items are labelled by hand" in html
    assert f'href="{page(project)}"' not in html  # no tab


def test_it_is_for_members(client: Client, project: Project) -> None:
    client.force_login(make_user())
    assert client.get(page(project)).status_code == 404
    assert client.post(page(project), {"action": "undo"}).status_code == 404
