from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from annotation.models import Project, Role
from annotation.services import projects
from annotation.services.schemas import publish
from jobs.models import Job
from tests import factories
from training.services import suggestions

pytestmark = pytest.mark.django_db
LABELS = [
    {"id": "refund", "name": "Refund", "description": "The person wants money back."},
    {"id": "other", "name": "Other"},
]


@pytest.fixture
def engineer() -> User:
    return factories.make_user("engineer")


@pytest.fixture
def project(engineer: User) -> Project:
    project = factories.make_project("Bank intents", labels=LABELS)
    factories.add_member(project, Role.ENGINEER, engineer)
    return project


@pytest.fixture
def page(client: Client, engineer: User) -> Client:
    client.force_login(engineer)
    return client


def address(project: Project, name: str = "suggestions") -> str:
    return reverse(f"training:{name}", args=[project.slug])


def finished(project: Project, **result: object) -> Job:
    job = suggestions.launch(project, source="descriptions", limit=5)
    Job.objects.filter(pk=job.pk).update(state="done", result=result)
    return job


@pytest.mark.parametrize("name", ["suggestions", "suggestions_live", "suggestions_withdraw"])
def test_it_is_for_engineers_of_the_project(client: Client, project: Project, name: str) -> None:
    ask = client.post if name.endswith("withdraw") else client.get
    assert ask(address(project, name)).status_code == 302
    client.force_login(factories.make_user("outsider"))
    assert ask(address(project, name)).status_code == 404
    client.force_login(factories.add_member(project, Role.REVIEWER))
    assert ask(address(project, name)).status_code == 403
    assert not Job.objects.exists()


def test_it_says_which_labels_lack_a_description_and_what_is_not_known(
    page: Client, project: Project
) -> None:
    text = page.get(address(project)).text
    assert "These labels of “label” have no description and are compared by their name alone: Other." in text
    assert reverse("annotation:labels", args=[project.slug]) not in text  # engineers do not edit labels
    assert "Not known yet" in text and "None yet. Choose a source above" in text
    assert 'value="descriptions" checked' in text and "Take them back" not in text


def test_it_offers_the_language_model_first_where_nothing_is_described(page: Client, engineer: User) -> None:
    bare = factories.make_project()
    factories.add_member(bare, Role.ENGINEER, engineer)
    text = page.get(address(bare)).text
    assert "No label of “label” has a description: label descriptions need one sentence each." in text
    assert 'value="smollm2" checked' in text


def test_it_leads_those_to_the_labels_who_may_describe_them(client: Client, project: Project) -> None:
    client.force_login(factories.add_member(project, Role.ADMIN))
    assert reverse("annotation:labels", args=[project.slug]) in client.get(address(project)).text


def test_it_teaches_where_no_field_can_be_suggested_for(page: Client, project: Project) -> None:
    publish(project, {"fields": [{"name": "better", "type": "preference"}]}, by=factories.make_user())
    text = page.get(address(project)).text
    assert "No field of this project can be suggested for" in text and "Preferences cannot" in text
    assert reverse("annotation:patterns", args=[project.slug]) in text


def test_it_starts_a_job_and_shows_it(page: Client, project: Project) -> None:
    given = {"source": "descriptions", "field": "label", "limit": 50, "order": "random"}
    answer = page.post(address(project), given, follow=True)
    job = Job.objects.get(kind=suggestions.KIND)
    assert job.params == given and job.created_by is not None and job.created_by.username == "engineer"
    assert "Started. The page shows how far it is." in answer.text
    assert f'data-poll="{address(project, "suggestions_live")}"' in answer.text
    assert reverse("jobs:cancel", args=[job.uuid]) in answer.text
    live = page.get(address(project, "suggestions_live")).text
    assert "waiting" in live and "<html" not in live


def test_it_says_beside_the_form_what_is_wrong(page: Client, project: Project) -> None:
    given = {"source": "smollm2", "field": "label", "limit": 20_000, "order": "queue"}
    answer = page.post(address(project), given)
    assert answer.status_code == 422 and "expected 0 to 10,000" in answer.text
    answer = page.post(address(project), {**given, "limit": "many", "source": "gpt"})
    assert (
        answer.status_code == 422
        and "Enter a whole number." in answer.text
        and "gpt is not one of" in answer.text
    )
    projects.archive(project)
    assert page.post(address(project), {**given, "limit": 1}).status_code == 422
    assert not Job.objects.exists()


def test_it_shows_how_right_a_source_was_beside_the_commonest_answer(page: Client, project: Project) -> None:
    figures = {"temperature": 0.05, "looked_at": 5, "stored": 4, "labeller": "suggest:x"}
    finished(project, judged=40, right=30, commonest=0.3, calibrated=True, **figures)
    text = page.get(address(project)).text
    assert "75.0 %" in text and "60 % to 86 %, n = 40" in text and "30.0 %" in text
    assert "calibrated" in text and "not calibrated" not in text and "not clearly better" not in text
    finished(project, judged=20, right=8, commonest=0.4, calibrated=False, **figures)
    text = page.get(address(project)).text
    assert "40.0 %" in text and "not clearly better" in text and "not calibrated" in text
    assert "75.0 %" not in text  # the newest counts


def test_it_takes_suggestions_back(page: Client, project: Project) -> None:
    answer = page.post(address(project, "suggestions_withdraw"), follow=True)
    assert "They are taken back, but for those that somebody has acted on." in answer.text
    assert Job.objects.get().kind == suggestions.WITHDRAW
    projects.archive(project)
    assert "archived" in page.post(address(project, "suggestions_withdraw"), follow=True).text


def test_it_costs_the_same_for_many_jobs(
    page: Client, project: Project, django_assert_max_num_queries: object
) -> None:
    finished(project)
    with django_assert_max_num_queries(20):  # type: ignore[operator]
        page.get(address(project))
    for _ in range(10):
        finished(project)
    with django_assert_max_num_queries(20):  # type: ignore[operator]
        page.get(address(project))
