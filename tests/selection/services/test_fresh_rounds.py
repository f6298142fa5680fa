"""Rounds that go on from the deployed model and compare that with a fresh start, with tiny models."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from annotation.models import Project
from annotation.services import items
from jobs.models import Job
from jobs.services.context import JobContext
from selection.errors import BadSpec
from selection.models import Round
from selection.services import builds, rounds
from tests import factories, training_kit, typed
from training.learning import encoder
from training.models import Comparison, Decision, Evaluation, TrainingRun
from training.selectors import comparisons, models
from training.services import programs

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
QUICK = {"epochs": 1.0, "learning_rate": 1e-3, "max_length": 32}
ON = {**QUICK, "start_from": "deployed", "replay": 0.25}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A base model of two layers, and programs that run here."""
    folder = training_kit.tiny_encoder(tmp_path_factory.mktemp("tiny"))
    monkeypatch.setattr(encoder, "default_encoder_path", lambda: folder)
    monkeypatch.setattr(builds, "EMBED_PROGRAM", "tests.stand_in_embed")
    outside = JobContext.run_program
    monkeypatch.setattr(
        JobContext,
        "run_program",
        lambda ctx, module, spec, **how: outside(
            ctx, module, spec, in_process=module.startswith("training.programs")
        ),
    )


def add(project: Project, split: str, count: int, start: int = 0) -> None:
    records = [
        replace(
            typed.record("tree", number, split=split),
            value=typed.answer("tree", number),
            text=f"Ana waits in Berlin, number {number}{split}",
        )
        for number in range(start, start + count)
    ]
    assert not items.add_items(project, records, source=f"{split}{start}").refused


@pytest.fixture
def project() -> Project:
    project = typed.make_project("tree", by=factories.make_user(is_superuser=True))
    add(project, "train", 32)
    add(project, "test", 6)
    return project


def run(project: Project, learner_settings: dict[str, Any], **spec: Any) -> Round:
    order = {"batch_size": 0, "seed": 3, "learner": "finetune", "learner_settings": learner_settings, **spec}
    with programs.in_this_process():
        return rounds.run_to_end(factories.make_round(project, **order))


def test_a_round_trains_both_ways_compares_and_puts_one_forward(client: Client, project: Project) -> None:
    first = run(project, QUICK)
    assert first.state == Round.State.DONE, first.error
    assert Comparison.objects.count() == 0 and TrainingRun.objects.count() == 1
    deployed = models.deployed(project)
    add(project, "train", 12, start=32)

    surgery = {"gradient_surgery": True, "surgery_tasks": "levels"}
    second = run(project, ON | surgery, compare_fresh=True)
    assert second.state == Round.State.DONE, second.error
    comparison = Comparison.objects.get()
    model, fresh = comparison.model, comparison.fresh
    assert model.run.spec["start_model"] == str(deployed.uuid) and "start_model" not in fresh.run.spec
    assert {one.run.dataset for one in (model, fresh)} == {second.dataset}
    for one in (model, fresh):  # the two levels of the tree are tasks of both
        assert one.run.spec["gradient_surgery"] and one.figures["surgery"]["tasks"] == ["1", "2"]
    assert model.run.spec["seed"] == fresh.run.spec["seed"] == 3
    assert model.run.spec["base"] == fresh.run.spec["base"]
    judged = {one.model_id: one for one in Evaluation.objects.filter(dataset=second.dataset)}
    assert {one.baseline for one in judged.values()} == {deployed} and len(judged) == 2

    seen = comparisons.view(comparison)
    own, other = seen.sides
    # Twelve new texts, and a quarter of the thirty-two that the deployed model knows; all of them anew.
    assert (own.items, own.replayed, own.steps) == (20, 8, 2)
    assert (other.items, other.replayed, other.steps) == (44, None, 3)
    assert (own.start, other.start) == (str(deployed), "the base model")
    assert own.seconds > 0 and other.seconds > 0 and seen.n == 6
    figures = comparison.figures
    assert figures["difference"]["value"] == pytest.approx(
        figures["model"]["accuracy"] - figures["baseline"]["accuracy"]
    )
    assert figures["model"]["accuracy"] == judged[model.pk].figures["model"]["accuracy"]
    assert figures["baseline"]["accuracy"] == judged[fresh.pk].figures["model"]["accuracy"]
    # Six test items tell nothing: what took fewer steps goes on to the decision, and alone may be deployed.
    assert comparison.why == Comparison.Why.FEW
    assert comparison.chosen == model and second.run == model.run
    over = Decision.objects.get(model=fresh)
    assert (over.action, over.reason, over.proven) == ("keep", seen.reason, False)
    assert Decision.objects.get(model=model).action == "deploy" and models.deployed(project) == model
    assert second.stations.get(name="train").note == f"models {model} and {fresh}"
    assert second.stations.get(name="evaluate").note == seen.verdict
    assert seen.reason.startswith(f"{seen.verdict} Accuracy of {model} less {fresh}: ")
    for part in (
        f"{model} (from {deployed}, 2 steps, ",
        f"instead of {fresh} (3 steps, ",
        "too few test items to tell, and cheaper to train. Accuracy of",
        "n = 6",
    ):
        assert part in seen.reason

    told = StringIO()
    call_command("evaluation", project.slug, str(model.number), stdout=told)
    assert f"{model} from {deployed}: Accuracy" in told.getvalue()
    assert "20 texts learnt, 8 of them again, 2 steps" in told.getvalue()
    assert seen.reason in told.getvalue()
    client.force_login(factories.make_user(is_superuser=True))
    for one in (model, fresh):
        page = client.get(reverse("training:evaluation", args=[project.slug, one.number])).text
        assert page.count("put forward</span>") == 1 and "Going on or a fresh start" in page
        assert f"/runs/compare?one={model.run.number}&amp;other={fresh.run.number}" in page
    (entry,) = client.get(f"/api/v1/projects/{project.slug}/models/{fresh.number}/comparisons").json()
    assert (entry["model"], entry["fresh"], entry["chosen"]) == (model.number, fresh.number, model.number)
    assert entry["reason"] == seen.reason

    # Asked once more, as by a tick that comes late, nothing is done again.
    jobs_before = Job.objects.count()
    rounds.advance(second)
    assert (Comparison.objects.count(), Job.objects.count()) == (1, jobs_before)


def test_without_test_items_there_is_nothing_to_compare_and_nothing_is_trained_twice(client: Client) -> None:
    project = typed.make_project("tree", by=factories.make_user(is_superuser=True))
    add(project, "train", 16)
    assert run(project, QUICK).state == Round.State.DONE
    add(project, "train", 4, start=16)
    second = run(project, {**ON, "gradient_surgery": True}, compare_fresh=True)
    assert second.state == Round.State.DONE, second.error
    assert TrainingRun.objects.count() == 2 and not Comparison.objects.exists()
    assert "start_model" in second.run.spec


def test_only_a_run_that_goes_on_is_compared(client: Client, project: Project) -> None:
    for learner, settings in (("finetune", QUICK), ("probe", {})):
        with pytest.raises(BadSpec, match="Only a fine-tune that goes on with the deployed model"):
            factories.make_round(
                project, batch_size=0, learner=learner, learner_settings=settings, compare_fresh=True
            )
    client.force_login(factories.make_user(is_superuser=True))
    page = reverse("selection:launch", args=[project.slug])
    assert 'name="compare_fresh"' in client.get(page, {"learner": "finetune"}).text
    assert 'name="compare_fresh"' not in client.get(page, {"learner": "probe"}).text
    answer = client.post(
        f"/api/v1/projects/{project.slug}/rounds",
        {"batch_size": 0, "learner": "finetune", "learner_settings": QUICK, "compare_fresh": True},
        content_type="application/json",
    )
    assert answer.status_code == 400 and "fresh start" in answer.json()["message"]
