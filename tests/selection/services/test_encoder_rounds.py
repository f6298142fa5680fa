"""Rounds that fine-tune a registered encoder: another width, another tokenizer, another architecture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from annotation.models import Prelabel, Project
from annotation.services import items
from jobs.services import artifacts
from jobs.services.context import JobContext
from selection.errors import BadSpec
from selection.models import Column, Round
from selection.services import builds, pool, rounds
from tests import encoder_kit, factories, typed
from training.errors import BadBaseModel
from training.models import Evaluation, TrainingRun
from training.services import base_models, programs

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
QUICK = {"epochs": 1.0, "learning_rate": 1e-3, "max_length": 64}


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bases")
    for name, make in encoder_kit.MAKE.items():
        make(folder / name)
    return folder


@pytest.fixture(autouse=True)
def read_in(monkeypatch: pytest.MonkeyPatch, settings: Any, bases: Path) -> list[str]:
    """Programs of training in this process, on models of two layers; in which precision texts were read."""
    settings.MODEL_FOLDERS = [str(bases)]
    outside = JobContext.run_program
    precisions: list[str] = []

    def inside(ctx: JobContext, module: str, spec: dict[str, Any], **how: Any) -> Path:
        if module == "training.programs.predict":
            precisions.append(spec["precision"])
        return outside(ctx, module, spec, in_process=module.startswith("training.programs"))

    monkeypatch.setattr(builds, "EMBED_PROGRAM", "tests.stand_in_embed")
    monkeypatch.setattr(JobContext, "run_program", inside)
    return precisions


def make(kind: str, bases: Path) -> Project:
    """Sixteen labelled train items and six for testing; ten more in the pool; both encoders registered."""
    project = typed.make_project(kind, by=factories.make_user(is_superuser=True))
    for name in encoder_kit.MAKE:
        base_models.register(project, name=name, folder=str(bases / name))
    for split, count in (("train", 16), ("test", 6)):
        records = [
            replace(
                typed.record(kind, number, split=split),
                value=typed.answer(kind, number),
                text=f"Ana waits in Berlin, number {number}{split}",
            )
            for number in range(count)
        ]
        assert not items.add_items(project, records, source=split).refused
    typed.add_items(project, kind, 10, start=50)
    return project


def run(project: Project, **settings: Any) -> Round:
    spec = {"strategy": "margin", "learner": "finetune", "learner_settings": {**QUICK, **settings}}
    with programs.in_this_process():
        round_ = rounds.run_to_end(factories.make_round(project, batch_size=4, **spec))
    assert round_.state == Round.State.DONE, round_.error
    return round_


@pytest.mark.parametrize(("base", "kind"), [("bert", "tree"), ("roberta", "spans")])
def test_a_round_trains_judges_scores_and_suggests_from_a_registered_encoder(
    client: Client, bases: Path, base: str, kind: str, read_in: list[str]
) -> None:
    project = make(kind, bases)
    first = run(project, base_model=base)
    assert first.run is not None and first.run.spec["base"]["name"] == base
    second = run(project, start_from="deployed", scoring="bf16" if base == "bert" else "fp32")
    model = second.model
    assert model is not None and second.run is not None
    in_bf16 = base == "bert"
    assert model.run == second.run and model.figures["scoring"] == ("bf16" if in_bf16 else "fp32")
    assert second.run.spec["base"] == first.run.spec["base"]
    assert "start_model" in second.run.spec
    # Judged alone, then scored; judged beside the first, then scored.
    assert read_in == ["fp32"] * 4 + ["bf16" if in_bf16 else "fp32"]
    kept = artifacts.path(model.artifact) / "model"
    assert f'"hidden_size": {encoder_kit.WIDTH}' in (kept / "config.json").read_text()
    evaluation = Evaluation.objects.get(model__run=second.run)
    assert (evaluation.figures["n"], evaluation.figures["baseline"] is not None) == (6, True)
    scored = Column.objects.filter(project=project, model_key=str(model.uuid)).first()
    assert scored is not None
    rows = np.load(artifacts.path(scored.artifact) / "rows.npy")
    assert len(rows) == len(set(rows.tolist())) > 0
    embedded = Column.objects.filter(project=project, kind=Column.Kind.EMBEDDING)
    assert set(embedded.values_list("model_key", flat=True)) == {pool.embedding_key(project)}
    assert Prelabel.objects.filter(project=project, labeller__key=str(model.uuid)).count() == 4
    client.force_login(factories.make_user(is_superuser=True))
    assert (f"{model} · bf16" in client.get(reverse("selection:pool", args=[project.slug])).text) == in_bf16
    page = client.get(reverse("training:run", args=[project.slug, second.run.number])).text
    assert f"<dt>Reads the pool in</dt><dd>{model.figures['scoring']}</dd>" in page
    assert f"<dt>Base model</dt><dd>{base}</dd>" in page


def test_one_base_goes_on_from_itself_alone(bases: Path) -> None:
    project = make("tree", bases)
    run(project, base_model="bert")
    refused = rounds.run_to_end(
        factories.make_round(
            project,
            batch_size=4,
            learner="finetune",
            learner_settings={**QUICK, "start_from": "deployed", "base_model": "roberta"},
        )
    )
    assert refused.state == Round.State.FAILED
    assert "was made from “bert”: leave the base model empty" in refused.error


def test_the_launch_form_offers_encoders_and_refuses_what_one_cannot(client: Client, bases: Path) -> None:
    project = make("tree", bases)
    client.force_login(factories.make_user(is_superuser=True))
    page = reverse("selection:launch", args=[project.slug])
    text = client.get(page, {"learner": "finetune"}).text
    for option in ('value="" selected>default (minilm)', 'value="bert"', 'value="roberta"', 'value="minilm"'):
        assert option in text
    for settings, error, words in (
        ({"base_model": "roberta", "max_length": 128}, BadSpec, "the base model reads 96 tokens"),
        (
            {"base_model": "bert", "max_length": 64, "layout": "tp", "processes": 2},
            BadSpec,
            "3 attention heads",
        ),
        ({"base_model": "none"}, BadBaseModel, "no encoder “none”; there is: bert, roberta, minilm"),
        ({"base_model": "smollm2"}, BadBaseModel, "no encoder “smollm2”"),
    ):
        with pytest.raises(error, match=words):
            factories.make_round(project, batch_size=4, learner="finetune", learner_settings=settings)


def test_a_folder_that_has_changed_since_stops_the_run(bases: Path, tmp_path: Path, settings: Any) -> None:
    settings.MODEL_FOLDERS = [str(bases), str(tmp_path / "own")]
    project = make("tree", bases)
    own = encoder_kit.tiny_bert(tmp_path / "own" / "one")
    base_models.register(project, name="one", folder=str(own), is_default=True)
    round_ = factories.make_round(
        project, batch_size=4, strategy="random", learner="finetune", learner_settings=QUICK
    )
    (own / "tokenizer_config.json").write_text('{"other": 1}')
    with programs.in_this_process():
        round_ = rounds.run_to_end(round_)
    assert round_.state == Round.State.FAILED or TrainingRun.objects.get().state == "failed"
    assert "“one” has changed since this was trained" in round_.error
