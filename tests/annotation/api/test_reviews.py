from __future__ import annotations

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from annotation.models import Project, Resolution, Review, Role
from annotation.services import batches, labelling, queue
from tests.factories import add_member, make_items, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    project = make_project(overlap_share=0.0, spot_check_share=1.0, evaluation_items=0)
    items = make_items(project, ["one", "two"], split="train")
    batches.publish(project, [batches.Pick(row=item.row) for item in items], origin="1")
    user = add_member(project)
    for slot in queue.lease(project, user, count=2):
        labelling.submit(project, user, slot.uuid, {"label": "refund"}, client_key=str(slot.pk))
    return project


@pytest.fixture
def api(project: Project) -> APIClient:
    client = APIClient()
    client.force_login(add_member(project, Role.REVIEWER))
    return client


def waiting(api: APIClient, project: Project) -> dict[str, str]:
    return api.get(reverse("annotation-api:review-next", args=[project.slug])).json()["review"]


def decide(api: APIClient, project: Project, uuid: str, **body: object):
    return api.post(reverse("annotation-api:review", args=[project.slug, uuid]), body)


def test_it_gives_the_oldest_review_and_the_same_one_again(api: APIClient, project: Project) -> None:
    review = waiting(api, project)
    assert (review["text"], review["value"], review["kind"]) == ("one", {"label": "refund"}, "spot_check")
    assert waiting(api, project)["uuid"] == review["uuid"]


def test_it_books_a_verdict_and_gives_the_next(api: APIClient, project: Project) -> None:
    review = waiting(api, project)
    body = decide(api, project, review["uuid"], verdict="right").json()
    assert (body["state"], body["verdict"]) == ("done", "right")
    assert body["next"]["text"] == "two"
    assert decide(api, project, body["next"]["uuid"], verdict="unsure").json()["next"] is None


def test_it_corrects_a_wrong_label(api: APIClient, project: Project) -> None:
    review = waiting(api, project)
    decide(api, project, review["uuid"], verdict="wrong", value={"label": "other"}, note="see 3.1")
    stored = Review.objects.get(uuid=review["uuid"])
    assert stored.note == "see 3.1"
    final = Resolution.objects.get(item=stored.item, is_current=True)
    assert (final.value, final.method) == ({"label": "other"}, "review")


def test_it_needs_a_label_for_wrong_and_a_known_verdict(api: APIClient, project: Project) -> None:
    review = waiting(api, project)
    response = decide(api, project, review["uuid"], verdict="wrong")
    assert (response.status_code, response.json()["code"]) == (400, "label_refused")
    assert decide(api, project, review["uuid"], verdict="perhaps").json()["code"] == "invalid"


def test_it_is_for_reviewers(project: Project) -> None:
    client = APIClient()
    client.force_login(add_member(project))
    assert client.get(reverse("annotation-api:review-next", args=[project.slug])).status_code == 403
