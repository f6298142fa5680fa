"""Losses as columns: kept by a pick, read by what comes after it, gone with the labels they came from."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from annotation.models import Project
from jobs.models import Job
from jobs.services import artifacts, jobs
from selection.models import Column, Refresh, Round
from selection.programs import columns
from selection.selectors import column_files, pool_state
from selection.selectors import picks as picks_of
from selection.services import builds, pool, previews, refreshes, replays, rounds
from tests import factories
from training.services import programs

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
ITEMS, LABELLED = 30, 12


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Project:
    """Twelve labelled items and thirty that wait, embedded by hashed words."""
    monkeypatch.setattr(builds, "EMBED_PROGRAM", "tests.stand_in_embed")
    made = factories.make_project(overlap_share=0.0, evaluation_items=0, spot_check_share=0.0)
    names = ["Refund", "Card lost", "Other"]
    known = factories.make_items(made, [f"{names[i % 3]} known {i}" for i in range(LABELLED)], split="train")
    # One label is wrong, or there would be no loss to tell of.
    factories.make_labels(made, known, ["Other", *[names[i % 3] for i in range(1, LABELLED)]])
    add(made, ITEMS)
    return made


def add(project: Project, count: int) -> None:
    words = ["Refund", "Card lost", "Other"]
    start = project.items.count()
    factories.make_items(project, [f"{words[i % 3]} asked {start + i}" for i in range(count)], split="train")


def turn(project: Project, **spec: object) -> Round:
    wanted = {"strategy": "hardness", "batch_size": 5, "control_share": 0.0, "seed": 1, **spec}
    with programs.in_this_process():
        done = rounds.run_to_end(factories.make_round(project, **wanted))
    assert done.state == Round.State.DONE, done.error
    return done


def do(job: Job) -> Job:
    with programs.in_this_process():
        jobs.drain()
    job.refresh_from_db()
    assert job.state == "done", job.error
    return job


def picked(round_: Round) -> list[int]:
    return [pick.row for pick in picks_of.read_picks(artifacts.path(round_.picks))]


def names(project: Project) -> list[str]:
    found = Column.objects.filter(project=project, kind=Column.Kind.LOSS)
    return sorted(set(found.values_list("model_key", flat=True)))


def worked_out(job: Job) -> str:
    line = job.log_lines.filter(text__startswith="hardness: ").latest("pk")
    return str(line.text).removeprefix("hardness: ")


def pick_job(round_: Round) -> Job:
    return Job.objects.filter(kind="selection.pick_batch", subject_id=str(round_.pk)).latest("pk")


def test_a_pick_keeps_its_losses_and_a_refresh_and_a_replay_read_them(project: Project) -> None:
    round_ = turn(project)
    assert worked_out(pick_job(round_)).startswith("30 of 30 items")
    labelled, of_pool = names(project)
    assert of_pool == f"{labelled}-pool" and labelled.startswith(pool.embedding_key(project))
    held = column_files.shards(project, Column.Kind.LOSS, of_pool)
    values = columns.gather_doubles(held, columns.held(held))
    stored = np.load(artifacts.path(round_.picks) / "hardness.npy")
    assert values.shape == (ITEMS, 2) and np.array_equal(values, stored)
    own = column_files.shards(project, Column.Kind.LOSS, labelled)
    assert columns.held(own).tolist() == list(range(LABELLED))
    assert columns.gather_doubles(own, np.array([0])).item() > 1  # the wrong label
    job = do(refreshes.launch(project))
    assert worked_out(job).startswith("0 of 30 items") and Refresh.objects.count() == 1
    assert do(replays.launch(round_)).result["identical"]
    assert len(names(project)) == 2


def test_picks_are_those_without_the_column_and_only_new_items_are_worked_out(project: Project) -> None:
    spec = rounds.RoundSpec(strategy="hardness", seed=1)
    turn(project)
    kept = do(previews.launch(project, spec))
    assert worked_out(kept).startswith("0 of 30 items")
    Column.objects.filter(kind=Column.Kind.LOSS).delete()
    alone = do(previews.launch(project, spec))
    assert worked_out(alone).startswith("30 of 30 items")
    assert alone.result["items"] == kept.result["items"]
    add(project, 4)
    assert worked_out(pick_job(turn(project))).startswith("4 of 34 items")
    assert Column.objects.filter(model_key=names(project)[1]).count() == 2  # a shard more
    assert worked_out(do(previews.launch(project, spec))).startswith("0 of 34 items")


def test_other_labels_take_the_place_of_what_was_kept(project: Project) -> None:
    turn(project)
    before = names(project)
    more = list(project.items.order_by("row")[LABELLED + 20 : LABELLED + 23])
    factories.make_labels(project, more, ["Refund", "Card lost", "Other"])
    turn(project, seed=1)
    assert len(names(project)) == 2 and not set(names(project)) & set(before)


def test_lost_files_are_worked_out_again(project: Project) -> None:
    round_ = turn(project)
    for column in Column.objects.filter(kind=Column.Kind.LOSS):
        shutil.rmtree(artifacts.path(column.artifact))
    spec = rounds.RoundSpec(strategy="hardness", seed=1)
    job = do(previews.launch(project, spec))
    assert worked_out(job).startswith("30 of 30 items") and len(names(project)) == 2
    assert job.result["items"][0]["row"] == picked(round_)[0]


def test_the_pool_tells_of_them(project: Project) -> None:
    turn(project)
    state = pool_state.read(project, pool.embedding_key(project))
    told = {one.by: one for one in state.columns if one.kind == "loss"}
    assert [(by, one.rows, one.is_current) for by, one in sorted(told.items())] == [
        ("labelled neighbours (pool items)", ITEMS, True),
        ("probes of the other folds (labelled items)", LABELLED, True),
    ]
    assert told["labelled neighbours (pool items)"].megabytes == pytest.approx(ITEMS * 2 * 8 / 1e6)
    other = pool_state.read(project, "another-encoder")
    assert not any(one.is_current for one in other.columns if one.kind == "loss")
