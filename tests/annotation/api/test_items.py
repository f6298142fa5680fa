from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from annotation.models import Item, Prelabel, Project, Resolution, Role
from tests.factories import add_member, make_item, make_items, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def api(project: Project) -> APIClient:
    client = APIClient()
    client.force_login(add_member(project, Role.ENGINEER))
    return client


def url(project: Project, name: str = "items") -> str:
    return reverse(f"annotation-api:{name}", args=[project.slug])


def test_it_adds_items_and_says_what_became_of_each(api: APIClient, project: Project) -> None:
    records = [
        {"text": "I want my money back", "external_id": "a", "label": "Refund", "meta": {"channel": "mail"}},
        {"text": "I want my money  BACK", "external_id": "b"},
        {"text": "   ", "external_id": "c"},
        {"text": "My card is gone", "label": "no such label"},
        {"text": "Hello", "split": "test"},
    ]
    body = api.post(url(project), {"source": "crm", "items": records}).json()
    assert (body["added"], body["duplicates"], body["labelled"]) == (2, 1, 1)
    assert [uuid is None for uuid in body["items"]] == [False, False, True, True, False]
    assert [(one["index"], one["code"]) for one in body["refused"]] == [
        (2, "empty_text"),
        (3, "unknown_label"),
    ]
    first = Item.objects.get(uuid=body["items"][0])
    assert first.meta == {"channel": "mail"}
    assert Item.objects.get(uuid=body["items"][4]).split == "test"
    assert Resolution.objects.get(item=first).value == {"label": "refund"}


def test_it_adds_nothing_when_the_same_is_sent_again(api: APIClient, project: Project) -> None:
    records = [{"text": "one", "external_id": "1"}, {"text": "two", "external_id": "2"}]
    first = api.post(url(project), {"source": "crm", "items": records}).json()
    again = api.post(url(project), {"source": "crm", "items": records}).json()
    assert (again["added"], again["unchanged"]) == (0, 2)
    assert again["items"] == first["items"]


def test_it_names_the_record_that_has_no_text(api: APIClient, project: Project) -> None:
    response = api.post(url(project), {"source": "crm", "items": [{"text": "fine"}, {"label": "refund"}]})
    assert response.status_code == 400
    assert "items.1.text" in response.json()["message"]
    assert not Item.objects.exists()


def test_it_lists_items_page_by_page(api: APIClient, project: Project) -> None:
    make_items(project, [f"text {i}" for i in range(5)])
    first = api.get(url(project), {"size": 3}).json()
    assert [item["text"] for item in first["items"]] == ["text 0", "text 1", "text 2"]
    second = api.get(url(project), {"size": 3, "after": first["after"]}).json()
    assert [item["text"] for item in second["items"]] == ["text 3", "text 4"]
    assert second["after"] is None
    assert api.get(url(project), {"text": "TEXT 4"}).json()["items"][0]["row"] == 4
    assert api.get(url(project), {"state": "nonsense"}).status_code == 400


def test_it_stores_suggestions_of_a_model(api: APIClient, project: Project) -> None:
    item = make_item(project)
    body = {
        "labeller": {"key": "bert-1", "name": "BERT 1"},
        "prelabels": [
            {
                "item": str(item.uuid),
                "value": {"label": "refund"},
                "confidence": 0.9,
                "scores": {"refund": 0.9},
            }
        ],
    }
    assert api.post(url(project, "prelabels"), body).json() == {"stored": 1}
    stored = Prelabel.objects.get()
    assert (stored.item, stored.confidence, stored.labeller.name) == (item, 0.9, "BERT 1")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"value": {"label": "nonsense"}}, "prelabel_refused"),
        ({"confidence": 1.5}, "invalid"),
        ({"item": "00000000-0000-4000-8000-000000000000"}, "prelabel_refused"),
    ],
)
def test_it_stores_no_suggestion_when_one_is_wrong(
    api: APIClient, project: Project, change: dict[str, Any], code: str
) -> None:
    good = {"item": str(make_item(project).uuid), "value": {"label": "refund"}, "confidence": 0.5}
    other = {**good, "item": str(make_item(project).uuid), **change}
    body = {"labeller": {"key": "m", "name": "M"}, "prelabels": [good, other]}
    response = api.post(url(project, "prelabels"), body)
    assert response.status_code == 400
    assert response.json()["code"] == code
    assert not Prelabel.objects.exists()


def test_it_takes_no_items_from_an_annotator(project: Project) -> None:
    client = APIClient()
    client.force_login(add_member(project))
    records = {"source": "crm", "items": [{"text": "one"}]}
    assert client.post(url(project), records).status_code == 403
    assert client.get(url(project)).status_code == 403
    assert not Item.objects.exists()
