from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from annotation.models import Project, Role
from jobs.models import Job
from selection.models import Round
from selection.services import rounds
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    project = factories.make_project()
    factories.make_items(project, 8, split="train")
    return project


@pytest.fixture
def api(project: Project) -> APIClient:
    client = APIClient()
    client.force_authenticate(factories.add_member(project, Role.ENGINEER))
    return client


def path(project: Project, rest: str = "") -> str:
    return f"/api/v1/projects/{project.slug}/rounds{rest}"


def test_it_launches_and_tells_where_the_round_stands(api: APIClient, project: Project) -> None:
    answer = api.post(path(project), {"strategy": "random", "batch_size": 3, "learner": "probe", "seed": 5})
    assert answer.status_code == 201
    body = answer.json()
    assert (body["number"], body["state"], body["spec"]["seed"]) == (1, "running", 5)
    assert [s["name"] for s in body["stations"]][:2] == ["collect", "freeze"]
    assert body["stations"][0]["state"] == "running" and body["stations"][0]["progress"] == 0.0
    assert api.get(path(project, "/1")).json() == body
    listed = api.get(path(project)).json()["results"]
    assert [entry["number"] for entry in listed] == [1]


def test_it_takes_the_projects_own_settings_where_none_are_given(api: APIClient, project: Project) -> None:
    Project.objects.filter(pk=project.pk).update(batch_size=4, control_share=0.5)
    spec = api.post(path(project), {}).json()["spec"]
    assert (spec["batch_size"], spec["control_share"], spec["strategy"]) == (4, 0.5, "default")


@pytest.mark.parametrize(
    ("order", "code", "words"),
    [
        ({"strategy": "best"}, "bad_round_spec", "no strategy"),
        ({"batch_size": -1}, "invalid", "batch_size"),
        ({"batch_size": 99}, "pool_too_small", "the batch needs 99"),
        ({"pool_limit": 1, "batch_size": 2}, "bad_round_spec", "pool limit of 1"),
        ({"learner_settings": {"epochs": -1}}, "bad_round_spec", "epochs"),
    ],
)
def test_it_answers_errors_in_one_shape(
    api: APIClient, project: Project, order: dict, code: str, words: str
) -> None:
    answer = api.post(path(project), order)
    assert answer.status_code in (400, 409)
    assert answer.json()["code"] == code and words in answer.json()["message"]
    assert set(answer.json()) == {"code", "message", "details"}
    assert not Round.objects.exists()


def test_it_cancels_and_takes_up_again(api: APIClient, project: Project) -> None:
    round_ = factories.make_round(project)
    Job.objects.update(state="failed", error="no space")
    rounds.advance(round_)
    assert api.get(path(project, "/1")).json()["error"] == "no space"
    assert api.post(path(project, "/1/retry")).json()["state"] == "running"
    assert api.post(path(project, "/1/cancel")).json()["state"] == "cancelled"
    assert api.post(path(project, "/1/cancel")).status_code == 409
    assert api.post(path(project, "/1/replay")).json()["code"] == "nothing_to_replay"


@pytest.mark.parametrize("rest", ["", "/1"])
def test_it_is_for_engineers_of_the_project(project: Project, rest: str) -> None:
    factories.make_round(project)
    client = APIClient()
    assert client.get(path(project, rest)).status_code in (401, 403)
    client.force_authenticate(factories.make_user())
    assert client.get(path(project, rest)).status_code == 404
    client.force_authenticate(factories.add_member(project, Role.ANNOTATOR))
    assert client.get(path(project, rest)).status_code == 403
