from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from rest_framework.test import APIClient

from annotation.models import Import, Item, Project, Resolution, Role
from annotation.services import projects
from jobs.services import jobs
from tests.factories import add_member, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


@pytest.fixture
def api(project: Project) -> APIClient:
    client = APIClient()
    client.force_login(add_member(project, Role.ENGINEER))
    return client


def upload(api: APIClient, project: Project, content: bytes, name: str = "texts.csv", **more: object):
    body = {"file": SimpleUploadedFile(name, content), **more}
    return api.post(reverse("annotation-api:imports", args=[project.slug]), body, format="multipart")


def test_it_takes_a_file_from_upload_to_rejected_rows(api: APIClient, project: Project) -> None:
    response = upload(api, project, b"text,intent\none,Refund\n,Refund\ntwo,nonsense\nthree,Other\n")
    assert response.status_code == 201
    made = response.json()
    assert made["state"] == "uploaded"
    assert made["file_info"]["columns"] == ["text", "intent"]
    args = [project.slug, made["uuid"]]
    started = api.post(reverse("annotation-api:import-start", args=args), {"text": "text", "label": "intent"})
    assert started.status_code == 202
    jobs.run(_job_pk(started.json()["job"]))
    done = api.get(reverse("annotation-api:import", args=args)).json()
    assert (done["state"], done["added"], done["rejected"], done["labelled"]) == ("done", 2, 2, 2)
    rejected = api.get(reverse("annotation-api:import-rejected", args=args)).json()["results"]
    assert {(row["line"], row["code"]) for row in rejected} == {(3, "empty_text"), (4, "unknown_label")}
    file = api.get(reverse("annotation-api:import-rejected-file", args=args))
    assert b"".join(file.streaming_content) == b"text,intent\n,Refund\ntwo,nonsense\n"  # type: ignore[attr-defined]
    assert Item.objects.count() == 2


def _job_pk(uuid: str) -> int:
    from jobs.models import Job

    return Job.objects.get(uuid=uuid).pk


def test_it_says_what_is_wrong_with_a_file(api: APIClient, project: Project) -> None:
    response = upload(api, project, b"")
    assert response.status_code == 400
    assert response.json()["code"] == "import_empty"
    assert not Import.objects.exists()


def test_it_says_which_column_is_missing(api: APIClient, project: Project) -> None:
    made = upload(api, project, b"text\none\n").json()
    response = api.post(
        reverse("annotation-api:import-start", args=[project.slug, made["uuid"]]), {"text": "body"}
    )
    assert response.status_code == 400
    assert response.json()["code"] == "import_mapping"
    assert "body" in response.json()["message"]


def test_it_shows_no_import_of_another_project(api: APIClient, project: Project) -> None:
    other = make_project()
    add_member(other, Role.ENGINEER, project.memberships.get(role=Role.ENGINEER).user)
    made = upload(api, other, b"text\none\n").json()
    assert api.get(reverse("annotation-api:import", args=[project.slug, made["uuid"]])).status_code == 404
    assert api.get(reverse("annotation-api:imports", args=[project.slug])).json()["results"] == []


def test_it_starts_a_file_of_pairs_with_the_better_response(api: APIClient) -> None:
    project = projects.create("Pairs", definition={"fields": [{"name": "preferred", "type": "preference"}]})
    api.force_login(add_member(project, Role.ENGINEER))
    made = upload(api, project, b"prompt,chosen,rejected\nWhere?,Here,No\n").json()
    args = [project.slug, made["uuid"]]
    columns = {"text": "prompt", "responses": ["chosen", "rejected"], "best": "chosen"}
    started = api.post(reverse("annotation-api:import-start", args=args), columns, format="json")
    assert started.status_code == 202
    jobs.run(_job_pk(started.json()["job"]))
    assert Resolution.objects.get().value == {"preferred": {"ranking": [["r1"], ["r2"]]}}
