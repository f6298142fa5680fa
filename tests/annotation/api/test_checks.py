"""The quick pass by the API."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from annotation.models import Annotation, Project, Rejection
from annotation.services import batches, prelabels
from tests.factories import add_member, make_items, make_model_labeller, make_project, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    made = make_project(
        overlap_share=0.0, spot_check_share=0.0, evaluation_items=0, self_consistency_share=0.0
    )
    items = make_items(made, 4, split="train")
    rows = [(item.pk, {"label": "refund"}, 0.8, {}) for item in items]
    prelabels.store(made, make_model_labeller(made), rows)
    batches.publish(made, [batches.Pick(row=item.row) for item in items], origin="test")
    return made


@pytest.fixture
def api(project: Project) -> APIClient:
    client = APIClient()
    client.force_authenticate(add_member(project))
    return client


def url(project: Project, name: str) -> str:
    return reverse(f"annotation-api:check-{name}", args=[project.slug])


def verdict(slot: dict[str, Any], *held: dict[str, Any]) -> dict[str, Any]:
    return {
        "slot": slot["slot"],
        "prelabel": slot["prelabel"]["uuid"],
        "client_key": uuid.uuid4().hex,
        "exclude": [one["slot"] for one in held],
        "count": 3,
    }


def test_it_hands_out_takes_yes_and_no_and_takes_them_back(api: APIClient, project: Project) -> None:
    first, second, third = api.get(url(project, "next")).json()["slots"]
    assert (first["said"], first["marks"]) == ("Refund", None)
    answer = api.post(url(project, "accept"), verdict(first, second, third), format="json").json()
    assert len(answer["next"]) == 1
    assert answer["progress"]["today"] == 1
    [fourth] = answer["next"]
    assert Annotation.objects.get().accepted_prelabel
    assert (
        api.post(url(project, "reject"), verdict(second, third, fourth), format="json").json()["next"] == []
    )
    assert Rejection.objects.count() == 1
    undone = api.post(url(project, "undo"), {"slot": second["slot"]}, format="json").json()
    assert (undone["slot"]["slot"], undone["slot"]["said"]) == (second["slot"], "Refund")


def test_a_foreign_suggestion_is_refused_with_a_code(api: APIClient, project: Project) -> None:
    first, *_rest = api.get(url(project, "next")).json()["slots"]
    body = {**verdict(first), "prelabel": str(uuid.uuid4())}
    answer = api.post(url(project, "accept"), body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "prelabel_refused")


def test_it_is_for_members(project: Project) -> None:
    client = APIClient()
    client.force_authenticate(make_user())
    assert client.get(url(project, "next")).status_code == 404
    for name in ("accept", "reject", "undo"):
        assert client.post(url(project, name), {}, format="json").status_code == 404
