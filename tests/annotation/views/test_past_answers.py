"""One's own last answers: read again, found by text, opened again while nobody has decided on them."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotation.models import Annotation, Review
from annotation.selectors import past_answers
from annotation.services import batches, labelling, queue, reviews
from tests import typed
from tests.factories import add_member, make_items, make_project, make_user

pytestmark = pytest.mark.django_db
TEXTS = [f"text {number:02}" for number in range(6)]


@pytest.fixture
def project():
    made = make_project(overlap_share=0, evaluation_items=0, spot_check_share=0)
    items = make_items(made, TEXTS, split="train")
    batches.publish(made, [batches.Pick(row=item.row) for item in items], origin="")
    return made


@pytest.fixture
def ana(project):
    return add_member(project)


@pytest.fixture
def client(ana):
    client = Client()
    client.force_login(ana)
    return client


def answer(project, user, *labels):
    slots = queue.lease(project, user, count=len(labels))
    for slot, label in zip(slots, labels, strict=True):
        labelling.submit(project, user, slot.uuid, {"label": label}, client_key=uuid.uuid4().hex)
    return slots


def address(project):
    return reverse("annotation:mine", args=[project.slug])


def shown(project, user, **more):
    return [(row.text, row.answer) for row in past_answers.page(user, project, **more).rows]


def test_it_lists_what_stands_the_newest_first(project, ana, client):
    slots = answer(project, ana, "refund", "other", "card-lost")
    labelling.submit(project, ana, slots[0].uuid, {"label": "other"}, client_key="changed")
    labelling.undo(project, ana, slots[1].uuid)
    answer(project, add_member(project), "refund")
    assert shown(project, ana) == [("text 00", "Other"), ("text 02", "Card lost")]
    html = client.get(address(project)).content.decode()
    assert html.index("text 00") < html.index("text 02")
    assert "text 01" not in html


def test_it_finds_by_text_and_by_answer(project, ana, client):
    answer(project, ana, "refund", "other", "card-lost")
    assert shown(project, ana, text="TEXT  01") == [("text 01", "Other")]
    assert shown(project, ana, text="card") == [("text 02", "Card lost")]
    assert "None of your last answers" in client.get(address(project), {"text": "zzz"}).content.decode()


def test_it_opens_an_answer_again_and_shows_its_item_first(project, ana, client):
    slots = answer(project, ana, "refund", "other")
    queue.lease(project, ana, count=3)
    response = client.post(address(project), {"slot": slots[1].uuid}, follow=True)
    html = response.content.decode()
    assert response.redirect_chain[0][0].endswith(f"/label?slot={slots[1].uuid}")
    assert response.context["first"]["text"] == "text 01"
    assert response.context["first"]["previous"] == {"label": "other"}
    assert "text 01" in html
    assert shown(project, ana) == [("text 00", "Refund")]
    labelling.submit(project, ana, slots[1].uuid, {"label": "refund"}, client_key="new")
    assert shown(project, ana)[0] == ("text 01", "Refund")


@pytest.mark.parametrize(("verdict", "value"), [("right", None), ("wrong", {"label": "other"})])
def test_what_a_reviewer_has_decided_stays(project, ana, client, verdict, value):
    project.spot_check_share = 1.0
    project.save(update_fields=["spot_check_share"])
    [slot] = answer(project, ana, "refund")
    reviews.decide(Review.objects.get(), add_member(project, "reviewer"), verdict, value=value)
    [row] = past_answers.page(ana, project).rows
    assert row.is_decided
    assert "decided" in client.get(address(project)).content.decode()
    html = client.post(address(project), {"slot": slot.uuid}, follow=True).content.decode()
    assert "There is nothing to take back" in html
    assert Annotation.objects.filter(is_retraction=True).count() == 0


def test_it_opens_nothing_of_somebody_else(project, ana, client):
    [slot] = answer(project, add_member(project), "refund")
    html = client.post(address(project), {"slot": slot.uuid}, follow=True).content.decode()
    assert "not one that you have labelled here" in html
    client.post(address(project), {"slot": "nonsense"})
    assert Annotation.objects.get().value == {"label": "refund"}


def test_it_goes_page_by_page(project, ana, monkeypatch):
    monkeypatch.setattr(past_answers, "PAGE", 2)
    monkeypatch.setattr(past_answers, "LAST", 5)
    answer(project, ana, *["other"] * 6)
    first = past_answers.page(ana, project)
    assert [row.text for row in first.rows] == ["text 05", "text 04"]
    assert first.newer is None
    second = past_answers.page(ana, project, after=first.older)
    assert [row.text for row in second.rows] == ["text 03", "text 02"]
    assert second.newer == 0
    third = past_answers.page(ana, project, after=second.older)
    assert [row.text for row in third.rows] == ["text 01"], "the oldest is beyond the last five"
    assert third.older is None
    assert past_answers.page(ana, project, after=third.newer) == second


def test_it_costs_a_fixed_number_of_queries(project, ana, client):
    answer(project, ana, "refund")
    client.get(address(project))
    with CaptureQueriesContext(connection) as few:
        client.get(address(project))
    answer(project, ana, *["other"] * 5)
    with CaptureQueriesContext(connection) as many:
        client.get(address(project))
    assert len(few) == len(many)


def test_it_names_responses_by_the_letters_that_the_person_saw():
    project = typed.labelled_project("preference", count=4)
    user = Annotation.objects.first().labeller.user
    rows = past_answers.page(user, project).rows
    assert len(rows) == 4
    for row, one in zip(rows, Annotation.objects.order_by("-pk"), strict=True):
        first = one.trace["preferred"]["order"].index(one.value["preferred"]["ranking"][0][0])
        assert row.answer.startswith(("A > B", "B > A")[first])


def test_it_is_not_for_strangers(project):
    client = Client()
    assert client.get(address(project)).status_code == 302
    client.force_login(make_user())
    assert client.get(address(project)).status_code == 404
