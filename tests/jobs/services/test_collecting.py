"""Collecting artifacts that nobody points to: what is pointed to is never touched."""

from __future__ import annotations

import io
import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from jobs.models import Artifact, Job, State
from jobs.services import artifacts, collecting
from tests import factories

pytestmark = pytest.mark.django_db
OLD = timezone.now() - timedelta(days=3)


def stored(kind: str = "columns", *, old: bool = True, **files: str) -> Artifact:
    made = factories.make_artifact(kind, **(files or {"rows": kind}))
    return aged(made) if old else made


def aged(artifact: Artifact) -> Artifact:
    Artifact.objects.filter(pk=artifact.pk).update(created_at=OLD)
    os.utime(artifacts.path(artifact), (OLD.timestamp(), OLD.timestamp()))
    return artifact


def kept() -> set[str]:
    """Kinds of the artifacts that are whole: the row, and the files by their hashes."""
    return {one.kind for one in Artifact.objects.all() if artifacts.open_verified(one)}


def test_it_takes_what_nobody_points_to_with_its_files() -> None:
    gone = stored("columns")
    folder = artifacts.path(gone)
    assert [(one.kind, one.sha256) for one in collecting.collect()] == [("columns", gone.sha256)]
    assert not folder.exists()
    assert not Artifact.objects.exists()
    assert collecting.collect() == []


def test_a_dry_run_says_the_same_and_removes_nothing() -> None:
    made = stored()
    assert collecting.collect(dry_run=True) == [collecting.Collected("columns", made.sha256, made.bytes)]
    assert kept() == {"columns"}


def test_what_a_row_or_a_job_points_to_stays() -> None:
    project = factories.make_project()
    model = factories.make_model(project)
    for artifact in Artifact.objects.all():
        aged(artifact)
    values = stored("values")
    Job.objects.create(kind="selection.value_labels", state=State.DONE, result={"artifact": values.sha256})
    before = kept()
    assert {model.artifact.kind, model.run.dataset.artifact.kind, "values"} <= before
    stored("columns")
    assert [one.kind for one in collecting.collect()] == ["columns"]
    assert kept() == before


def test_every_model_that_points_to_artifacts_is_asked() -> None:
    """A foreign key without a way back (related_name "+") counts as any other."""
    asked = str(collecting._unreferenced().query)
    for table in ("annotation_datasetversion", "training_modelversion", "training_evaluation"):
        assert f'"{table}"' in asked
    for table in ("selection_column", "selection_columnbuild", "selection_round", "selection_poolindex"):
        assert f'"{table}"' in asked


def test_what_is_young_or_was_stored_again_stays(tmp_path: Path) -> None:
    stored("columns", old=False)
    old = stored("rows")
    again = factories.make_artifact("rows", rows="rows")
    assert again.pk == old.pk
    assert collecting.collect() == []
    assert kept() == {"columns", "rows"}


def test_a_folder_without_a_row_goes_once_it_is_old(data_dir: Path) -> None:
    made = stored("columns")
    folder = artifacts.path(made)
    made.delete()
    other = data_dir / "artifacts" / "columns" / "not-a-hash"
    other.mkdir()
    os.utime(other, (0, 0))
    assert [one.sha256 for one in collecting.collect()] == [folder.name]
    assert [entry.name for entry in folder.parent.iterdir()] == ["not-a-hash"]


def test_the_command_lists_them_and_refuses_less_than_a_day() -> None:
    made = stored()
    out = io.StringIO()
    call_command("collect_artifacts", "--dry-run", stdout=out)
    assert out.getvalue().splitlines()[0].startswith(f"columns  {made.sha256}")
    assert "1 would be removed" in out.getvalue()
    with pytest.raises(CommandError, match="found 0.5 days, expected at least 1"):
        call_command("collect_artifacts", "--days", "0.5")
    call_command("collect_artifacts", stdout=out)
    assert not Artifact.objects.exists()
