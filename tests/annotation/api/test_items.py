from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from annotation.models import Item, ItemTag, Prelabel, Project, Resolution, Role, Tag
from annotation.services import item_actions, search_index
from jobs.models import Job
from tests import typed
from tests.factories import add_member, make_item, make_items, make_labels, make_project, make_user

pytestmark = pytest.mark.django_db
UNKNOWN = "00000000-0000-4000-8000-000000000000"


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
    second = api.get(url(project), {"size": 3, "cursor": first["cursor"]}).json()
    assert [item["text"] for item in second["items"]] == ["text 3", "text 4"]
    assert (second["cursor"], second["stopped"]) == (None, None)
    last = api.get(url(project), {"size": 1, "sort": "-row"}).json()
    assert [item["row"] for item in last["items"]] == [4]


def test_it_filters_as_the_page_does(api: APIClient, project: Project) -> None:
    items = make_items(project, ["My card is lost", "退款还没到账", "My card was found"], source="crm")
    make_labels(project, items[:1], ["Refund"])
    tag = Tag.objects.create(project=project, name="ask")
    ItemTag.objects.create(tag=tag, item=items[1])
    search_index.catch_up(project)

    def rows(**query: Any) -> list[int]:
        return [item["row"] for item in api.get(url(project), query).json()["items"]]

    assert rows(text="card") == [0, 2, 3]  # the label came with a duplicate
    assert rows(text="退款") == [1]
    assert rows(label="refund") == rows(label="label:refund") == rows(state="labelled") == [0]
    assert rows(tag="ask") == rows(tag=str(tag.uuid)) == [1]
    assert rows(source="crm") == [0, 1, 2]
    found = api.get(url(project), {"label": "refund"}).json()["items"][0]
    assert (found["label"], found["value"], found["method"]) == ("refund", {"label": "refund"}, "import")


@pytest.mark.parametrize(
    "query",
    [{"state": "nonsense"}, {"tag": "unknown"}, {"source": "unknown"}, {"sort": "text"}, {"sure_from": 2}],
)
def test_it_says_what_is_wrong_with_a_filter(api: APIClient, project: Project, query: dict[str, Any]) -> None:
    response = api.get(url(project), query)
    assert response.status_code == 400
    assert next(iter(query)) in response.json()["message"]


def test_it_does_an_action_to_items_named_in_three_ways(api: APIClient, project: Project) -> None:
    items = make_items(project, 4, split="train")
    send = {"action": "tag", "options": {"tag": "ask"}}
    answer = api.post(url(project, "item-actions"), {**send, "items": [str(items[0].uuid)]}, format="json")
    assert answer.json() == {"done": 1, "left": {}, "job": None, "is_whole": True}
    answer = api.post(url(project, "item-actions"), {**send, "rows": "0-1"}, format="json").json()
    assert (answer["done"], answer["left"]) == (1, {"tagged": 1})
    answer = api.post(
        url(project, "item-actions"), {**send, "filter": {"split": "train"}}, format="json"
    ).json()
    assert (answer["done"], answer["left"]) == (2, {"tagged": 2})


def test_many_items_are_changed_by_a_job(api: APIClient, project: Project, monkeypatch: Any) -> None:
    monkeypatch.setattr(item_actions, "AT_ONCE", 1)
    make_items(project, 2)
    body = {"action": "queue_first", "rows": "0-1"}
    response = api.post(url(project, "item-actions"), body, format="json")
    assert response.status_code == 202
    assert response.json()["job"] == str(Job.objects.get().uuid)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"action": "tag", "rows": "0", "items": []}, "invalid"),
        ({"action": "tag", "options": {"tag": "x"}}, "invalid"),
        ({"action": "explode", "rows": "0"}, "invalid"),
        ({"action": "tag", "rows": "0"}, "action_refused"),
        ({"action": "assign", "rows": "0", "options": {"to": "person:x"}}, "action_refused"),
        (
            {"action": "tag", "options": {"tag": "x"}, "items": ["00000000-0000-4000-8000-000000000000"]},
            "invalid",
        ),
    ],
)
def test_it_refuses_an_action_with_a_reason(
    api: APIClient, project: Project, body: dict[str, Any], code: str
) -> None:
    make_items(project, 1)
    response = api.post(url(project, "item-actions"), body, format="json")
    assert (response.status_code, response.json()["code"]) == (400, code)


@pytest.mark.parametrize(
    ("role", "action", "status"),
    [
        (Role.ANNOTATOR, "tag", 403),
        (Role.REVIEWER, "tag", 200),
        (Role.REVIEWER, "delete", 403),
        (None, "tag", 404),
    ],
)
def test_actions_ask_for_the_right(project: Project, role: str | None, action: str, status: int) -> None:
    make_items(project, 1)
    client = APIClient()
    client.force_login(add_member(project, role) if role else make_user())
    body = {"action": action, "rows": "0", "options": {"tag": "x"}}
    assert client.post(url(project, "item-actions"), body, format="json").status_code == status


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


def test_it_takes_content_and_whole_values(api: APIClient) -> None:
    project = typed.make_project("preference")
    api.force_login(add_member(project, Role.ENGINEER))
    records = [
        {"text": "Where?", "data": {"responses": ["Here", "There"]}, "value": typed.answer("preference", 0)},
        {"text": "When?", "data": {"responses": ["Now", "Then"]}, "label": {"ranking": [["r1", "r2"]]}},
        {"text": "Why?", "data": {"responses": ["Because"]}},
        {"text": "Who?", "data": {"responses": ["I", "You"]}, "value": {"preferred": {"ranking": [["r9"]]}}},
        {"text": "What?"},
    ]
    answer = api.post(url(project), {"source": "feed", "items": records}, format="json").json()
    assert (answer["added"], answer["labelled"]) == (2, 2)
    assert [(one["index"], one["code"]) for one in answer["refused"]] == [
        (2, "content"),
        (3, "answer"),
        (4, "content"),
    ]
    assert Resolution.objects.order_by("pk").first().value == typed.answer("preference", 0)
