"""Where the event files of runs lie."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from annotation.models import Project
from training.models import TrainingRun

FOLDER = "tensorboard"


def folder_of(project: Project, name: str) -> Path:
    return Path(settings.DATA_DIR) / FOLDER / project.slug / name


def name_of(run: TrainingRun) -> str:
    return f"run-{run.number:04d}-{run.learner}"


def folder_of_run(run: TrainingRun) -> Path | None:
    """None before there is a file."""
    folder = folder_of(run.project, name_of(run))
    return folder if folder.is_dir() else None
