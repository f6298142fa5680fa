from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as conf
from django.test import Client
from django.urls import reverse
from django.utils import translation

from annotation.models import Project
from jobs import program
from jobs.models import Job
from jobs.services import artifacts, jobs
from jobs.services.context import JobContext
from tests import factories
from tests.training.learning.test_base_folder import make
from training.errors import BadSettings
from training.models import BaseModel, Evaluation, ModelVersion, TrainingRun
from training.selectors import base_models as bases
from training.services import base_models, reinforcing
from training.services.numbering import next_number

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def trained(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program's result, without its work: a model folder whose configuration tells runs apart."""
    (Path(conf.DATA_DIR) / "models").mkdir(parents=True)

    def train(_ctx: JobContext, run: TrainingRun) -> Path:
        folder = Path(conf.DATA_DIR) / "work" / f"trained-{run.uuid}"
        with program.result_folder(folder) as target:
            make(target / "model", of=str(run.uuid))
            (target / "result.json").write_text(json.dumps({"labels": [], "objective": "sft"}))
        return folder

    monkeypatch.setattr(reinforcing, "_train", train)
    monkeypatch.setattr(reinforcing.evaluations, "launch", lambda *_given, **_how: None)


def launch(project: Project, name: str) -> TrainingRun:
    run = TrainingRun.objects.create(
        project=project,
        number=next_number(TrainingRun, project),
        dataset=factories.make_dataset(project),
        learner=TrainingRun.Learner.REINFORCE,
        spec={"name": name, "steps": 3},
        origin=f"reinforce:{name}",
    )
    run.job = jobs.enqueue(reinforcing.KIND, subject=run, scope=project.uuid)
    run.save(update_fields=["job"])
    return run


def work(run: TrainingRun) -> Job:
    assert run.job is not None
    jobs.run(run.job.pk)
    run.job.refresh_from_db()
    run.refresh_from_db()
    return run.job


def config_of(project: Project, name: str) -> dict[str, Any]:
    return json.loads((Path(bases.find(project, name).path) / "config.json").read_text())


def test_each_run_has_a_folder_of_its_own_whatever_projects_and_models_are_called() -> None:
    own = Path(conf.DATA_DIR) / "models" / "bank-support-v1"
    make(own, of="an engineer")
    one, other = factories.make_project("Bank"), factories.make_project("Bank support")
    assert (one.slug, other.slug) == ("bank", "bank-support")
    first, second = launch(one, "support-v1"), launch(other, "v1")
    for run in (first, second):
        assert work(run).state == "done", run.job.error
    assert config_of(one, "support-v1")["of"] == str(first.uuid)
    assert config_of(other, "v1")["of"] == str(second.uuid)
    assert json.loads((own / "config.json").read_text())["of"] == "an engineer"


def test_it_leaves_a_base_model_alone_that_took_the_name_meanwhile(client: Client) -> None:
    project = factories.make_project()
    client.force_login(factories.make_user(is_superuser=True))
    run = launch(project, "better")
    own = make(Path(conf.DATA_DIR) / "models" / "own")
    base_models.register(project, name="better", folder=str(own), is_default=True)
    job = work(run)
    assert (job.state, run.state) == ("failed", "done")
    assert job.error.startswith("The name “better” stands for another base model by now: forget that one")
    row = BaseModel.objects.get()
    assert (row.folder, row.is_default) == (str(own), True)
    page = reverse("training:run_live", args=[project.slug, run.number])
    text = client.get(page).text
    assert "stands for another base model by now" in text and "Go on" in text
    assert "It is the base model" not in text

    base_models.remove(project, "better")
    assert reinforcing.launch(project, name="Better") == run
    assert reinforcing.launch(project, name="Better") == run  # it waits: nothing is added
    assert "data-poll=" in client.get(page).text
    assert work(run).state == "done", run.job.error
    text = client.get(page).text
    assert "It is the base model “better” now" in text and "stands for another" not in text
    with pytest.raises(BadSettings, match="expected a new one"):
        reinforcing.launch(project, name="Better")
    assert config_of(project, "better")["of"] == str(run.uuid)


def test_registered_twice_equals_once_and_keeps_what_an_engineer_made_the_default() -> None:
    project = factories.make_project()
    run = launch(project, "better")
    work(run)
    base_models.make_default(project, "better")
    Job.objects.filter(pk=run.job.pk).update(state="queued")  # its worker was killed before it was booked
    assert work(run).state == "done", run.job.error
    assert BaseModel.objects.get().is_default
    assert ModelVersion.objects.get().number == 1


def test_a_model_with_damaged_files_does_not_hold_up_decisions_on_others() -> None:
    models = [factories.make_model(factories.make_project()) for _time in range(2)]
    for model in models:
        TrainingRun.objects.filter(pk=model.run_id).update(learner=TrainingRun.Learner.REINFORCE)
        factories.make_evaluation(model)
    newest_first = [one.model for one in Evaluation.objects.all()]
    shutil.rmtree(artifacts.path(newest_first[0].artifact))
    assert reinforcing.decide_all() == 1
    assert [model.decisions.count() for model in newest_first] == [0, 1]


@pytest.mark.parametrize(
    ("given", "english", "chinese"),
    [
        ({"batch_size": 12}, "expected a multiple of the 8 replies", "应为每个提示的回复数 8 的倍数"),
        ({"batch_size": 8, "processes": 3}, "3 processes cannot share evenly", "3 个进程无法平分"),
        ({"beta": -1.0}, "beta: found -1.0, expected 0 to 1000", "beta：值为 -1.0，应在 0 至 1000 之间"),
    ],
)
def test_it_refuses_settings_in_the_reader_s_language(
    given: dict[str, Any], english: str, chinese: str
) -> None:
    project = factories.make_project()
    with pytest.raises(BadSettings, match=english):
        reinforcing.launch(project, name="better", settings=given)
    with translation.override("zh-hans"), pytest.raises(BadSettings, match=chinese):
        reinforcing.launch(project, name="better", settings=given)
