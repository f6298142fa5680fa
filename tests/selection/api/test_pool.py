from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from annotation.models import Role
from jobs.models import Job
from selection.services import indexing, neighbours
from tests.factories import add_member, make_items, make_project, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    made = make_project(slug="bank")
    make_items(made, 3, split="train")
    return made


def client(user) -> APIClient:
    found = APIClient()
    found.force_authenticate(user)
    return found


def test_an_engineer_sees_what_is_lacking_and_computes_it(project) -> None:
    api = client(add_member(project, Role.ENGINEER))
    assert api.get("/api/v1/projects/bank/pool").json() == {
        "items": 3, "lacking": 3, "columns": [], "index": None,
    }  # fmt: skip
    answer = api.post("/api/v1/projects/bank/pool/embed")
    assert answer.status_code == 202
    assert answer.json()["job"] == str(Job.objects.get(kind="selection.embed_pool").uuid)
    assert api.post("/api/v1/projects/bank/pool/index").status_code == 202
    refused = api.post("/api/v1/projects/bank/pool/refresh")
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing_to_refresh")


def test_the_kind_of_index_can_be_asked_for(project) -> None:
    api = client(add_member(project, Role.ENGINEER))
    refused = api.post("/api/v1/projects/bank/pool/index", {"kind": "kd_tree"}, format="json")
    assert refused.status_code == 400 and "kind" in str(refused.json()["details"])
    assert not Job.objects.exists()
    assert api.post("/api/v1/projects/bank/pool/index", {"kind": "hnsw"}, format="json").status_code == 202
    assert Job.objects.get().params == {"kind": "hnsw"}


@pytest.mark.parametrize(("sent", "kind"), [({}, "hnsw"), ({"kind": ""}, ""), ({"kind": "ivf"}, "ivf")])
def test_a_kind_that_somebody_chose_stays_unless_another_is_given(project, monkeypatch, sent, kind) -> None:
    monkeypatch.setattr(indexing, "asked_for", lambda held: "hnsw")
    api = client(add_member(project, Role.ENGINEER))
    assert api.post("/api/v1/projects/bank/pool/index", sent, format="json").status_code == 202
    assert Job.objects.get().params == {"kind": kind}


def test_a_reviewer_searches_and_bad_queries_are_said(project, monkeypatch) -> None:
    api = client(add_member(project, Role.REVIEWER))
    item = project.items.get(row=1)
    monkeypatch.setattr(
        neighbours, "near_vector", lambda project, query, most: [neighbours.Neighbour(item, 0.75)]
    )
    from training.learning import light_encoder

    monkeypatch.setattr(light_encoder, "encode", lambda text, path, layer: None)
    assert api.get("/api/v1/projects/bank/pool/similar", {"text": "card"}).json() == [
        {"row": 1, "item": str(item.uuid), "text": item.text, "similarity": 0.75}
    ]
    assert api.get("/api/v1/projects/bank/pool/similar", {"row": "7"}).json() == []
    for query, said in (({}, "nothing to search for"), ({"row": "x"}, "expected a whole number")):
        answer = api.get("/api/v1/projects/bank/pool/similar", query)
        assert answer.status_code == 400 and said in answer.json()["message"]
    assert api.get("/api/v1/projects/bank/pool").status_code == 403


@pytest.mark.parametrize("path", ["pool", "pool/similar"])
def test_strangers_learn_nothing(project, path) -> None:
    assert client(make_user()).get(f"/api/v1/projects/bank/{path}").status_code == 404
    assert client(add_member(project)).get(f"/api/v1/projects/bank/{path}").status_code == 403
