"""Rounds over responses and preferences: a tiny language model is tuned, judged, deployed, and rates items."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from annotation.models import Prelabel, Project
from annotation.services.items import Record, add_items
from jobs.services import jobs
from jobs.services.context import JobContext
from selection.models import Column, Round
from selection.services import builds, rounds
from tests import factories, language_kit, typed
from training.models import Evaluation, ModelVersion, TrainingRun
from training.selectors import base_models as bases
from training.selectors import models
from training.services import base_models, programs, reinforcing, runs

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
QUICK = {"epochs": 1, "batch_size": 4, "max_length": 64, "learning_rate": 0.005, "precision": "fp32"}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return language_kit.tiny_llama(tmp_path_factory.mktemp("bases") / "tiny")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, settings: Any, tiny: Path) -> None:
    """Every program in this process: starting one costs more than all its work on two layers."""
    started = JobContext.run_program

    def here(ctx: JobContext, module: str, spec: dict[str, Any], **_options: Any) -> Path:
        return started(ctx, module, spec, in_process=True)

    settings.MODEL_FOLDERS = [str(tiny.parent)]
    monkeypatch.setattr(JobContext, "run_program", here)
    monkeypatch.setattr(builds, "EMBED_PROGRAM", "tests.stand_in_embed")


def make(kind: str, tiny: Path) -> Project:
    """Twelve train items and four for testing with final labels; six more in the pool."""
    project = typed.make_project(kind, by=factories.make_user(is_superuser=True))
    base_models.register(project, name="tiny", folder=str(tiny), is_default=True)
    for split, first, count in (("train", 0, 12), ("test", 20, 4), ("train", 40, 6)):
        records = [record(kind, n, split, labelled=first < 40) for n in range(first, first + count)]
        added = add_items(project, records, source=f"{split}{first}")
        assert not added.refused, added.refused
    return project


def record(kind: str, number: int, split: str, *, labelled: bool) -> Record:
    word, other = language_kit.WORDS[number % 7], language_kit.WORDS[number % 5]
    value: dict[str, Any] = {"reply": {"text": f"your {word} was sent"}}
    data = {}
    if kind == "preference":
        data = {"responses": [f"thanks {word} good", f"no {other} bad"]}
        value = {"preferred": {"ranking": [["r1"], ["r2"]], "strength": "much", "reasons": []}}
    return Record(
        text=f"where is my {word} {number}",
        data=data,
        split=split,
        value=value if labelled else None,
    )


def run(project: Project, **spec: Any) -> Round:
    with programs.in_this_process():
        launched = factories.make_round(
            project, **{"batch_size": 4, "seed": 3, "learner": "tune", "learner_settings": QUICK, **spec}
        )
        return rounds.run_to_end(launched)


@pytest.mark.parametrize("kind", ["response", "preference"])
def test_a_round_tunes_judges_deploys_rates_and_suggests(client: Client, tiny: Path, kind: str) -> None:
    project = make(kind, tiny)
    round_ = run(project, strategy="margin", control_share=0.0)
    assert round_.state == Round.State.DONE, round_.error
    assert not round_.stations.exclude(state="done").exists()

    model = ModelVersion.objects.get(project=project)
    assert models.deployed(project) == model
    assert model.figures["objective"] == {"response": "sft", "preference": "dpo"}[kind]
    assert (model.figures["train_count"], model.figures["base"]["name"]) == (12, "tiny")
    figures = Evaluation.objects.get(model=model).figures
    assert (figures["n"], figures["kind"], figures["against"]) == (4, kind, "base")
    assert 0 <= figures["model"]["accuracy"] <= 1
    assert (figures["likelihood_difference"] is None) == (kind == "preference")

    column = Column.objects.get(project=project, kind=Column.Kind.PROBABILITY)
    assert (column.count, column.width) == (6, 2)
    shown = Prelabel.objects.filter(project=project)
    if kind == "preference":
        assert shown.count() == 4
        assert {one.value["preferred"]["ranking"][0][0] for one in shown} <= {"r1", "r2"}
        assert all(0.5 <= one.confidence <= 1 for one in shown)

    client.force_login(factories.make_user(is_superuser=True))
    page = client.get(reverse("training:evaluation", args=[project.slug, model.number]))
    assert "base model" in page.content.decode()
    for name in ("training:models", "training:base_models", "selection:launch", "selection:rounds"):
        assert client.get(reverse(name, args=[project.slug])).status_code == 200


def test_a_base_learns_what_the_reward_model_likes_and_is_judged_and_a_base_itself(
    client: Client, tiny: Path
) -> None:
    project = make("preference", tiny)
    client.force_login(factories.make_user(is_superuser=True))
    page = reverse("training:reinforcement", args=[project.slug])
    assert "No reward model yet" in client.get(page).text
    short = {"steps": 2, "batch_size": 4, "replies": 2, "most_new_tokens": 4}
    with pytest.raises(CommandError, match="no such reward model: tune one on preferences first"):
        call_command("reinforce", project.slug, name="better", **short)
    run(project, strategy="random", learner_settings={**QUICK, "preferences": "reward"})

    form = {
        **short,
        "learning_rate": 1e-3,
        "beta": 0.1,
        "adapter": "lora",
        "processes": 1,
        "profile_steps": 0,
    }
    form |= {"name": "Better", "reward": 1, "base_model": ""}
    refused = client.post(page, {**form, "batch_size": 3})
    assert (refused.status_code, TrainingRun.objects.count()) == (422, 1)
    assert "found 3, expected a multiple of the 2 replies a prompt gets" in refused.text
    told = client.post(page, form)
    launched = TrainingRun.objects.get(learner="reinforce")
    assert {**launched.spec["settings"], **short, "beta": 0.1} == launched.spec["settings"]  # for MLflow
    live = reverse("training:run", args=[project.slug, launched.number])
    assert told.url == live
    jobs.cancel(launched.job, None)
    runs.settle_all()  # as the tick does where the signal was lost
    launched.refresh_from_db()
    assert launched.state == "cancelled"
    assert "Go on" in client.get(live).text
    with pytest.raises(CommandError, match="found 3, expected a multiple of the 2 replies"):
        call_command("reinforce", project.slug, name="other", **{**short, "batch_size": 3})
    said = StringIO()  # by command it goes on, with the settings it had
    call_command("reinforce", project.slug, name="better", here=True, stdout=said)
    assert "made model 2 and the base model better" in said.getvalue()
    launched.refresh_from_db()
    assert (launched.state, launched.spec["steps"]) == ("done", 2)
    text = client.get(live).text
    for words in ("mean reward", "Where time and memory went", "replies and rewards", "base model “better”"):
        assert words in text, words
    assert bases.find(project, "better").path.endswith(f"/reinforced-{launched.uuid}")
    model = launched.model_version
    assert (model.figures["objective"], model.figures["base"]["name"]) == ("dpo", "tiny")

    jobs.drain()
    judged = Evaluation.objects.get(model=model)
    assert (judged.figures["n"], str(judged.baseline)) == (4, "m1")
    assert reinforcing.decide_all() == 1
    assert model.decisions.get().evaluation == judged and reinforcing.decide_all() == 0
    judged_page = client.get(reverse("training:evaluation", args=[project.slug, model.number]))
    assert "Prompts" in judged_page.text and "Learning parameters" in judged_page.text
    assert "better" in client.get(page).text
    assert "Found the name “Better”, expected a new one" in client.post(page, form).text


def test_without_a_language_model_labels_are_frozen_and_the_batch_is_spread(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.selectors.base_models.packaged", lambda: None)
    project = make("response", tiny)
    base_models.remove(project, "tiny")
    round_ = run(project, learner_settings={})
    assert round_.state == Round.State.DONE, round_.error
    assert round_.dataset.train_count == 12
    assert "no language model to tune" in round_.stations.get(name="train").note
