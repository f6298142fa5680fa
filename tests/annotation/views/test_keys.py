from __future__ import annotations

import re

import pytest
from django.urls import reverse

from annotation.models import KeyMap, Role
from annotation.services import batches
from tests.factories import add_member, make_items, make_project, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    made = make_project(overlap_share=0, evaluation_items=0, spot_check_share=1.0)
    items = make_items(made, 2, split="train")
    batches.publish(made, [batches.Pick(row=item.row) for item in items], origin="x")
    return made


def page(project, name="keys"):
    return reverse(f"annotation:{name}", args=[project.slug])


def keys_on(html: str) -> dict[str, str]:
    """Value of each button of the labelling page -> its key."""
    return {value: key for value, key in re.findall(r'value="([\w-]+)"[^>]*?data-key="([^"]+)"', html)}


def test_own_keys_are_on_the_labelling_page(client, project):
    client.force_login(add_member(project))
    usual = keys_on(client.get(page(project, "label")).content.decode())
    assert (usual["refund"], usual["card-lost"], usual["skip"]) == ("1", "2", "s")
    sent = {"action.skip": "X", "label.refund": "r", "label.other": "s"}
    assert client.post(page(project), sent).status_code == 302
    own = keys_on(client.get(page(project, "label")).content.decode())
    assert (own["refund"], own["card-lost"], own["other"]) == ("r", "1", "s")
    assert (own["skip"], own["undo"]) == ("x", "u")


def test_they_are_ones_own(client, project):
    client.force_login(add_member(project))
    client.post(page(project), {"label.refund": "r"})
    client.force_login(add_member(project))
    assert keys_on(client.get(page(project, "label")).content.decode())["refund"] == "1"


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        ({"action.skip": "u"}, "The key “U” would do two things"),
        ({"label.refund": "s"}, "The key “S” would do two things"),
        ({"label.refund": "r", "label.other": "R"}, "The key “R” would do two things"),
        ({"label.refund": "?"}, "“?” cannot be a key here"),
    ],
)
def test_keys_that_cannot_be_are_said_and_stay_typed(client, project, sent, words):
    client.force_login(add_member(project))
    response = client.post(page(project), sent)
    assert response.status_code == 422
    html = response.content.decode()
    assert words in html
    assert all(f'name="{name}" value="{key}"' in html for name, key in sent.items())
    assert not KeyMap.objects.exists()


def test_the_usual_keys_come_back(client, project):
    client.force_login(add_member(project, Role.REVIEWER))
    client.post(page(project), {"label.refund": "r", "action.guide": "h"})
    assert KeyMap.objects.get().actions == {"guide": "h"}
    client.post(page(project), {"action": "reset"})
    assert not KeyMap.objects.exists()


def test_outsiders_have_no_keys(client, project):
    client.force_login(make_user())
    assert client.get(page(project)).status_code == 404
