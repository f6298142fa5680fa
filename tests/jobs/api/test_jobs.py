from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from accounts.services import users
from jobs.models import Job, JobLog, State
from jobs.services import jobs

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana():
    return users.create_user("ana")


@pytest.fixture
def api(ana):
    client = APIClient()
    client.force_authenticate(ana)
    return client


def test_it_lists_own_jobs_and_filters_by_state(api, ana):
    Job.objects.create(kind="jobs.check_worker", created_by=ana, state=State.DONE)
    waiting = Job.objects.create(kind="jobs.check_worker", created_by=ana)
    Job.objects.create(kind="jobs.check_worker")
    assert len(api.get("/api/v1/jobs").json()["results"]) == 2
    found = api.get("/api/v1/jobs?state=queued").json()["results"]
    assert [entry["uuid"] for entry in found] == [str(waiting.uuid)]


def test_it_shows_one_job(api, ana):
    job = jobs.enqueue("jobs.check_worker", created_by=ana, params={"seconds": 0})
    jobs.drain()
    answer = api.get(f"/api/v1/jobs/{job.uuid}").json()
    assert (answer["state"], answer["result"], answer["progress"]) == ("done", {"attempt": 1}, 1.0)


def test_it_reads_the_log_by_pieces(api, ana):
    job = Job.objects.create(kind="jobs.check_worker", created_by=ana)
    JobLog.objects.bulk_create([JobLog(job=job, text=str(number)) for number in range(3)])
    lines = api.get(f"/api/v1/jobs/{job.uuid}/log").json()
    assert [line["text"] for line in lines] == ["0", "1", "2"]
    rest = api.get(f"/api/v1/jobs/{job.uuid}/log?after={lines[1]['id']}").json()
    assert [line["text"] for line in rest] == ["2"]


def test_it_refuses_a_log_position_that_is_no_number(api, ana):
    job = Job.objects.create(kind="jobs.check_worker", created_by=ana)
    answer = api.get(f"/api/v1/jobs/{job.uuid}/log?after=x")
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid"
    assert answer.json()["message"] == "after: found 'x', expected the id of a line"


def test_it_cancels_once_and_then_says_what_is(api, ana):
    job = jobs.enqueue("jobs.check_worker", created_by=ana)
    assert api.post(f"/api/v1/jobs/{job.uuid}/cancel").json()["state"] == "cancelled"
    again = api.post(f"/api/v1/jobs/{job.uuid}/cancel")
    assert again.status_code == 409
    assert again.json() == {
        "code": "job_not_cancellable",
        "message": "This job has ended already (cancelled): there is nothing to cancel.",
        "details": None,
    }


def test_it_retries(api, ana):
    job = Job.objects.create(kind="jobs.check_worker", created_by=ana, state=State.FAILED, error="x")
    assert api.post(f"/api/v1/jobs/{job.uuid}/retry").json()["state"] == "queued"


def test_it_does_not_know_the_jobs_of_others(api):
    job = Job.objects.create(kind="jobs.check_worker")
    for answer in (api.get(f"/api/v1/jobs/{job.uuid}"), api.post(f"/api/v1/jobs/{job.uuid}/cancel")):
        assert answer.status_code == 404
        assert answer.json()["code"] == "not_found"
