from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotation.models import Annotation, Project, Slot
from annotation.services import batches, prelabels, projects
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    made = factories.make_project(overlap_share=0, evaluation_items=0, spot_check_share=0)
    items = factories.make_items(made, [f"text {i}" for i in range(5)], split="train")
    batches.publish(made, [batches.Pick(row=item.row) for item in items], origin="test")
    return made


@pytest.fixture
def page(client: Client, project: Project) -> str:
    client.force_login(factories.add_member(project))
    return reverse("annotation:label", args=[project.slug])


def embedded(html: str) -> dict[str, Any]:
    found = re.search(r'<script id="label-data" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert found
    return json.loads(found.group(1))


def held(client: Client, page: str) -> list[str]:
    return [slot["slot"] for slot in embedded(client.get(page).content.decode())["slots"]]


def test_the_page_carries_the_first_three_items(client: Client, page: str) -> None:
    html = client.get(page).content.decode()
    data = embedded(html)
    assert [slot["text"] for slot in data["slots"]] == ["text 0", "text 1", "text 2"]
    assert 'data-part="text">text 0</p>' in html
    assert data["urls"]["submit"].endswith("/submit")
    assert data["instant"] is True
    assert set(data["fields"][0]["names"]["labels"]) == {"refund", "card-lost", "other"}


def test_loading_it_again_shows_the_same_items(client: Client, page: str) -> None:
    assert held(client, page) == held(client, page)


def test_a_text_cannot_break_out_of_the_data_block(client: Client) -> None:
    project = factories.make_project(overlap_share=0, evaluation_items=0)
    item = factories.make_item(project, "</script><script>alert(1)</script>")
    batches.publish(project, [batches.Pick(row=item.row)], origin="test")
    client.force_login(factories.add_member(project))
    html = client.get(reverse("annotation:label", args=[project.slug])).content.decode()
    assert "<script>alert" not in html
    assert embedded(html)["slots"][0]["text"] == item.text


def test_the_form_stores_a_label_once(client: Client, page: str, project: Project) -> None:
    data = {"slot": held(client, page)[0], "label": "refund", "client_key": uuid.uuid4().hex, "prelabel": ""}
    for _ in range(2):
        assert client.post(page, data).status_code == 302
    assert [one.value for one in Annotation.objects.all()] == [{"label": "refund"}]
    assert "1 of 60 today" in client.get(page).content.decode()


def test_the_form_accepts_a_suggestion(client: Client, page: str, project: Project) -> None:
    item = project.items.get(text="text 0")
    labeller = factories.make_model_labeller(project)
    prelabels.store(project, labeller, [(item.pk, {"label": "other"}, 0.9, {})])
    html = client.get(page).content.decode()
    prelabel = re.search(r'name="prelabel" value="([^"]+)"', html)
    assert prelabel
    client.post(page, {"slot": held(client, page)[0], "prelabel": prelabel.group(1), "action": "accept"})
    stored = Annotation.objects.get()
    assert (stored.value, stored.accepted_prelabel) == ({"label": "other"}, True)


def test_accepting_where_nothing_is_suggested_says_so(client: Client, page: str) -> None:
    response = client.post(page, {"slot": held(client, page)[0], "action": "accept"}, follow=True)
    assert Annotation.objects.count() == 0
    assert 'class="message error"' in response.content.decode()


def test_a_label_outside_the_schema_is_refused_with_a_sentence(client: Client, page: str) -> None:
    response = client.post(page, {"slot": held(client, page)[0], "label": "nonsense"}, follow=True)
    assert Annotation.objects.count() == 0
    assert "nonsense" in response.content.decode()


@pytest.mark.parametrize("slot", ["", "nonsense", "0158a8b7-e489-40b3-af9c-8bcb1c472ae8"])
def test_a_form_for_no_known_item_is_refused_with_a_sentence(client: Client, page: str, slot: str) -> None:
    response = client.post(page, {"slot": slot, "label": "refund"}, follow=True)
    assert "load the page again" in response.content.decode()


def test_skipping_without_a_reason_asks_for_one(client: Client, page: str) -> None:
    slot = held(client, page)[0]
    response = client.post(page, {"slot": slot, "action": "skip"})
    assert "Why skip this one?" in response.content.decode()
    client.post(page, {"slot": slot, "action": "skip", "reason": "No label fits"})
    assert Slot.objects.get(uuid=slot).skip_reason == "No label fits"


def test_undo_with_nothing_to_undo_says_so(client: Client, page: str) -> None:
    response = client.post(page, {"action": "undo"}, follow=True)
    assert "nothing to take back" in response.content.decode()


def test_a_paused_project_says_why_there_is_nothing(client: Client, page: str, project: Project) -> None:
    projects.pause(project, by=None)
    assert "The project is paused" in client.get(page).content.decode()


def test_a_stranger_finds_nothing(client: Client, project: Project) -> None:
    client.force_login(factories.make_user())
    assert client.get(reverse("annotation:label", args=[project.slug])).status_code == 404


def test_opening_it_takes_few_queries(client: Client, page: str, django_assert_max_num_queries: Any) -> None:
    client.get(page)
    with django_assert_max_num_queries(16):
        client.get(page)
