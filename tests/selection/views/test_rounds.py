from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from annotation.models import Project, Role
from jobs.errors import JobsError
from jobs.models import Job
from selection.models import Round
from selection.services import previews, rounds
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def engineer() -> User:
    return factories.make_user("engineer")


@pytest.fixture
def project(engineer: User) -> Project:
    project = factories.make_project("Bank intents")
    factories.add_member(project, Role.ENGINEER, engineer)
    factories.make_items(project, 8, split="train")
    return project


@pytest.fixture
def page(client: Client, engineer: User) -> Client:
    client.force_login(engineer)
    return client


def url(name: str, project: Project, *args: object) -> str:
    return reverse(f"selection:{name}", args=[project.slug, *args])


ORDER = {"strategy": "random", "learner": "probe", "batch_size": 3, "control_share": 0.1, "seed": 1}
FORM = {**ORDER, "pool_limit": 100, "learner-c": 10}


def test_it_shows_an_empty_page_that_teaches(page: Client, project: Project) -> None:
    answer = page.get(url("rounds", project))
    assert answer.status_code == 200
    assert "The first round starts by itself" in answer.text
    assert url("launch", project) in answer.text


@pytest.mark.parametrize("name", ["rounds", "launch"])
def test_it_is_for_engineers_of_the_project(client: Client, project: Project, name: str) -> None:
    assert client.get(url(name, project)).status_code == 302
    client.force_login(factories.make_user("outsider"))
    assert client.get(url(name, project)).status_code == 404
    client.force_login(factories.add_member(project, Role.REVIEWER))
    assert client.get(url(name, project)).status_code == 403


def test_it_fills_the_form_from_the_last_round_with_a_fresh_seed(page: Client, project: Project) -> None:
    round_ = factories.make_round(project, strategy="margin_clipped", settings={"skip_share": 0.25}, seed=41)
    rounds.cancel(round_)
    text = page.get(url("launch", project)).text
    assert 'name="strategy-skip_share" value="0.25"' in text
    assert 'name="seed" value="42"' in text
    assert 'value="probe" selected' in text


def test_it_draws_the_settings_of_the_strategy_that_is_chosen(page: Client, project: Project) -> None:
    text = page.get(url("launch", project), {"strategy": "margin_clipped", "learner": "finetune"}).text
    assert 'name="strategy-skip_share"' in text and 'name="learner-learning_rate"' in text
    text = page.get(url("launch", project), {"strategy": "random", "learner": "probe"}).text
    assert 'name="strategy-skip_share"' not in text and 'name="learner-c"' in text


def test_it_launches_what_the_form_says_and_shows_the_round(
    page: Client, project: Project, engineer: User
) -> None:
    answer = page.post(url("launch", project), FORM)
    round_ = Round.objects.get()
    assert answer.status_code == 302 and answer["Location"] == url("round", project, 1)
    assert {name: round_.spec[name] for name in ORDER} == ORDER
    assert round_.spec["learner_settings"] == {"c": 10.0}
    assert round_.created_by == engineer
    text = page.get(answer["Location"]).text
    assert 'data-poll="' + url("round_live", project, 1) + '"' in text
    assert "waiting for a worker" in text and "Cancel" in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"batch_size": 50}, "The pool has 8 unlabelled items, the batch needs 50"),
        ({"learner-c": -3}, "c: found -3.0, expected a number"),
        ({"pool_limit": 1}, "found a pool limit of 1"),
        ({"batch_size": "many"}, "Enter a whole number."),
    ],
)
def test_it_says_in_place_what_cannot_be_done(
    page: Client, project: Project, changes: dict[str, object], words: str
) -> None:
    answer = page.post(url("launch", project), {**FORM, **changes})
    assert answer.status_code == 400
    assert words in answer.text
    assert not Round.objects.exists()


def test_it_previews_ten_picks_as_a_job(page: Client, project: Project) -> None:
    answer = page.post(url("launch", project), {**FORM, "preview": "1"})
    job = Job.objects.get(kind=previews.KIND)
    assert answer["Location"] == f"{url('launch', project)}?preview={job.uuid}#preview"
    text = page.get(answer["Location"]).text
    assert 'data-poll="' + reverse("selection:preview", args=[project.slug, job.uuid]) + '"' in text
    assert 'name="batch_size" value="3"' in text
    result = {
        "strategy": "random",
        "note": "",
        "items": [{"row": 0, "text": "a lost card", "parts": {"score": 0.5}}],
    }
    Job.objects.filter(pk=job.pk).update(state="done", result=result)
    text = page.get(reverse("selection:preview", args=[project.slug, job.uuid])).text
    assert "a lost card" in text and "score 0.50" in text and "data-poll-done" in text
    assert not Round.objects.exists()


def test_it_shows_a_failed_round_with_its_sentence_and_takes_it_up_again(
    page: Client, project: Project
) -> None:
    round_ = factories.make_round(project)
    job = Job.objects.get()
    Job.objects.filter(pk=job.pk).update(state="failed", error=str(JobsError("the disk is full")))
    rounds.advance(round_)
    text = page.get(url("round", project, 1)).text
    assert "the disk is full" in text and "Try again" in text
    assert 'data-poll="' not in text
    answer = page.post(url("retry", project, 1), follow=True)
    assert answer.status_code == 200 and "Try again" not in answer.text
    assert Job.objects.get(pk=job.pk).state == "queued"


def test_it_cancels_a_running_round(page: Client, project: Project) -> None:
    factories.make_round(project)
    text = page.post(url("cancel", project, 1), follow=True).text
    assert "Round 1 is cancelled" in text
    assert Round.objects.get().state == "cancelled"
    answer = page.post(url("cancel", project, 1))
    assert answer.status_code == 409 and "nothing to cancel" in answer.text


def test_it_reloads_the_page_once_when_the_round_has_ended(page: Client, project: Project) -> None:
    round_ = factories.make_round(project)
    assert "data-poll-reload" not in page.get(url("round_live", project, 1)).text
    rounds.cancel(round_)
    assert "data-poll-reload" in page.get(url("round_live", project, 1)).text


def test_it_knows_only_its_own_rounds(page: Client, project: Project) -> None:
    assert page.get(url("round", project, 7)).status_code == 404


def test_it_asks_few_questions_of_the_database(
    page: Client, project: Project, django_assert_max_num_queries: object
) -> None:
    for _time in range(3):
        rounds.cancel(factories.make_round(project))
    page.get(url("rounds", project))
    with django_assert_max_num_queries(14):  # type: ignore[operator]
        page.get(url("rounds", project))
    with django_assert_max_num_queries(16):  # type: ignore[operator]
        page.get(url("round_live", project, 3))
