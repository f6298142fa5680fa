"""The labelling page's endpoints: shapes, rights, and retries after a lost reply."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from rest_framework.test import APIClient

from annotation.models import Annotation, Prelabel, Project, Role, Slot
from annotation.services import batches, prelabels, projects
from tests.factories import add_member, make_items, make_model_labeller, make_project, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    project = make_project(overlap_share=0.0, spot_check_share=0.0, evaluation_items=0, daily_goal=20)
    items = make_items(project, ["one", "two", "three", "four", "five"], split="train")
    batches.publish(project, [batches.Pick(row=item.row) for item in items], origin="round-1")
    return project


@pytest.fixture
def ana(project: Project) -> Any:
    return add_member(project)


@pytest.fixture
def call(project: Project, ana: Any) -> Callable[..., Any]:
    client = APIClient()
    client.force_login(ana)

    def send(name: str, body: dict[str, Any] | None = None, **query: Any) -> Any:
        url = reverse(f"annotation-api:{name}", args=[project.slug])
        return client.get(url, query) if body is None else client.post(url, body)

    return send


def answer(slot: str, key: str = "key-1", label: str = "refund", **more: Any) -> dict[str, Any]:
    return {"slot": slot, "value": {"label": label}, "client_key": key, **more}


def test_it_hands_out_items_in_the_agreed_shape(call: Any) -> None:
    response = call("next", count=2)
    assert response.status_code == 200
    body = response.json()
    assert [slot["text"] for slot in body["slots"]] == ["one", "two"]
    assert set(body["slots"][0]) == {
        *("slot", "text", "lease_expires_at", "prelabel", "prelabel_mode", "scores", "explanation"),
        *("content", "meta", "drafts", "previous"),
    }
    assert body["slots"][0]["prelabel"] is None
    assert body["slots"][0]["prelabel_mode"] == "none"
    assert body["progress"] == {"today": 0, "goal": 20}
    assert body["message"] == ""


def test_it_does_not_tell_what_a_slot_is_for(call: Any) -> None:
    assert "purpose" not in call("next").content.decode()


def test_it_says_why_there_is_nothing_while_paused(call: Any, project: Project) -> None:
    projects.pause(project)
    body = call("next").json()
    assert body["slots"] == []
    assert "paused" in body["message"]


def test_it_stores_an_answer_and_tops_up(call: Any) -> None:
    held = [slot["slot"] for slot in call("next", count=3).json()["slots"]]
    body = call("submit", answer(held[0], exclude=held[1:], count=3, active_ms=1200)).json()
    assert body["stored"] is True
    assert body["created"] is True
    assert [slot["text"] for slot in body["next"]] == ["four"]
    assert body["progress"]["today"] == 1
    stored = Annotation.objects.get(uuid=body["annotation"])
    assert stored.value == {"label": "refund"}
    assert stored.active_ms == 1200


def test_it_gives_nothing_more_to_a_page_that_holds_enough(call: Any) -> None:
    held = [slot["slot"] for slot in call("next", count=4).json()["slots"]]
    assert call("submit", answer(held[0], exclude=held[1:], count=3)).json()["next"] == []


def test_it_stores_the_same_key_once(call: Any) -> None:
    [slot, *_] = [slot["slot"] for slot in call("next").json()["slots"]]
    first, second = call("submit", answer(slot)).json(), call("submit", answer(slot)).json()
    assert (first["created"], second["created"]) == (True, False)
    assert first["annotation"] == second["annotation"]
    assert Annotation.objects.count() == 1


def test_it_keeps_the_value_when_it_refuses_it(call: Any) -> None:
    [slot, *_] = [slot["slot"] for slot in call("next").json()["slots"]]
    response = call("submit", answer(slot, label="nonsense"))
    assert response.status_code == 400
    body = response.json()
    assert body["code"] == "label_refused"
    assert body["details"]["value"] == {"label": "nonsense"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"value": {"label": "refund"}, "client_key": "k"}, "slot"),
        ({"slot": "not-a-uuid", "value": {"label": "refund"}, "client_key": "k"}, "slot"),
        ({"slot": str(uuid.uuid4()), "value": "refund", "client_key": "k"}, "value"),
        ({"slot": str(uuid.uuid4()), "value": {"label": "refund"}, "client_key": "k" * 65}, "client_key"),
        ({"slot": str(uuid.uuid4()), "value": {"label": "refund"}}, "client_key"),
    ],
)
def test_it_names_the_field_that_is_wrong(call: Any, body: dict[str, Any], field: str) -> None:
    response = call("submit", body)
    assert response.status_code == 400
    assert response.json()["code"] == "invalid"
    assert response.json()["message"].startswith(f"{field}:")


def test_it_says_when_somebody_else_has_the_item(call: Any, project: Project) -> None:
    ben = add_member(project)
    other = APIClient()
    other.force_login(ben)
    [slot, *_] = other.get(reverse("annotation-api:next", args=[project.slug])).json()["slots"]
    response = call("submit", answer(slot["slot"]))
    assert response.status_code == 409
    assert response.json()["code"] == "slot_taken"
    assert response.json()["details"]["value"] == {"label": "refund"}


def test_it_does_not_know_a_slot_of_another_project(call: Any) -> None:
    response = call("submit", answer(str(uuid.uuid4())))
    assert response.status_code == 404
    assert response.json()["code"] == "slot_unknown"


def test_it_skips_once_however_often_it_is_sent(call: Any) -> None:
    held = [slot["slot"] for slot in call("next", count=1).json()["slots"]]
    body = {"slot": held[0], "reason": "No label fits", "client_key": "s1", "exclude": [], "count": 1}
    first, second = call("skip", body), call("skip", body)
    assert first.status_code == second.status_code == 200
    assert [slot["text"] for slot in first.json()["next"]] == ["two"]
    assert Slot.objects.filter(state=Slot.State.SKIPPED).count() == 1
    assert Slot.objects.filter(item__text="one").count() == 2


def test_it_needs_a_reason_to_skip(call: Any) -> None:
    held = [slot["slot"] for slot in call("next", count=1).json()["slots"]]
    assert call("skip", {"slot": held[0], "reason": "   "}).status_code == 400


def test_it_takes_the_last_answer_back_with_its_label(call: Any) -> None:
    held = [slot["slot"] for slot in call("next", count=2).json()["slots"]]
    call("submit", answer(held[0], "k1", "other"))
    call("submit", answer(held[1], "k2", "refund"))
    body = call("undo", {}).json()
    assert body["slot"]["slot"] == held[1]
    assert body["slot"]["previous"] == {"label": "refund"}
    assert body["progress"]["today"] == 1


def test_it_takes_one_answer_back_when_undo_is_sent_twice(call: Any) -> None:
    held = [slot["slot"] for slot in call("next", count=2).json()["slots"]]
    call("submit", answer(held[0], "k1", "other"))
    call("submit", answer(held[1], "k2"))
    first, second = call("undo", {"slot": held[1]}), call("undo", {"slot": held[1]})
    assert first.json()["slot"]["slot"] == second.json()["slot"]["slot"] == held[1]
    assert second.json()["progress"]["today"] == 1


def test_it_says_when_nothing_is_left_to_take_back(call: Any) -> None:
    response = call("undo", {})
    assert response.status_code == 409
    assert response.json()["code"] == "nothing_to_undo"


def test_it_renews_what_is_still_ones_own(call: Any, project: Project) -> None:
    held = [slot["slot"] for slot in call("next", count=2).json()["slots"]]
    Slot.objects.filter(uuid=held[0]).update(state=Slot.State.FREE, person=None, lease_expires_at=None)
    body = call("renew", {"slots": held}).json()
    assert [slot["slot"] for slot in body["slots"]] == [held[1]]
    assert body["slots"][0]["lease_expires_at"]


def test_it_gives_items_back(call: Any) -> None:
    held = [slot["slot"] for slot in call("next", count=2).json()["slots"]]
    assert call("release", {"slots": held}).json() == {"released": 2}
    assert not Slot.objects.filter(state=Slot.State.LEASED).exists()


def test_it_shows_a_suggestion_and_books_that_it_was_accepted(call: Any, project: Project) -> None:
    slot = Slot.objects.order_by("rank").first()
    assert slot is not None
    prelabels.store(
        project, make_model_labeller(project), [(slot.item_id, {"label": "refund"}, 0.8, {"refund": 0.8})]
    )
    [shown, *_] = call("next", count=1).json()["slots"]
    assert shown["prelabel"]["value"] == shown["drafts"] == {"label": "refund"}
    assert shown["prelabel"]["confidence"] == 0.8
    assert shown["prelabel_mode"] == "shown"
    stored = call("submit", answer(shown["slot"], prelabel=shown["prelabel"]["uuid"])).json()
    annotation = Annotation.objects.get(uuid=stored["annotation"])
    assert annotation.accepted_prelabel is True
    assert annotation.prelabel == Prelabel.objects.get()


def test_it_is_closed_to_strangers_and_outsiders(project: Project) -> None:
    url = reverse("annotation-api:next", args=[project.slug])
    client = APIClient()
    assert client.get(url).status_code in (401, 403)
    client.force_login(make_user())
    assert client.get(url).status_code == 404


def test_it_refuses_a_label_from_a_person_who_was_removed(call: Any, project: Project, ana: Any) -> None:
    [slot, *_] = call("next").json()["slots"]
    project.memberships.filter(user=ana).update(is_active=False)
    refused = call("submit", answer(slot["slot"]))
    assert (refused.status_code, refused.json()["code"]) == (403, "membership_ended")
    assert not Annotation.objects.exists()


def test_it_takes_nothing_for_an_archived_project(call: Any, project: Project) -> None:
    [slot, *_] = call("next").json()["slots"]
    projects.archive(project)
    response = call("submit", answer(slot["slot"]))
    assert response.status_code == 403
    assert "archived" in response.json()["message"]


def test_it_answers_next_and_submit_in_a_fixed_number_of_queries(call: Any, project: Project) -> None:
    add_member(project, Role.REVIEWER)
    [slot, *_] = call("next", count=1).json()["slots"]
    call("submit", answer(slot["slot"], "warm", count=1))
    [slot, *_] = call("next", count=1).json()["slots"]
    with CaptureQueriesContext(
        connection,
    ) as asked:
        call("submit", answer(slot["slot"], "k2", count=1))
    assert len(asked) <= 28, [query["sql"][:120] for query in asked]


def test_a_refusal_is_said_in_the_language_that_was_asked_for(call: Any, project: Project, ana: Any) -> None:
    slot = call("next").json()["slots"][0]["slot"]
    client = APIClient(headers={"Accept-Language": "zh-hans"})
    client.force_login(ana)
    response = client.post(
        reverse("annotation-api:submit", args=[project.slug]), answer(slot, label="nothing")
    )
    assert response.status_code == 400
    assert response.json() == {
        "code": "label_refused",
        "message": "标签 'nothing' 不在标签方案中：请使用 refund, card-lost, other 之一，或把它加入方案",
        "details": {"value": {"label": "nothing"}},
    }
