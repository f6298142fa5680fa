"""Columns brought up to date in shards, each a job of its own."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from annotation.models import Item, Project
from jobs.models import Job
from jobs.models import State as JobState
from jobs.services import jobs
from selection.models import Column, ColumnBuild, EmbeddingChoice, Round
from selection.programs import columns
from selection.selectors import builds as reads
from selection.selectors import rounds as round_reads
from selection.services import builds, pool, rounds
from tests import factories
from training.services import programs

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten rows a part, and hashed words for an encoder, called in this process."""
    monkeypatch.setattr(builds, "EMBED_PROGRAM", "tests.stand_in_embed")
    monkeypatch.setattr(builds, "PART_ROWS", 10)
    plain = builds.JobContext.run_program

    def run_program(ctx, module, spec, **options):
        return plain(ctx, module, spec, **{**options, "in_process": True})

    monkeypatch.setattr(builds.JobContext, "run_program", run_program)


@pytest.fixture
def project() -> Project:
    made = factories.make_project(overlap_share=0.0, evaluation_items=0)
    factories.make_items(made, 35, split="train")
    return made


def planned(project: Project) -> ColumnBuild:
    """The build of the whole pool, its four parts queued."""
    job = builds.ensure_embeddings(project)
    jobs.run(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.DONE, job.error
    return ColumnBuild.objects.get(uuid=job.result["build"])


def test_parts_keep_to_the_layer_that_their_build_began_with(project: Project) -> None:
    """Two layers in one column would never be told apart again."""
    build = planned(project)
    EmbeddingChoice.objects.create(project=project, layer=EmbeddingChoice.Layer.MIDDLE)
    jobs.drain()
    keys = Column.objects.filter(project=project).values_list("model_key", flat=True)
    assert set(keys) == {build.model_key} and not build.model_key.endswith("-middle")
    assert pool.embedding_shards(project) == []


def held(project: Project) -> list[int]:
    return columns.held(pool.embedding_shards(project)).tolist()


def part_sizes(project: Project) -> list[int]:
    return list(Column.objects.filter(project=project).order_by("first_row").values_list("count", flat=True))


def test_it_cuts_what_is_lacking_into_a_job_a_part(project: Project) -> None:
    build = planned(project)
    assert (build.count, build.parts, build.state) == (35, 4, "running")
    assert [job.params["part"] for job in builds.jobs_of(build).order_by("pk")] == [0, 1, 2, 3]
    assert held(project) == []
    jobs.drain()
    assert builds.advance(build).state == "done"
    assert held(project) == list(range(35)) and part_sizes(project) == [10, 10, 10, 5]


def test_what_fits_one_part_is_computed_by_the_job_that_asks(project: Project) -> None:
    planned(project)
    jobs.drain()
    factories.make_items(project, 3, split="train")
    job = builds.ensure_embeddings(project)
    jobs.drain()
    job.refresh_from_db()
    assert job.result == {"embedded": 3, "items": 38, "build": ""}
    assert ColumnBuild.objects.count() == 1 and part_sizes(project)[-1] == 3


def test_asking_again_while_one_waits_gives_the_same_job(project: Project) -> None:
    first = builds.ensure_embeddings(project)
    assert builds.ensure_embeddings(project) == first


def test_a_lost_worker_costs_one_part(project: Project) -> None:
    build = planned(project)
    lost = builds.jobs_of(build).order_by("pk")[1]
    long_ago = timezone.now() - timedelta(hours=1)
    Job.objects.filter(pk=lost.pk).update(
        state=JobState.RUNNING, token="dead", attempts=1, heartbeat_at=long_ago, started_at=long_ago
    )
    jobs.drain()
    assert held(project) == [*range(10), *range(20, 35)]
    assert builds.advance(build).state == "running"
    jobs.sweep()
    jobs.drain()
    assert builds.advance(build).state == "done" and held(project) == list(range(35))
    assert sorted(builds.jobs_of(build).values_list("attempts", flat=True)) == [1, 1, 1, 2]


def test_a_part_that_runs_twice_is_in_the_column_once(project: Project) -> None:
    build = planned(project)
    part = builds.jobs_of(build).order_by("pk").first()
    jobs.run(part.pk)
    Job.objects.filter(pk=part.pk).update(state=JobState.QUEUED)
    jobs.run(part.pk)
    part.refresh_from_db()
    assert part.result == {"computed": 0, "rows": 10} and part_sizes(project) == [10]


def test_two_builds_of_the_same_rows_do_not_overlap(project: Project, monkeypatch) -> None:
    """The second one has looked what is lacking before the first one booked."""
    rows = pool.usable_rows(project)
    folder = pool.artifacts.settings.DATA_DIR / "work"
    for name, some in (("a", rows[5:12]), ("b", rows[5:20]), ("c", rows[0:9])):
        from tests import stand_in_embed

        texts = pool.write_texts(project, some, folder / f"{name}.parquet")
        stand_in_embed.work({"texts": str(texts), "result": str(folder / name)})
        builds.book(project, *builds.column_of(project, None), folder / name, "embeddings.npy")
    shards = [np.load(shard["rows"]).tolist() for shard in pool.embedding_shards(project)]
    assert sorted(row for shard in shards for row in shard) == list(range(20))


def test_a_part_that_fails_ends_the_build_when_the_others_are_done_and_can_be_tried_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = builds._embedded

    def broken(ctx, project, rows, key):
        if 12 in rows:
            raise ValueError("the encoder is damaged")
        return plain(ctx, project, rows, key)

    monkeypatch.setattr(builds, "_embedded", broken)
    build = planned(project)
    jobs.drain()
    builds.advance(build)
    assert build.state == "failed" and "the encoder is damaged" in build.error
    assert held(project) == [*range(10), *range(20, 35)]
    monkeypatch.setattr(builds, "_embedded", plain)
    builds.retry(build)
    assert build.state == "running"
    jobs.drain()
    assert builds.advance(build).state == "done" and held(project) == list(range(35))


def test_a_cancelled_build_keeps_its_finished_parts(project: Project) -> None:
    build = planned(project)
    jobs.run(builds.jobs_of(build).order_by("pk").first().pk)
    view = reads.view(build)
    assert (view.done, view.running, view.parts, view.share) == (1, 0, 4, 0.25)
    builds.cancel(build)
    assert build.state == "cancelled" and held(project) == list(range(10))
    assert Job.objects.filter(state=JobState.QUEUED).count() == 0
    builds.cancel(build)  # nothing more to do
    assert builds.advance(build).state == "cancelled"


def test_the_tick_ends_a_build_whose_signal_was_lost(project: Project, monkeypatch) -> None:
    from selection import receivers

    build = planned(project)
    monkeypatch.setattr(receivers.builds, "PART_KINDS", ())
    jobs.drain()
    assert ColumnBuild.objects.get().state == "running"
    builds.advance_all()
    build.refresh_from_db()
    assert build.state == "done"


def test_a_round_waits_for_its_shards_without_a_job_of_its_own(project: Project) -> None:
    with programs.in_this_process():
        round_ = factories.make_round(project, batch_size=5, seed=3)
        jobs.run(Job.objects.get(kind="selection.collect_labels").pk)
        station = round_reads.stations(round_reads.get_round(project, round_.number))[0]
        assert (station.state, station.job.state) == ("running", "done")
        assert station.text == "part 0 of 4 done, 0 running" and station.share == 0.0
        assert not Job.objects.filter(state=JobState.RUNNING).exists()
        jobs.run(Job.objects.get(key__endswith=":2").pk)
        station = round_reads.stations(round_reads.get_round(project, round_.number))[0]
        assert station.text == "part 1 of 4 done, 0 running" and station.share == 0.25
        done = rounds.run_to_end(round_)
    assert done.state == Round.State.DONE, done.error
    assert done.stations.get(name="collect").detail["embedded"] == 35
    assert done.batch.slots.count() == 5


def test_a_round_fails_with_the_sentence_of_its_shard_and_goes_on_when_tried_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = builds._embedded

    def broken(ctx, project, rows, key):
        raise ValueError("the encoder is damaged")

    monkeypatch.setattr(builds, "_embedded", broken)
    with programs.in_this_process():
        failed = rounds.run_to_end(factories.make_round(project, batch_size=5))
        assert failed.state == Round.State.FAILED and "the encoder is damaged" in failed.error
        monkeypatch.setattr(builds, "_embedded", plain)
        rounds.retry(failed)
        again = rounds.run_to_end(failed)
    assert again.state == Round.State.DONE, again.error


def test_cancelling_a_round_stops_its_shards(project: Project) -> None:
    round_ = factories.make_round(project, batch_size=5)
    jobs.run(Job.objects.get(kind="selection.collect_labels").pk)
    rounds.cancel(round_)
    assert ColumnBuild.objects.get().state == "cancelled"
    assert not Job.objects.filter(state__in=[JobState.QUEUED, JobState.RUNNING]).exists()


def test_the_quick_table_of_candidates_is_the_slow_one(project: Project) -> None:
    """Labelled, held, skipped, gold, duplicate, test and held-back items are in neither."""
    from annotation.models import GoldItem, Slot
    from annotation.services import batches

    items = list(Item.objects.filter(project=project).order_by("row"))
    factories.make_labels(project, items[:2], ["Refund", "Other"])
    factories.make_items(project, [items[5].text], split="train")
    factories.make_items(project, 2, split="test")
    Item.objects.filter(pk=items[6].pk).update(held_back="copyright")
    GoldItem.objects.create(project=project, item=items[7], value={"label": "refund"})
    GoldItem.objects.create(project=project, item=items[8], value={"label": "refund"}, is_active=False)
    batches.publish(project, [batches.Pick(row=row) for row in (10, 11, 12, 13)], origin="x")
    person = factories.add_member(project)
    states = {10: "leased", 11: "done", 12: "skipped", 13: "free"}
    for row, state in states.items():
        Slot.objects.filter(item=items[row]).update(state=state, person=None if state == "free" else person)
    slow = list(pool.candidates(project).order_by("row").values_list("row", "cluster"))
    assert pool._candidate_table(project).tolist() == [list(pair) for pair in slow]
    assert [row for row, _cluster in slow] == [2, 3, 4, 5, 8, 9, 13, *range(14, 35)]
