from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from annotation.models import Project, Role
from tests import factories
from training.selectors import models
from training.services import decisions

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return factories.make_project()


@pytest.fixture
def api(project: Project) -> APIClient:
    client = APIClient()
    client.force_authenticate(factories.add_member(project, Role.ENGINEER, factories.make_user("eva")))
    return client


def test_it_lists_models_with_what_is_known_of_them(api: APIClient, project: Project) -> None:
    model = factories.make_model(project)
    decisions.decide(model, factories.make_evaluation(model))
    (listed,) = api.get(f"/api/v1/projects/{project.slug}/models").json()["results"]
    assert listed == api.get(f"/api/v1/projects/{project.slug}/models/1").json()
    assert listed["evaluations"][0]["figures"]["model"]["accuracy"] == 0.8
    assert listed["decisions"][0]["by"] is None and listed["decisions"][0]["action"] == "deploy"
    (run,) = api.get(f"/api/v1/projects/{project.slug}/runs").json()["results"]
    assert (run["number"], run["learner"], run["dataset"]) == (1, "probe", 1)


def test_it_stores_an_engineers_decision(api: APIClient, project: Project) -> None:
    first, second = factories.make_model(project), factories.make_model(project)
    decisions.decide(first, None)
    decisions.decide(second, None)
    address = f"/api/v1/projects/{project.slug}/models/2/decision"
    answer = api.post(address, {"action": "keep", "reason": "worse on refunds"})
    assert answer.status_code == 201 and answer.json()["by"] == "eva"
    assert models.deployed(project) == first
    assert api.post(address, {"action": "burn", "reason": "x"}).json()["code"] == "invalid"
    refused = api.post(
        f"/api/v1/projects/{project.slug}/models/9/decision", {"action": "keep", "reason": "x"}
    )
    assert refused.status_code == 404


def test_it_is_for_engineers_of_the_project(project: Project) -> None:
    client = APIClient()
    client.force_authenticate(factories.make_user())
    assert client.get(f"/api/v1/projects/{project.slug}/models").status_code == 404
    client.force_authenticate(factories.add_member(project, Role.REVIEWER))
    assert client.get(f"/api/v1/projects/{project.slug}/runs").status_code == 403
