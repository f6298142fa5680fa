from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.utils import translation

from annotation.models import Project
from jobs.models import Job
from jobs.services import jobs
from tests import factories
from training.errors import BadBaseModel, BadSettings, NotTrainable
from training.models import BaseModel, TrainingRun
from training.services import runs

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return factories.make_project()


def test_it_stores_the_whole_spec_and_queues_one_job(project: Project) -> None:
    dataset = factories.make_dataset(project, train=32)
    run = runs.launch(project, dataset, learner="finetune", settings={"learning_rate": 1e-4}, seed=5)
    assert run.spec["settings"]["epochs"] == 0.0 and run.spec["epochs"] == 50.0
    assert (run.spec["learning_rate"], run.spec["seed"]) == (1e-4, 5)
    assert run.spec["labels"] == dataset.manifest["labels"]
    assert Job.objects.get() == run.job
    assert (run.job.kind, run.job.subject, run.job.scope) == (runs.KIND, run, project.uuid)


def test_it_launches_once_for_one_origin(project: Project) -> None:
    dataset = factories.make_dataset(project)
    first = runs.launch(project, dataset, learner="probe", origin="round:1")
    assert runs.launch(project, dataset, learner="probe", origin="round:1") == first
    assert runs.launch(project, dataset, learner="probe", origin="round:2").number == 2
    assert Job.objects.count() == 2


@pytest.mark.parametrize(
    ("learner", "given", "words"),
    [
        ("forest", {}, "no learner 'forest'"),
        ("probe", {"colour": 1}, "no setting colour"),
        ("probe", {"c": 0}, "c: found"),
    ],
)
def test_it_refuses_settings_before_anything_is_queued(
    project: Project, learner: str, given: dict, words: str
) -> None:
    dataset = factories.make_dataset(project)
    with pytest.raises(BadSettings, match=words):
        runs.launch(project, dataset, learner=learner, settings=given)
    assert not TrainingRun.objects.exists() and not Job.objects.exists()


def test_it_says_in_the_reader_s_language_what_the_encoder_cannot(project: Project) -> None:
    given = {"layout": "tp", "processes": 5, "batch_size": 20}
    with pytest.raises(BadSettings, match="12 attention heads .* expected processes that can share each"):
        runs.check(project, "finetune", given)
    with translation.override("zh-hans"), pytest.raises(BadSettings, match="应为能平均分配它们的进程数"):
        runs.check(project, "finetune", given)


def test_the_processes_of_all_machines_are_counted(project: Project, settings: Any) -> None:
    given = {"layout": "hsdp", "processes": 2, "batch_size": 20}
    with pytest.raises(BadSettings, match="found hsdp for 2 processes, expected an even number of 4"):
        runs.check(project, "finetune", given)
    settings.TRAINING_NODES = "1:2"
    runs.check(project, "finetune", given)
    settings.TRAINING_NODES = "5"
    with pytest.raises(BadSettings, match="found tp for 10 processes and a model with 12 attention heads"):
        runs.check(project, "finetune", {**given, "layout": "tp"})


def test_it_refuses_a_tune_whose_base_cannot_be_cut(project: Project, tmp_path: Path) -> None:
    config = {"num_attention_heads": 8, "num_key_value_heads": 1, "model_type": "llama"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    base = BaseModel.objects.create(
        **{"project": project, "name": "own", "folder": str(tmp_path), "parameters": 9, "context": 64},
        **{"architecture": "LlamaForCausalLM", "fingerprint": "0" * 64},
    )
    given = {"layout": "tp", "processes": 2, "base_model": base.name}
    with pytest.raises(BadSettings, match=r"8 attention heads \(1 of keys and values\)"):
        runs.check(project, "tune", given)
    with translation.override("zh-hans"), pytest.raises(BadSettings, match="键值头 1 个"):
        runs.check(project, "tune", given)
    with pytest.raises(BadBaseModel, match="Found no language model “gone”"):
        runs.check(project, "tune", {"base_model": "gone"})


def test_it_says_in_the_reader_s_language_that_a_question_has_no_such_tasks(project: Project) -> None:
    given = {"gradient_surgery": True, "surgery_tasks": "dimensions"}
    with pytest.raises(
        BadSettings, match="found dimensions, and this question has no two of them that could"
    ):
        runs.check(project, "finetune", given)
    with (
        translation.override("zh-hans"),
        pytest.raises(BadSettings, match="此问题没有两个可能冲突的此类任务"),
    ):
        runs.check(project, "finetune", given)
    runs.check(project, "finetune", {**given, "gradient_surgery": False})


@pytest.mark.parametrize("train", [0, 1])
def test_it_refuses_data_that_can_teach_nothing(project: Project, train: int) -> None:
    dataset = factories.make_dataset(project, train=train)
    with pytest.raises(
        NotTrainable, match=f"has {train} labelled items for training, with {train} different labels"
    ):
        runs.launch(project, dataset, learner="probe")


def test_it_ends_with_its_job(project: Project) -> None:
    dataset = factories.make_dataset(project)
    failed, cancelled = (runs.launch(project, dataset, learner="probe") for _time in range(2))
    Job.objects.filter(pk=failed.job.pk).update(state="failed", error="the disk is full")
    jobs.cancel(cancelled.job, None)
    assert runs.settle_all() == 2
    failed.refresh_from_db()
    cancelled.refresh_from_db()
    assert (failed.state, failed.error, cancelled.state) == ("failed", "the disk is full", "cancelled")
    assert failed.finished_at is not None and runs.settle_all() == 0
    jobs.retry(failed.job, None)
    runs.settle(failed.job)
    failed.refresh_from_db()
    assert (failed.state, failed.error, failed.finished_at) == ("queued", "", None)


def test_one_that_goes_on_is_open_again_whoever_queued_its_job(project: Project) -> None:
    dataset = factories.make_dataset(project)
    waits, works = (runs.launch(project, dataset, learner="probe") for _time in range(2))
    for run in (waits, works):
        jobs.cancel(run.job, None)
    assert runs.settle_all() == 2
    for run in (waits, works):  # by the button on their jobs' pages, which knows no run
        jobs.retry(run.job, None)
    Job.objects.filter(pk=works.job.pk).update(state="running")
    assert (runs.settle_all(), runs.settle_all()) == (2, 0)
    for run, state in ((waits, "queued"), (works, "running")):
        run.refresh_from_db()
        assert (run.state, run.finished_at) == (state, None)


def test_what_a_faster_worker_says_of_a_run_stands(project: Project) -> None:
    run = runs.launch(project, factories.make_dataset(project), learner="probe")
    jobs.cancel(run.job, None)
    runs.settle_all()
    jobs.retry(run.job, None)
    seen = Job.objects.get(pk=run.job.pk)
    Job.objects.filter(pk=seen.pk).update(state="running")
    TrainingRun.objects.filter(pk=run.pk).update(state="running")
    runs.settle(seen)  # it still says "queued"
    run.refresh_from_db()
    assert run.state == "running"
