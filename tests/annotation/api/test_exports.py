from __future__ import annotations

import json

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from annotation.models import Project, Role
from annotation.services import batches, labelling, queue
from tests.factories import add_member, make_items, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    project = make_project(overlap_share=1.0, spot_check_share=0.0, evaluation_items=0)
    items = make_items(project, ["one", "two"], split="train")
    batches.publish(project, [batches.Pick(row=item.row) for item in items], origin="1")
    for _person in range(2):
        user = add_member(project)
        for slot in queue.lease(project, user, count=2):
            labelling.submit(project, user, slot.uuid, {"label": "refund"}, client_key=str(slot.pk))
    return project


@pytest.fixture
def api(project: Project) -> APIClient:
    client = APIClient()
    client.force_login(add_member(project, Role.ENGINEER))
    return client


def test_it_streams_labels(api: APIClient, project: Project) -> None:
    response = api.get(reverse("annotation-api:export", args=[project.slug, "resolutions", "jsonl"]))
    lines = [json.loads(line) for line in b"".join(response.streaming_content).splitlines()]  # type: ignore[attr-defined]
    assert [(line["text"], line["label"]) for line in lines] == [("one", "refund"), ("two", "refund")]
    assert "attachment" in response["Content-Disposition"]
    csv = api.get(reverse("annotation-api:export", args=[project.slug, "annotations", "csv"]))
    assert len(b"".join(csv.streaming_content).splitlines()) == 5  # type: ignore[attr-defined]


@pytest.mark.parametrize(("what", "file_format"), [("nonsense", "csv"), ("items", "xlsx")])
def test_it_names_what_can_be_exported(api: APIClient, project: Project, what: str, file_format: str) -> None:
    response = api.get(reverse("annotation-api:export", args=[project.slug, what, file_format]))
    assert response.status_code == 400
    assert response.json()["code"] == "export_refused"


def test_it_gives_no_data_to_an_annotator(project: Project) -> None:
    client = APIClient()
    client.force_login(add_member(project))
    for name, more in (("export", ["items", "csv"]), ("agreement", [])):
        assert client.get(reverse(f"annotation-api:{name}", args=[project.slug, *more])).status_code == 403


def test_it_reports_agreement(api: APIClient, project: Project) -> None:
    body = api.get(reverse("annotation-api:agreement", args=[project.slug])).json()
    assert (body["looks"], body["items_twice"]) == (4, 2)
    assert body["percent"]["value"] == 1.0
    assert body["alpha"]["value"] is None  # one label only: not defined, and the note says so
    assert "one label" in body["alpha"]["note"]
    assert body["pairs"][0]["items"] == 2
    assert body["between"][0][0] == 4


def test_it_streams_training_examples(api: APIClient, project: Project) -> None:
    page = reverse("annotation-api:export", args=[project.slug, "training", "jsonl"])
    lines = [
        json.loads(line)
        for line in b"".join(api.get(page, {"split": "train"}).streaming_content).splitlines()
    ]  # type: ignore[attr-defined]
    assert [(line["text"], line["label"]) for line in lines] == [("one", "refund"), ("two", "refund")]
    assert b"".join(api.get(page, {"split": "test"}).streaming_content) == b""  # type: ignore[attr-defined]
    refused = api.get(page, {"field": "nonsense"})
    assert (refused.status_code, refused.json()["code"]) == (400, "export_refused")
    assert api.get(page, {"split": "dev"}).status_code == 400
