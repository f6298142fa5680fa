from __future__ import annotations

from dataclasses import replace

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse

from accounts.models import User
from annotation.models import Project, Role
from jobs.errors import JobsError
from jobs.models import Job
from selection import charts
from selection.forms import LaunchForm
from selection.models import Round
from selection.round_spec import RoundSpec
from selection.services import previews, rounds
from selection.strategies.blend import BlendSettings
from selection.strategies.registry import STRATEGIES
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


def test_it_shows_the_picture_and_the_sentence_of_the_strategy_that_is_chosen(
    page: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = page.get(url("launch", project), {"strategy": "k_center"}).text
    assert '<img src="/static/img/strategies/k_center.svg"' in text
    assert 'alt="Map of a made-up pool with the picks of “K-center: the item farthest' in text
    assert "Reaches every corner of the pool" in text
    assert finders.find("img/strategies/k_center.svg")
    monkeypatch.setitem(STRATEGIES, "own", replace(STRATEGIES["k_center"], name="own"))
    assert "<figure" not in page.get(url("launch", project), {"strategy": "own"}).text


def test_a_setting_that_may_be_empty_does_not_hold_the_form_back() -> None:
    """A browser sends no form with an empty field that is required."""
    form = LaunchForm(spec=RoundSpec(strategy="random", learner="tune"))
    assert not form.fields["learner-base_model"].required
    assert form.fields["learner-rank"].required
    assert form.fields["learner-learning_rate"].help_text == "0: chosen by what is learnt."
    assert "learner-curriculum" in [field.name for field in form.seldom_fields]
    assert ("anti", "hard ones first") in form.fields["learner-curriculum"].choices


def test_settings_that_are_seldom_changed_lie_under_a_fold(page: Client, project: Project) -> None:
    text = page.get(url("launch", project), {"learner": "finetune"}).text
    fold = text[text.index('<details class="more"><summary>More settings') :]
    assert 'name="learner-compression"' in fold and 'name="learner-learning_rate"' not in fold
    assert 'name="learner-learning_rate"' in text
    assert "learner-tagging" not in text  # no spans here
    Round.objects.create(
        project=project,
        number=1,
        spec=RoundSpec(strategy="random", seed=1, learner_settings={"precision": "bf16"}).to_json(),
    )
    text = page.get(url("launch", project), {"learner": "finetune"}).text
    assert '<details class="more" open><summary>More settings' in text


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
        ({"learner-c": -3}, '<ul class="errors" id="id_learner-c_error"><li>Found -3.0, expected a number'),
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
    assert 'class="message error" role="alert"' in answer.text
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
    assert "a lost card" in text and "in all 0.50" in text and "data-poll-done" in text
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


def test_it_draws_how_the_weights_of_the_blend_will_move(page: Client, project: Project) -> None:
    answer = page.get(url("launch", project), {"strategy": "blend"})
    chart = answer.context["schedule"]
    assert chart.rows[0] == ["1", "0.4", "0.3", "0.3"]
    assert {tuple(row[1:]) for row in chart.rows} == {("0.4", "0.3", "0.3")}, "they stay until told to move"
    assert "Rounds until the last weights" in answer.text
    assert page.get(url("launch", project), {"strategy": "random"}).context["schedule"] is None


def test_moving_weights_are_drawn_to_their_end_with_the_round_to_come() -> None:
    settings = BlendSettings(beta=0.5, gamma=0.1, moving_rounds=2, last_beta=0.1, last_gamma=0.5)
    chart = charts.blend_schedule(settings, turn=1)
    rows = [["1", "0.4", "0.5", "0.1"], ["2", "0.4", "0.3", "0.3"], ["3", "0.4", "0.1", "0.5"]]
    assert chart.rows == [*rows, ["4", *rows[2][1:]], ["5", *rows[2][1:]]]
    assert "this round" in chart.svg
    assert "over 2 rounds" in chart.note
