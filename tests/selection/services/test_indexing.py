"""The index of a project's vectors as a job."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from annotation.models import Project
from jobs.models import Job
from jobs.services import artifacts, jobs
from selection.errors import BadQuery
from selection.index import stored
from selection.models import PoolIndex
from selection.programs import index as index_program
from selection.services import indexing, neighbours, pool
from tests import factories
from tests.selection.views.test_grid import store
from training.services import programs

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
COUNT = 400


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Project:
    """Four hundred items around ten centres; two hundred are many enough for cells."""
    monkeypatch.setattr("selection.index.choice.FLAT_BELOW", 200)
    monkeypatch.setattr(indexing, "FLAT_BELOW", 200)
    made = factories.make_project()
    factories.make_items(made, COUNT, split="train")
    store(made, vectors(COUNT))
    return made


def vectors(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(1).normal(size=(10, 12))
    found = (centres[rng.integers(10, size=count)] + 0.2 * rng.normal(size=(count, 12))).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def build(project: Project) -> Job:
    job = indexing.ensure(project)
    with programs.in_this_process():
        jobs.drain()
    job.refresh_from_db()
    assert job.state == "done", job.error
    return job


def test_it_is_built_measured_and_replaces_the_one_before(project: Project) -> None:
    assert indexing.current(project) is None
    build(project)
    first = indexing.current(project)
    assert first.kind == "ivf" and first.count == COUNT and 0.8 < first.recall_at_10 <= 1
    build(project)
    assert PoolIndex.objects.count() == 1 and indexing.current(project).pk > first.pk


def test_the_tick_builds_where_a_column_is_large_or_has_grown(project: Project) -> None:
    assert indexing.build_due() == 1
    indexing.build_due()
    assert Job.objects.filter(kind=indexing.KIND).count() == 1  # it waits
    with programs.in_this_process():
        jobs.drain()
    assert indexing.build_due() == 0
    PoolIndex.objects.update(count=300)
    assert indexing.build_due() == 1


def test_a_damaged_index_is_said_and_built_anew(project: Project) -> None:
    build(project)
    file = artifacts.path(indexing.current(project).artifact) / "index.faiss"
    file.chmod(0o600)
    file.write_bytes(b"damaged" + file.read_bytes()[7:])
    build(project)
    made = indexing.current(project)
    assert made.note.startswith("The index was damaged and is built anew") and made.count == COUNT


def test_pages_ask_the_index_and_find_what_the_exact_way_finds(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = vectors(1, seed=5)[0]
    exact = [one.item.row for one in neighbours.near_vector(project, query, most=10)]
    build(project)
    monkeypatch.setattr(neighbours.scan, "most_similar", None)
    found = [one.item.row for one in neighbours.near_vector(project, query, most=10)]
    assert len(set(found) & set(exact)) >= 9


@pytest.mark.parametrize("lost", ["the folder", "index.faiss"])
def test_pages_look_through_all_where_the_index_has_lost_its_files(project: Project, lost: str) -> None:
    build(project)
    folder = artifacts.path(indexing.current(project).artifact)
    if lost == "the folder":
        folder.rename(folder.with_name("gone"))
    else:
        folder.chmod(0o700)
        (folder / lost).unlink()
    assert len(neighbours.near_vector(project, vectors(1, seed=5)[0], most=10)) == 10


def test_a_kind_that_was_asked_for_is_built_and_stays(project: Project) -> None:
    indexing.ensure(project, kind="hnsw")
    with programs.in_this_process():
        jobs.drain()
    assert indexing.current(project).kind == "hnsw"
    assert len(neighbours.near_vector(project, vectors(1, seed=5)[0], most=10)) == 10
    PoolIndex.objects.update(count=300)
    assert indexing.build_due() == 1
    assert Job.objects.filter(kind=indexing.KIND).latest("pk").params == {"kind": "hnsw"}
    assert indexing.asked_for(indexing.current(project)) == "hnsw"
    with pytest.raises(BadQuery, match="no index of the kind kd_tree: use one of flat, ivf"):
        indexing.ensure(project, kind="kd_tree")


def test_labelled_items_are_passed_over_until_enough_open_ones_are_found(project: Project) -> None:
    query = vectors(1, seed=5)[0]
    near = [one.item for one in neighbours.near_vector(project, query, most=200)]
    factories.make_labels(project, near[:150], ["Refund"] * 150)
    found = neighbours.near_vector(project, query, most=10)
    assert [one.item.row for one in found] == [item.row for item in near[150:160]]


def test_a_project_without_vectors_fails_with_a_sentence(tmp_path: Path) -> None:
    project = factories.make_project()
    job = indexing.ensure(project)
    with programs.in_this_process():
        jobs.drain()
    job.refresh_from_db()
    assert job.state == "failed" and "the embedding column is empty: embed the pool first" in job.error
    assert pool.embedding_shards(project) == []


def test_what_finds_too_little_is_said_with_what_was_tried(
    project: Project, monkeypatch: pytest.MonkeyPatch, settings
) -> None:
    found = {"ivf": 0.8, "hnsw": 0.9, "flat": 1.0, "ivf_rabitq": 0.612}
    monkeypatch.setattr(
        stored, "measured", lambda index, shards, rows, choice, seed: (found[choice.kind], 16, 1, 256)
    )
    build(project)
    made = indexing.current(project)
    assert [(one["kind"], one["recall_at_10"]) for one in made.tried] == [
        ("ivf", 0.8), ("hnsw", 0.9), ("flat", 1.0)
    ]  # fmt: skip
    assert (made.kind, made.recall_at_10, made.note) == ("flat", 1.0, "")
    PoolIndex.objects.update(kind="hnsw")
    assert indexing.asked_for(indexing.current(project)) == ""  # measuring led to it, nobody asked
    PoolIndex.objects.all().delete()
    settings.POOL_INDEX_MB = COUNT * 18 / 1e6  # codes of a bit a number fit
    monkeypatch.setattr(index_program, "less_lossy", lambda *_args: [])
    build(project)
    made = indexing.current(project)
    assert made.kind == "ivf_rabitq" and [one["kind"] for one in made.tried] == ["ivf_rabitq"]
    assert made.note == (
        "No kind that fits into the memory (POOL_INDEX_MB, 0.0072 MB) finds the 93 % of the ten nearest that "
        "are aimed at: the best one measured is in use, with 61.2 %. Allow more memory for another."
    )
    indexing.ensure(project, kind="hnsw")
    with programs.in_this_process():
        jobs.drain()
    made = indexing.current(project)
    assert made.note.startswith(
        "This kind was asked for and finds 90.0 % of the ten nearest, less than the 93 %"
    )
    assert [one["kind"] for one in made.tried] == ["hnsw"] and indexing.asked_for(made) == "hnsw"
