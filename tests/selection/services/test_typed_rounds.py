"""Rounds over every type of label: learnt from where an objective does, else frozen and spread by diversity."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from django.test import Client
from django.urls import reverse

from annotation.models import Prelabel, Project, Slot
from annotation.selectors import datasets as dataset_reads
from annotation.services import items
from annotation.task_types import registry as task_types
from jobs.services.context import JobContext
from selection.models import Round
from selection.services import builds, rounds
from tests import factories, training_kit, typed
from training.learning import encoder
from training.models import Evaluation
from training.services import programs

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
UNLEARNT = ["preference", "response"]
LEARNT = {"multilabel": "micro_f1", "tree": "accuracy", "spans": "f1", "rating": "kappa"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "EMBED_PROGRAM", "tests.stand_in_embed")
    monkeypatch.setattr("training.selectors.base_models.packaged", lambda: None)


def run(project: Project, **spec: object) -> Round:
    with programs.in_this_process():
        return rounds.run_to_end(factories.make_round(project, **{"batch_size": 4, "seed": 3, **spec}))


def states(round_: Round) -> dict[str, str]:
    return dict(round_.stations.values_list("name", "state"))


@pytest.mark.parametrize("name", UNLEARNT)
def test_a_round_collects_freezes_picks_and_publishes(client: Client, name: str) -> None:
    admin = factories.make_user(is_superuser=True)
    project = typed.make_project(name, by=admin)
    typed.add_items(project, name, 14)
    first = run(project)
    assert first.state == Round.State.DONE, first.error
    assert {station for station, state in states(first).items() if state == "done"} == {
        *("collect", "pick", "publish")
    }
    assert typed.label(project, name, admin) == 4

    second = run(project, strategy="default", seed=4, control_share=0.25)
    assert second.state == Round.State.DONE, second.error
    assert {station for station, state in states(second).items() if state == "skipped"} == {
        *("train", "evaluate", "decide", "score")
    }
    for station in ("train", "evaluate", "decide"):
        note = second.stations.get(name=station).note
        assert "No objective learns from" in note or "no language model to tune" in note
    assert re.search("no (language )?model", second.stations.get(name="score").note)
    assert (second.dataset.train_count, second.dataset.manifest["type"]) == (4, typed.FIELDS[name][0]["type"])
    rows = pq.read_table(dataset_reads.folder(second.dataset) / "train.parquet").to_pylist()
    assert all(json.loads(row["examples"]) for row in rows)
    assert second.batch.slots.filter(state=Slot.State.FREE).count() == 4
    labelled = set(first.batch.slots.values_list("item", flat=True))
    assert not labelled & set(second.batch.slots.values_list("item", flat=True))

    client.force_login(admin)
    for page in ("round", "round_live", "replay_status"):
        assert client.get(reverse(f"selection:{page}", args=[project.slug, second.number])).status_code == 200
    for page in ("selection:rounds", "selection:launch", "training:models", "annotation:agreement"):
        assert client.get(reverse(page, args=[project.slug])).status_code == 200


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A base model of two layers, and programs that run here: the rounds are real, the models small."""
    folder = training_kit.tiny_encoder(tmp_path_factory.mktemp("tiny"))
    monkeypatch.setattr(encoder, "default_encoder_path", lambda: folder)
    outside = JobContext.run_program
    monkeypatch.setattr(
        JobContext,
        "run_program",
        lambda ctx, module, spec, **how: outside(
            ctx, module, spec, in_process=module.startswith("training.programs")
        ),
    )


@pytest.mark.parametrize("name", LEARNT)
def test_a_round_trains_judges_picks_and_suggests(client: Client, name: str, tiny: None) -> None:
    admin = factories.make_user(is_superuser=True)
    project = typed.make_project(name, by=admin)
    field = typed.FIELDS[name][0]
    for split, count in (("train", 16), ("test", 6)):
        records = [
            replace(
                typed.record(name, number, split=split),
                value=typed.answer(name, number),
                text=f"Ana waits in Berlin, number {number}{split}",
            )
            for number in range(count)
        ]
        assert not items.add_items(project, records, source=split).refused
    typed.add_items(project, name, 10, start=50)
    settings = {"epochs": 1.0, "learning_rate": 1e-3}
    for turn in range(2):  # the second model is judged beside the first
        round_ = run(
            project,
            strategy="margin" if turn else "default",
            seed=turn,
            learner="finetune",
            learner_settings=settings,
        )
        assert round_.state == Round.State.DONE, round_.error
        assert set(states(round_).values()) == {"done"}
    figures = Evaluation.objects.get(model__run=round_.run).figures
    assert figures["headline"] == LEARNT[name] and figures["n"] == 6
    assert figures["baseline"] is not None and figures["model"]["accuracy"] is not None
    model = round_.model
    assert model is not None and model.figures["field"]["name"] == field["name"]
    shown = Prelabel.objects.filter(project=project, labeller__key=str(model.uuid))
    assert shown.count() == 4
    for prelabel in shown:
        task_types.validate_part(typed.definition(name), prelabel.value)
        assert field["name"] in prelabel.value and 0 <= prelabel.confidence <= 1

    client.force_login(admin)
    for page in (
        reverse("training:evaluation", args=[project.slug, model.number]),
        reverse("training:models", args=[project.slug]),
        reverse("training:run", args=[project.slug, model.run.number]),
        reverse("selection:round", args=[project.slug, round_.number]),
        reverse("annotation:label", args=[project.slug]),
    ):
        assert client.get(page).status_code == 200, page


@pytest.mark.parametrize("strategy", ["random", "mmr", "blend", "hardness", "margin", "default"])
def test_every_kind_of_strategy_has_a_batch_for_written_responses(strategy: str) -> None:
    """What a strategy lacks (probabilities, or labels that are categories) it says, and a cold start picks."""
    project = typed.make_project("response")
    typed.add_items(project, "response", 12)
    run(project)
    typed.label(project, "response", factories.make_user())
    round_ = run(project, strategy=strategy, seed=5)
    assert round_.state == Round.State.DONE, round_.error
    assert round_.batch.slots.count() == 4
    is_spread = strategy == "random"
    assert ("half drawn at random" in round_.batch.note) != is_spread


def test_several_pairs_of_one_prompt_are_picked_side_by_side() -> None:
    from annotation.services.items import Record, add_items

    project = typed.make_project("preference")
    records = [
        Record(text=f"Question {n % 2}?", data={"responses": [f"Yes {n}", f"No {n}"]}, split="train")
        for n in range(6)
    ]
    add_items(project, records, source="pairs")
    round_ = run(project, batch_size=6)
    assert round_.batch.slots.count() == 6
