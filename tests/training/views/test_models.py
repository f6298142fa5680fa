from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from annotation.models import Project, Role
from tests import factories
from training.services import decisions, deployments

pytestmark = pytest.mark.django_db


@pytest.fixture
def engineer() -> User:
    return factories.make_user("engineer")


@pytest.fixture
def project(engineer: User) -> Project:
    project = factories.make_project("Bank intents")
    factories.add_member(project, Role.ENGINEER, engineer)
    return project


@pytest.fixture
def page(client: Client, engineer: User) -> Client:
    client.force_login(engineer)
    return client


def test_it_teaches_where_there_is_no_model(page: Client, project: Project) -> None:
    text = page.get(reverse("training:models", args=[project.slug])).text
    assert "No model yet" in text and reverse("selection:rounds", args=[project.slug]) in text


@pytest.mark.parametrize("path", ["models", "models/1", "runs/1"])
def test_it_is_for_engineers_of_the_project(client: Client, project: Project, path: str) -> None:
    model = factories.make_model(project)
    address = f"/admin/p/{project.slug}/{path}"
    assert model.number == 1 and client.get(address).status_code == 302
    client.force_login(factories.make_user("outsider"))
    assert client.get(address).status_code == 404
    client.force_login(factories.add_member(project, Role.ANNOTATOR))
    assert client.get(address).status_code == 403


def test_it_shows_what_became_of_each_model(page: Client, project: Project) -> None:
    first = factories.make_model(project)
    decisions.decide(first, factories.make_evaluation(first))
    second = factories.make_model(project, first.run.dataset)
    worse = factories.make_evaluation(
        second, right=60, wrong=40, baseline=first, value=-0.2, low=-0.3, high=-0.1
    )
    decisions.decide(second, worse)
    text = page.get(reverse("training:models", args=[project.slug])).text
    assert "m1 is deployed: it suggests labels and scores the pool." in text
    assert "80.0 %" in text and "60.0 %" in text and "[-30.0 %, -10.0 %]" in text.replace("−", "-")
    assert "keep the deployed one" in text


def test_it_draws_the_evaluation_and_says_why_it_was_decided(page: Client, project: Project) -> None:
    model = factories.make_model(project)
    decisions.decide(model, factories.make_evaluation(model))
    text = page.get(reverse("training:evaluation", args=[project.slug, 1])).text
    for words in (
        "Reliability",
        "Confusion",
        "Recall by label",
        "80.0 %",
        "n = 100",
        "judged on 100 test items",
    ):
        assert words in text
    assert text.count('<figure class="chart"') == 3


def test_it_draws_points_of_a_scale_in_their_order_and_labels_by_how_hard_they_are() -> None:
    from training import charts
    from training.selectors.evaluations import ClassRow, Measured, Report

    def row(point: int, recall: float) -> ClassRow:
        measured = Measured(value=recall, low=0.0, high=1.0, n=9)
        return ClassRow(label=f"q={point}", name=f"q {point}", precision=1.0, recall=measured, f1=1.0, n=9)

    rows = [row(1, 0.9), row(2, 0.1), row(3, 0.5)]
    shared = {"n": 27, "figures": [], "levels": [], "bins": [], "tables": [], "difference": None}
    names = [
        [cells[0] for cells in charts.per_class(Report(classes=rows, is_scale=is_scale, **shared)).rows]
        for is_scale in (True, False)
    ]
    assert names == [["q 1", "q 2", "q 3"], ["q 2", "q 3", "q 1"]]


def test_it_says_that_a_model_was_not_judged(page: Client, project: Project) -> None:
    decisions.decide(factories.make_model(project), None)
    text = page.get(reverse("training:evaluation", args=[project.slug, 1])).text
    assert "This model was not judged" in text and "unproven" in text


def test_it_takes_an_engineers_decision_with_its_reason(
    page: Client, project: Project, engineer: User
) -> None:
    first = factories.make_model(project)
    decisions.decide(first, None)
    second = factories.make_model(project, first.run.dataset)
    decisions.decide(second, None)
    address = reverse("training:evaluation", args=[project.slug, 2])
    answer = page.post(address, {"action": "keep", "reason": ""})
    assert answer.status_code == 400 and "This field is required" in answer.text
    answer = page.post(address, {"action": "keep", "reason": "it confuses refunds"}, follow=True)
    assert "Your decision is stored" in answer.text and "it confuses refunds" in answer.text
    assert deployments.is_deployed(first)
    assert second.decisions.first().by == engineer


def test_it_says_in_place_that_there_is_nothing_to_go_back_to(page: Client, project: Project) -> None:
    decisions.decide(factories.make_model(project), None)
    address = reverse("training:evaluation", args=[project.slug, 1])
    answer = page.post(address, {"action": "keep", "reason": "bad"})
    assert answer.status_code == 400 and "there is none to go back to" in answer.text


def test_it_shows_a_run_with_its_loss_as_it_goes(page: Client, project: Project) -> None:
    from jobs.models import JobMetric
    from training.services import runs

    run = runs.launch(project, factories.make_dataset(project), learner="finetune")
    for step in range(3):
        JobMetric.objects.create(
            job=run.job, step=step, values={"loss": 1.0 / (step + 1), "samples_per_s": 30.0}
        )
    text = page.get(reverse("training:run", args=[project.slug, run.number])).text
    assert 'data-poll="' + reverse("training:run_live", args=[project.slug, run.number]) + '"' in text
    assert "Loss" in text and "<svg" in text and "texts a second" in text
    assert reverse("jobs:cancel", args=[run.job.uuid]) in text


def test_it_asks_as_few_questions_for_many_models_as_for_one(
    page: Client, project: Project, django_assert_max_num_queries: object
) -> None:
    dataset = factories.make_dataset(project)
    for _time in range(4):
        model = factories.make_model(project, dataset)
        decisions.decide(model, factories.make_evaluation(model))
    page.get(reverse("training:models", args=[project.slug]))
    with django_assert_max_num_queries(13):  # type: ignore[operator]
        page.get(reverse("training:models", args=[project.slug]))
