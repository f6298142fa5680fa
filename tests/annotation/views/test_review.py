from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotation.models import Project, Review, Role
from annotation.services import batches, labelling, queue
from tests import factories, typed

pytestmark = pytest.mark.django_db


def labelled(project: Project, person: Any, label: str) -> None:
    for slot in queue.lease(project, person, count=3):
        labelling.submit(project, person, slot.uuid, {"label": label}, client_key=uuid.uuid4().hex)


@pytest.fixture
def project() -> Project:
    made = factories.make_project(overlap_share=0, evaluation_items=0, spot_check_share=1)
    item = factories.make_item(made, "Where is my money?")
    batches.publish(made, [batches.Pick(row=item.row)], origin="test")
    labelled(made, factories.add_member(made), "refund")
    return made


@pytest.fixture
def page(client: Client, project: Project) -> str:
    client.force_login(factories.add_member(project, Role.REVIEWER))
    return reverse("annotation:review", args=[project.slug])


def test_it_shows_the_answer_without_the_name(client: Client, page: str, project: Project) -> None:
    html = client.get(page).content.decode()
    assert "Where is my money?" in html
    assert "Labelled as" in html
    person = Review.objects.get().annotation.labeller.user
    assert person.username not in html


@pytest.mark.parametrize(
    ("sent", "verdict"),
    [
        ({"action": "right"}, "right"),
        ({"label": "refund"}, "right"),
        ({"label": "other", "note": "read again"}, "wrong"),
        ({"action": "unsure"}, "unsure"),
    ],
)
def test_it_stores_the_verdict(client: Client, page: str, sent: dict[str, str], verdict: str) -> None:
    client.get(page)
    review = Review.objects.get()
    client.post(page, {"review": review.uuid, **sent})
    review.refresh_from_db()
    assert (review.state, review.verdict) == ("done", verdict)
    assert review.note == sent.get("note", "")
    assert (review.correction is not None) == (verdict == "wrong")


def test_pressing_nothing_is_told(client: Client, page: str) -> None:
    response = client.post(page, {"review": Review.objects.get().uuid}, follow=True)
    assert "Nothing was chosen" in response.content.decode()


def test_deciding_twice_is_told(client: Client, page: str) -> None:
    review = Review.objects.get()
    client.post(page, {"review": review.uuid, "action": "right"})
    response = client.post(page, {"review": review.uuid, "label": "other"}, follow=True)
    assert "go on with the next one" in response.content.decode()
    review.refresh_from_db()
    assert review.verdict == "right"


@pytest.mark.parametrize("given", ["", "nonsense", "0158a8b7-e489-40b3-af9c-8bcb1c472ae8"])
def test_an_unknown_review_is_not_found(client: Client, page: str, given: str) -> None:
    assert client.post(page, {"review": given, "action": "right"}).status_code == 404


def test_a_dispute_shows_the_answers_and_takes_a_label(client: Client) -> None:
    project = factories.make_project(overlap_share=1, evaluation_items=0, spot_check_share=0)
    item = factories.make_item(project, "Both or neither?")
    batches.publish(project, [batches.Pick(row=item.row)], origin="test")
    labelled(project, factories.add_member(project), "refund")
    labelled(project, factories.add_member(project), "other")
    page = reverse("annotation:review", args=[project.slug])
    client.force_login(factories.add_member(project, Role.REVIEWER))
    html = client.get(page).content.decode()
    assert "People disagree" in html
    assert "person 1" in html
    assert "person 2" in html
    client.post(page, {"review": Review.objects.get(kind="dispute").uuid, "label": "card-lost"})
    assert item.resolutions.get(is_current=True).value == {"label": "card-lost"}


def test_an_empty_queue_teaches(client: Client) -> None:
    project = factories.make_project(spot_check_share=0.08)
    client.force_login(factories.add_member(project, Role.REVIEWER))
    html = client.get(reverse("annotation:review", args=[project.slug])).content.decode()
    assert "8 %" in html
    assert "Nothing to review" in html


def test_an_annotator_may_not_review(client: Client, project: Project) -> None:
    client.force_login(factories.add_member(project))
    assert client.get(reverse("annotation:review", args=[project.slug])).status_code == 403


def typed_review(client: Client, kind: str, **settings: Any) -> tuple[Project, str, str]:
    """The reviewing page of the first answer to a project of this type: (project, address, html)."""
    project = typed.make_project(kind, spot_check_share=1, **settings)
    typed.add_items(project, kind, 1)
    typed.publish(project)
    typed.label(project, kind, factories.add_member(project))
    page = reverse("annotation:review", args=[project.slug])
    client.force_login(factories.add_member(project, Role.REVIEWER))
    return project, page, client.get(page).content.decode()


def test_it_names_responses_by_the_letters_of_the_reviewers_screen(client: Client) -> None:
    _project, _page, html = typed_review(client, "preference")
    said = re.search(r"<strong>(\w) &gt; (\w), Much better, More polite</strong>", html)
    assert said
    first_id = re.search(r'data-response="(r\d)"', html)
    assert first_id
    assert said.group(1) == ("A" if first_id.group(1) == "r1" else "B")


def test_it_tells_how_far_a_text_is_from_its_draft_and_sends_the_draft(client: Client) -> None:
    _project, _page, html = typed_review(client, "response")
    assert "edits of a draft of 12 characters" in html
    data = re.search(r'<script id="review-data" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert data
    assert json.loads(data.group(1))["slot"]["drafts"] == {"reply": {"text": "Please wait."}}


def test_an_answer_that_says_the_same_in_another_writing_is_right(client: Client) -> None:
    _project, page, _html = typed_review(client, "response")
    review = Review.objects.get()
    same = {"reply": {"text": review.annotation.value["reply"]["text"] + "  \r\n"}}
    client.post(page, {"review": review.uuid, "action": "correct", "answer": json.dumps(same)})
    review.refresh_from_db()
    assert (review.verdict, review.correction) == ("right", None)


@pytest.mark.parametrize("sent", ["[", "3", '{"reply": {"text": ""}}', '{"note": 1}'])
def test_an_answer_that_cannot_be_read_or_does_not_fit_is_told(client: Client, sent: str) -> None:
    _project, page, _html = typed_review(client, "response")
    review = Review.objects.get()
    response = client.post(page, {"review": review.uuid, "action": "correct", "answer": sent}, follow=True)
    assert 'class="message error"' in response.content.decode()
    review.refresh_from_db()
    assert review.state == "pending"
