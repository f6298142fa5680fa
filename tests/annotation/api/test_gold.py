"""Gold items over the API: engineers alone, good rows stored whatever the others are."""

from __future__ import annotations

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from annotation.models import GoldItem, Role
from tests.factories import add_member, make_items, make_project, make_user

pytestmark = pytest.mark.django_db


def post(project, user, rows):
    client = APIClient()
    client.force_login(user)
    return client.post(reverse("annotation-api:gold", args=[project.slug]), {"gold": rows}, format="json")


def test_it_stores_the_good_rows_and_names_the_others() -> None:
    project = make_project()
    first, second = make_items(project, 2)
    engineer = add_member(project, Role.ENGINEER)
    rows = [
        {"item": str(first.uuid), "value": {"label": "refund"}},
        {"row": second.row, "label": "nothing of the kind"},
    ]
    answer = post(project, engineer, rows)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["set"], body["unchanged"], body["withdrawn"]) == (1, 0, 0)
    assert [one["index"] for one in body["refused"]] == [1]
    assert GoldItem.objects.get().created_by == engineer
    assert post(project, engineer, rows).json()["unchanged"] == 1


def test_it_refuses_a_request_without_rows() -> None:
    project = make_project()
    answer = post(project, add_member(project, Role.ENGINEER), [])
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


@pytest.mark.parametrize(("role", "status"), [(Role.ANNOTATOR, 403), (Role.REVIEWER, 403), (None, 404)])
def test_it_is_not_for_those_who_label(role: str | None, status: int) -> None:
    project = make_project()
    user = add_member(project, role) if role else make_user()
    assert post(project, user, [{"row": 0, "label": "refund"}]).status_code == status
    assert not GoldItem.objects.exists()
