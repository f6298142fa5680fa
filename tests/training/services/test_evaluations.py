"""Training and judging probes by the real programs, in process, on made-up embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from annotation.models import DatasetVersion, Item, Project
from jobs.models import Job
from jobs.services import jobs
from tests import factories
from training.errors import NothingToEvaluate
from training.models import Evaluation, ModelVersion, TrainingRun
from training.selectors import evaluations as reads
from training.services import decisions, evaluations, programs, runs
from training.signals import evaluation_finished

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return factories.make_project()


def features_of(project: Project, folder: Path, *, noise: float) -> list[dict[str, str]]:
    """Embeddings that tell the label (the text begins with its name), more or less clearly."""
    rng = np.random.default_rng(0)
    items = list(Item.objects.filter(project=project).order_by("row"))
    names = sorted({item.text.split(" ")[0] for item in items})
    vectors = rng.normal(scale=noise, size=(len(items), 8))
    for number, item in enumerate(items):
        vectors[number, names.index(item.text.split(" ")[0])] += 1
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    name = f"noise-{noise}"
    np.save(folder / f"{name}.npy", vectors.astype(np.float32))
    np.save(folder / f"{name}-rows.npy", np.asarray([item.row for item in items], dtype=np.int64))
    return [{"values": str(folder / f"{name}.npy"), "rows": str(folder / f"{name}-rows.npy")}]


def train(project: Project, dataset: DatasetVersion, features: list[dict[str, str]]) -> ModelVersion:
    run = runs.launch(project, dataset, learner="probe", features=features)
    with programs.in_this_process():
        jobs.drain()
    run.refresh_from_db()
    assert run.state == TrainingRun.State.DONE, run.job.error
    return run.model_version


def judge(model: ModelVersion, dataset: DatasetVersion, features: list[dict[str, str]]) -> Evaluation:
    job = evaluations.launch(model, dataset, features=features)
    with programs.in_this_process():
        jobs.drain()
    job.refresh_from_db()
    assert job.state == "done", job.error
    return Evaluation.objects.get(uuid=job.result["evaluation"])


def test_it_books_a_model_with_its_labels_and_figures(project: Project, tmp_path: Path) -> None:
    dataset = factories.make_dataset(project, train=30, test=60)
    model = train(project, dataset, features_of(project, tmp_path, noise=0.1))
    assert model.labels == dataset.manifest["labels"]
    assert model.figures["train_count"] == 30 and model.run.finished_at is not None
    job = model.run.job
    job.refresh_from_db()
    assert job.result == {"model": str(model.uuid), "number": 1}


def test_it_confirms_a_model_that_is_booked_when_the_job_runs_again(project: Project, tmp_path: Path) -> None:
    dataset = factories.make_dataset(project, train=30)
    model = train(project, dataset, features_of(project, tmp_path, noise=0.1))
    Job.objects.filter(pk=model.run.job_id).update(state="queued")
    jobs.drain()
    assert ModelVersion.objects.get() == model


def test_it_judges_the_first_model_by_itself(project: Project, tmp_path: Path) -> None:
    dataset = factories.make_dataset(project, train=30, test=60)
    features = features_of(project, tmp_path, noise=0.1)
    evaluation = judge(train(project, dataset, features), dataset, features)
    assert evaluation.baseline is None and reads.difference(evaluation) is None
    report = reads.report(evaluation)
    assert [figure.name for figure in report.figures] == ["Accuracy", "Macro F1", "Calibration error"]
    accuracy = report.figures[0].measured
    assert (report.n, accuracy.n) == (60, 60)
    assert accuracy.value > 0.9 and accuracy.low < accuracy.value
    assert np.trace(np.asarray(report.tables[0].counts)) == round(accuracy.value * 60)
    assert [row.n for row in report.classes] == [20, 20, 20]
    assert report.tables[0].names == list(factories.LABELS)


def test_it_holds_a_model_against_the_deployed_one_on_the_same_items(
    project: Project, tmp_path: Path
) -> None:
    dataset = factories.make_dataset(project, train=30, test=60)
    good, bad = features_of(project, tmp_path, noise=0.1), features_of(project, tmp_path, noise=3.0)
    first = train(project, dataset, good)
    decisions.decide(first, judge(first, dataset, good))
    second = train(project, dataset, bad)
    evaluation = judge(second, dataset, bad)
    assert evaluation.baseline == first
    difference = reads.difference(evaluation)
    assert difference is not None and difference.measured.n == 60
    new, old = (evaluation.figures[name]["accuracy"] for name in ("model", "baseline"))
    assert difference.measured.value == pytest.approx(new - old)
    assert difference.measured.low <= difference.measured.value <= difference.measured.high


def test_it_judges_once_and_tells_others(
    project: Project, tmp_path: Path, django_capture_on_commit_callbacks: Any
) -> None:
    dataset = factories.make_dataset(project, train=30, test=9)
    features = features_of(project, tmp_path, noise=0.1)
    model = train(project, dataset, features)
    told = []

    def listen(sender: type[Evaluation], evaluation: Evaluation, **kwargs: Any) -> None:
        told.append(evaluation)

    evaluation_finished.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            evaluation = judge(model, dataset, features)
            Job.objects.filter(kind=evaluations.KIND).update(state="queued")
            assert judge(model, dataset, features) == evaluation
    finally:
        evaluation_finished.disconnect(listen)
    assert told == [evaluation] and Evaluation.objects.count() == 1


def test_it_judges_without_comparison_where_the_deployed_probe_cannot_read_the_items(
    project: Project, tmp_path: Path
) -> None:
    dataset = factories.make_dataset(project, train=30, test=9)
    features = features_of(project, tmp_path, noise=0.1)
    first = train(project, dataset, features)
    decisions.decide(first, None)
    second = train(project, dataset, features)
    job = evaluations.launch(second, dataset)
    with programs.in_this_process():
        jobs.drain()
    job.refresh_from_db()
    assert job.state == "failed" and "no features were given" in job.error
    assert "judged without comparison" in " ".join(job.log_lines.values_list("text", flat=True))


def test_it_refuses_to_judge_on_nothing(project: Project) -> None:
    dataset = factories.make_dataset(project, test=0)
    with pytest.raises(NothingToEvaluate, match="No test item of dataset v1 is labelled"):
        evaluations.launch(factories.make_model(project, dataset), dataset)
