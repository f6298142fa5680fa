from __future__ import annotations

from uuid import uuid4

import pytest
from django.urls import reverse

from accounts.services import users
from jobs import registry
from jobs.models import Job, JobLog, State
from jobs.services import jobs

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana():
    return users.create_user("ana")


@pytest.fixture
def outsider():
    return users.create_user("olga")


def test_it_asks_visitors_to_sign_in(client):
    answer = client.get(reverse("jobs:list"))
    assert answer.status_code == 302
    assert answer.url.startswith("/accounts/login/")


def test_it_teaches_where_there_is_no_job(client, ana):
    client.force_login(ana)
    assert "No jobs yet" in client.get(reverse("jobs:list")).content.decode()


def test_it_lists_own_jobs_by_pages_without_a_query_a_row(
    client, ana, outsider, django_assert_max_num_queries
):
    Job.objects.bulk_create([Job(kind="jobs.check_worker", created_by=ana) for _ in range(60)])
    Job.objects.create(kind="jobs.check_worker", created_by=outsider)
    client.force_login(ana)
    with django_assert_max_num_queries(12):
        first = client.get(reverse("jobs:list"))
    assert len(first.context["cards"]) == 50
    second = client.get(reverse("jobs:list") + first.context["older_url"])
    assert len(second.context["cards"]) == 10
    assert second.context["older_url"] == ""


def test_it_lists_the_jobs_of_the_scopes_that_an_app_grants(client, ana, monkeypatch):
    mine, other = uuid4(), uuid4()
    monkeypatch.setattr(registry, "SCOPES", [lambda user: [mine]])
    job = Job.objects.create(kind="jobs.check_worker", scope=mine)
    Job.objects.create(kind="jobs.check_worker", scope=other)
    client.force_login(ana)
    assert [card.job for card in client.get(reverse("jobs:list")).context["cards"]] == [job]
    assert client.get(job.get_absolute_url()).status_code == 200


def test_it_shows_a_running_job_that_renews_itself(client, ana):
    job = Job.objects.create(
        kind="jobs.check_worker",
        state=State.RUNNING,
        token="t",
        created_by=ana,
        progress=0.62,
        progress_text="epoch 2 of 3",
        eta_seconds=180.0,
    )
    JobLog.objects.create(job=job, text="loss <falls>")
    client.force_login(ana)
    page = client.get(job.get_absolute_url()).content.decode()
    assert "Check of the worker" in page
    assert "epoch 2 of 3" in page
    assert f'data-poll="{reverse("jobs:status", args=[job.uuid])}"' in page
    assert "loss &lt;falls&gt;" in page
    assert "Cancel the job" in page


def test_it_ends_the_polling_when_the_job_has_ended(client, ana):
    job = Job.objects.create(kind="jobs.check_worker", state=State.DONE, created_by=ana)
    client.force_login(ana)
    address = reverse("jobs:status", args=[job.uuid])
    assert "data-poll-reload" in client.get(address, headers={"X-Requested-With": "poll"}).content.decode()
    page = client.get(job.get_absolute_url()).content.decode()
    assert "data-poll-done" in page
    assert "data-poll-reload" not in page


def test_it_shows_the_sentence_of_a_failed_job_and_offers_another_try(client, ana):
    job = Job.objects.create(
        kind="jobs.check_worker", state=State.FAILED, error="the disk is full", created_by=ana
    )
    client.force_login(ana)
    page = client.get(job.get_absolute_url()).content.decode()
    assert "the disk is full" in page
    client.post(reverse("jobs:retry", args=[job.uuid]))
    job.refresh_from_db()
    assert job.state == State.QUEUED


def test_it_shows_long_logs_by_their_end(client, ana):
    job = Job.objects.create(kind="jobs.check_worker", state=State.DONE, created_by=ana)
    JobLog.objects.bulk_create([JobLog(job=job, text=f"line {number:03}") for number in range(250)])
    client.force_login(ana)
    page = client.get(job.get_absolute_url())
    assert [line.text for line in page.context["log"].lines][::199] == ["line 050", "line 249"]
    older = client.get(f"{job.get_absolute_url()}?before={page.context['log'].older}")
    assert len(older.context["log"].lines) == 50
    assert older.context["log"].older is None


def test_it_cancels_by_the_button(client, ana):
    job = jobs.enqueue("jobs.check_worker", created_by=ana)
    client.force_login(ana)
    answer = client.post(reverse("jobs:cancel", args=[job.uuid]), follow=True)
    job.refresh_from_db()
    assert job.state == State.CANCELLED
    assert "Cancelled." in answer.content.decode()


def test_it_says_so_when_there_is_nothing_to_cancel(client, ana):
    job = Job.objects.create(kind="jobs.check_worker", state=State.DONE, created_by=ana)
    client.force_login(ana)
    answer = client.post(reverse("jobs:cancel", args=[job.uuid]))
    assert answer.status_code == 409
    assert "This job has ended already (done)" in answer.content.decode()


@pytest.mark.parametrize("name", ["detail", "status", "cancel", "retry"])
def test_it_hides_jobs_from_outsiders(client, ana, outsider, name):
    job = jobs.enqueue("jobs.check_worker", created_by=ana)
    client.force_login(outsider)
    method = client.post if name in ("cancel", "retry") else client.get
    assert method(reverse(f"jobs:{name}", args=[job.uuid])).status_code == 404


def test_it_lets_who_may_only_see_not_cancel(client, ana, outsider, kind):
    job = jobs.enqueue(kind(lambda ctx: None, may_see=lambda user, job: True), created_by=ana)
    client.force_login(outsider)
    assert client.get(job.get_absolute_url()).context["card"].can_cancel is False
    answer = client.post(reverse("jobs:cancel", args=[job.uuid]))
    assert answer.status_code == 403
    assert "ask the person who started it" in answer.content.decode()


@pytest.mark.parametrize("name", ["cancel", "retry"])
def test_it_changes_nothing_by_get(client, ana, name):
    job = jobs.enqueue("jobs.check_worker", created_by=ana)
    client.force_login(ana)
    assert client.get(reverse(f"jobs:{name}", args=[job.uuid])).status_code == 405
