from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotation.models import Project
from jobs.services.context import JobContext
from tests import factories
from tests.training.services.test_event_files import read
from training.selectors import curves as reads
from training.services import curves, runs

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return factories.make_project("Bank intents")


class Mlflow:
    """As much of a tracking server as is asked."""

    def __init__(self) -> None:
        self.runs: list[Any] = []
        self.points: list[tuple[str, float, int]] = []
        self.params: dict[str, Any] = {}
        self.states: list[str] = []
        self.is_away = False

    def MlflowClient(self, tracking_uri: str) -> Mlflow:
        assert tracking_uri == "http://tracker:5000"
        return self

    def get_experiment_by_name(self, name: str) -> Any:
        return None

    def create_experiment(self, name: str) -> str:
        return name

    def search_runs(self, experiments: list[str], filter_string: str, max_results: int) -> list[Any]:
        return [run for run in self.runs if f"'{run.key}'" in filter_string]

    def create_run(self, experiment: str, run_name: str, tags: dict[str, str]) -> Any:
        self.runs.append(
            SimpleNamespace(info=SimpleNamespace(run_id=f"{experiment}/{run_name}"), key=tags["gyre.run"])
        )
        return self.runs[-1]

    def log_param(self, run: str, name: str, value: Any) -> None:
        self.params[name] = value

    def get_metric_history(self, run: str, name: str) -> list[Any]:
        return [SimpleNamespace(step=step) for known, _value, step in self.points if known == name]

    def log_metric(self, run: str, name: str, value: float, step: int) -> None:
        if self.is_away:
            raise ConnectionError("no answer")
        self.points.append((name, value, step))

    def update_run(self, run: str, status: str) -> None:
        self.states.append(status)

    def set_terminated(self, run: str, status: str) -> None:
        self.states.append(status)


@pytest.fixture
def mlflow(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Mlflow:
    found = Mlflow()
    settings.TRAINING_MLFLOW_URI = "http://tracker:5000"
    monkeypatch.setitem(sys.modules, "mlflow", found)
    return found


def test_figures_of_a_job_go_to_event_files_that_the_run_page_names(
    client: Client, project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = runs.launch(project, factories.make_dataset(project), learner="probe")
    client.force_login(factories.make_user(is_superuser=True))
    page = reverse("training:run", args=[project.slug, run.number])
    assert "Curves for TensorBoard" not in client.get(page).text
    told = [
        (1, {"loss": 2.0, "eta_s": 9.0}),
        (2, {"loss": float("nan"), "samples_per_s": 8}),
        (2, {"note": "x"}),
    ]

    def train(ctx: JobContext, _run: Any) -> Path:
        for step, values in told:
            ctx.on_event({"event": "metric", "step": step, **values})
        raise OSError("the run ends here")

    monkeypatch.setattr(runs, "_train", train)
    ctx = JobContext(run.job, SimpleNamespace(metric=lambda *_: None, log=print))
    with pytest.raises(OSError, match="ends here"):
        runs.perform(ctx)
    folder = reads.folder_of(project, "run-0001-probe")
    assert read(folder) == {"loss": {1: 2.0}, "samples_per_s": {2: 8.0}}
    assert f"<code>{folder}</code>" in client.get(page).text


def test_one_run_of_mlflow_has_the_figures_of_all_attempts_once(project: Project, mlflow: Mlflow) -> None:
    run = runs.launch(project, factories.make_dataset(project), learner="probe", settings={"c": 2.0})
    with pytest.raises(KeyError), curves.of_run(run, print) as first:
        first.point(1, {"loss": 0.5})
        first.point(2, {"loss": 0.25})
        raise KeyError
    with curves.of_run(run, print) as second:  # after a kill: from the checkpoint of step 1 on
        second.point(2, {"loss": 0.25, "validation_loss": 1.0})
        second.point(3, {"loss": 0.125})
    assert mlflow.points == [
        ("loss", 0.5, 1),
        ("loss", 0.25, 2),
        ("validation_loss", 1.0, 2),
        ("loss", 0.125, 3),
    ]
    assert (len(mlflow.runs), mlflow.params) == (1, {"c": 2.0})
    assert mlflow.states == ["FAILED", "RUNNING", "FINISHED"]


def test_a_tracker_that_is_away_and_a_full_disk_cost_a_run_nothing(
    project: Project, mlflow: Mlflow, settings: Any
) -> None:
    (settings.DATA_DIR / reads.FOLDER).write_text("no folder")
    mlflow.is_away = True
    lines: list[str] = []
    with curves.Curve(project, "run", key="k", told={}, log=lines.append) as curve:
        curve.point(1, {"loss": 1.0})
        curve.point(2, {"loss": 1.0})
    assert [line.partition(" (")[0] for line in lines] == ["TensorBoard was not told", "MLflow was not told"]
    assert all(line.endswith("the run goes on without it") for line in lines)


def test_without_the_package_the_run_says_so_and_goes_on(
    project: Project, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TRAINING_MLFLOW_URI = "http://tracker:5000"
    monkeypatch.setitem(sys.modules, "mlflow", None)
    lines: list[str] = []
    with curves.Curve(project, "run", key="k", told={}, log=lines.append) as curve:
        curve.point(1, {"loss": 1.0})
    assert len(lines) == 1 and lines[0].startswith("MLflow was not told (ModuleNotFoundError")
    assert read(reads.folder_of(project, "run")) == {"loss": {1: 1.0}}
