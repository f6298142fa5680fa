from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from annotation.models import Project, Role
from jobs.models import Job
from tests import factories
from training.services import suggestions

pytestmark = pytest.mark.django_db
LABELS = [
    {"id": "refund", "name": "Refund", "description": "The person wants money back."},
    {"id": "other", "name": "Other"},
]


@pytest.fixture
def project() -> Project:
    return factories.make_project(labels=LABELS)


@pytest.fixture
def address(project: Project) -> str:
    return f"/api/v1/projects/{project.slug}/suggestions"


@pytest.fixture
def api(project: Project) -> APIClient:
    client = APIClient()
    client.force_authenticate(factories.add_member(project, Role.ENGINEER, factories.make_user("eva")))
    return client


def test_it_starts_a_job_and_lists_it(api: APIClient, address: str) -> None:
    answer = api.post(address, {"source": "descriptions", "limit": 7, "order": "random"}, format="json")
    job = Job.objects.get(kind=suggestions.KIND)
    assert answer.status_code == 201 and answer.json() == {
        "job": str(job.uuid),
        "state": "queued",
        "progress": 0.0,
        "error": "",
        "source": "descriptions",
        "field": "label",
        "limit": 7,
        "order": "random",
        "looked_at": None,
        "stored": None,
    }
    result = {"judged": 4, "right": 3, "commonest": 0.5, "calibrated": False, "looked_at": 7, "stored": 6}
    Job.objects.filter(pk=job.pk).update(state="done", result=result)
    listed = api.get(address).json()
    assert [(run["looked_at"], run["stored"]) for run in listed["runs"]] == [(7, 6)]
    [measured] = listed["measured"]
    assert (
        measured["right"]["value"] == 0.75 and measured["right"]["n"] == 4 and not measured["is_calibrated"]
    )
    assert measured["right"]["low"] == pytest.approx(0.301, abs=0.001)


def test_it_refuses_what_cannot_be_suggested_in_one_sentence(api: APIClient, address: str) -> None:
    assert api.post(address, {"source": "gpt"}, format="json").status_code == 400
    answer = api.post(address, {"source": "descriptions", "field": "tone"}, format="json")
    assert answer.status_code == 409 and answer.json()["code"] == "not_suggestible"
    assert answer.json()["message"] == "There is no field “tone” in the schema."
    answer = api.post(address, {"source": "smollm2", "limit": 10_001}, format="json")
    assert answer.status_code == 400 and "expected 0 to 10,000" in answer.json()["message"]
    api.post(address, {"source": "descriptions"}, format="json")
    assert api.post(address, {"source": "descriptions"}, format="json").status_code == 409


def test_it_takes_suggestions_back(api: APIClient, address: str) -> None:
    assert api.delete(address).status_code == 202
    assert Job.objects.get().kind == suggestions.WITHDRAW


@pytest.mark.parametrize("ask", ["get", "post", "delete"])
def test_it_is_for_engineers_of_the_project(project: Project, address: str, ask: str) -> None:
    client = APIClient()
    assert getattr(client, ask)(address).status_code in (401, 403)
    client.force_authenticate(factories.make_user())
    assert getattr(client, ask)(address).status_code == 404
    client.force_authenticate(factories.add_member(project, Role.REVIEWER))
    assert getattr(client, ask)(address).status_code == 403
    assert not Job.objects.exists()
