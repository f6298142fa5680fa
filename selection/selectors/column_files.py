"""Where columns lie on the disk, as programs want to be told."""

from __future__ import annotations

from annotation.models import Project
from jobs.services import artifacts
from selection.models import Column
from training.learning.columns import Shard


def shards(project: Project, kind: str, key: str) -> list[Shard]:
    """The files of a column's shards, as they were added; empty where there is no such column. One query.

    Raises:
        BrokenArtifact: a shard's files are gone.
    """
    stored = Column.objects.filter(project=project, kind=kind, model_key=key).select_related("artifact")
    found = []
    for column in stored:
        folder = artifacts.path(column.artifact)
        found.append(Shard(values=str(folder / column.file_name), rows=str(folder / "rows.npy")))
    return found
