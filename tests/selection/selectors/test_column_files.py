from __future__ import annotations

import numpy as np
import pytest

from jobs import program
from jobs.errors import BrokenArtifact
from jobs.services import artifacts
from selection.models import Column
from selection.selectors import column_files
from selection.services import pool
from tests.factories import make_artifact, make_project

pytestmark = pytest.mark.django_db
EMBEDDING = Column.Kind.EMBEDDING


def add(project, first, folder, key="a"):
    with program.result_folder(folder) as made:
        np.save(made / "embeddings.npy", np.eye(2, dtype=np.float32) + first)
        np.save(made / "rows.npy", np.arange(first, first + 2))
    pool.add_shard(project, EMBEDDING, key, artifacts.store(folder, "embeddings"), "embeddings.npy")


def test_it_names_the_files_of_this_column_alone_by_their_first_rows(tmp_path):
    project, other = make_project(), make_project()
    for first, key, whose in ((4, "a", project), (0, "a", project), (8, "b", project), (2, "a", other)):
        add(whose, first, tmp_path / f"{first}", key)
    found = column_files.shards(project, EMBEDDING, "a")
    assert [np.load(shard["rows"]).tolist() for shard in found] == [[0, 1], [4, 5]]
    assert [float(np.load(shard["values"])[0, 1]) for shard in found] == [0.0, 4.0]
    assert column_files.shards(project, Column.Kind.PROBABILITY, "a") == []


def test_it_says_that_files_are_gone():
    project = make_project()
    gone = make_artifact("embeddings")
    Column.objects.create(
        project=project, kind=EMBEDDING, model_key="a", first_row=0, last_row=1, count=2, width=2,
        dtype="float32", file_name="embeddings.npy", artifact=gone,
    )  # fmt: skip
    gone.sha256 = "0" * 64
    gone.save(update_fields=["sha256"])
    with pytest.raises(BrokenArtifact, match="restore them from a backup"):
        column_files.shards(project, EMBEDDING, "a")
