"""The warm refresh, from labels to another order of what is free."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from annotation.models import Item, Prelabel, Project, Slot
from annotation.services import labelling, projects, queue
from jobs.models import Job
from jobs.services import artifacts, jobs
from selection.errors import NothingToRefresh
from selection.models import Refresh, Round
from selection.services import builds, evidence, refreshes, rounds
from tests import factories
from training.services import programs

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
WORDS = {"refund": "money back", "card-lost": "card gone", "other": "weather today"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "EMBED_PROGRAM", "tests.stand_in_embed")


@pytest.fixture
def round_() -> Round:
    """A first round whose batch of 20 (4 of them control) waits; 90 items of three kinds."""
    project = factories.make_project(overlap_share=0.0, evaluation_items=0, spot_check_share=0.0)
    texts = [f"{list(WORDS.values())[i % 3]} number {i}" for i in range(90)]
    factories.make_items(project, texts, split="train")
    return turn(project)


def turn(project: Project, **spec: object) -> Round:
    with programs.in_this_process():
        made = factories.make_round(
            project, **{"batch_size": 20, "control_share": 0.2, "seed": 1, "strategy": "margin", **spec}
        )
        done = rounds.run_to_end(made)
    assert done.state == Round.State.DONE, done.error
    return done


def label(project: Project, count: int) -> None:
    person = factories.add_member(project)
    for slot in queue.lease(project, person, count=count):
        answer = next(name for name, words in WORDS.items() if words in slot.item.text)
        labelling.submit(project, person, slot.uuid, {"label": answer}, client_key=str(slot.uuid))


def refresh(project: Project) -> Job:
    job = refreshes.launch(project)
    with programs.in_this_process():
        jobs.drain()
    job.refresh_from_db()
    return job


def free(project: Project, purpose: str = "label") -> list[int]:
    slots = Slot.objects.filter(project=project, state="free", purpose=purpose).order_by("rank")
    return list(slots.values_list("item__row", flat=True))


def test_it_puts_what_the_head_is_unsure_of_in_the_place_of_what_is_free(round_: Round) -> None:
    project = round_.project
    label(project, 9)
    before, control = free(project), free(project, "control")
    done_before = set(Slot.objects.filter(state="done").values_list("pk", flat=True))
    job = refresh(project)
    assert job.state == "done", job.error
    made = Refresh.objects.get()
    assert (made.number, made.labels, made.job) == (1, 9, job)
    after = free(project)
    assert len(after) == len(before) == made.replaced + made.kept
    assert made.replaced == len(set(after) - set(before)) > 0
    assert free(project, "control") == control  # untouched, and still in the queue
    assert set(Slot.objects.filter(state="done").values_list("pk", flat=True)) == done_before
    new = Slot.objects.filter(state="free", purpose="label").exclude(item__row__in=before).first()
    assert new.explanation["refresh"] == 1 and "uncertainty" in new.explanation["parts"]
    assert new.design == "margin" and new.batch == round_.batch
    assert job.result["note"].startswith(
        f"{made.replaced} of {len(before)} free items replaced, after 9 labels"
    )


def test_new_picks_come_with_what_the_rounds_model_suggests(round_: Round) -> None:
    project = round_.project
    label(project, 20)
    warm = turn(project, seed=2)
    assert warm.model is not None
    label(project, 9)
    assert refresh(project).state == "done"
    slots = Slot.objects.filter(state="free", purpose="label", batch=warm.batch)
    suggested = Prelabel.objects.filter(item__in=slots.values("item"), labeller__key=str(warm.model.uuid))
    assert Refresh.objects.get().replaced > 0 and suggested.count() == slots.count()


def test_refreshed_picks_count_as_the_strategys_in_the_comparison_with_the_control_arm(round_: Round) -> None:
    project = round_.project
    label(project, 20)
    warm = turn(project, seed=2)
    label(project, 9)
    refresh(project)
    after = turn_free = set(free(project))
    arms = evidence._arms(Round(project=project, number=warm.number + 1))
    assert turn_free == after and after <= set(arms["strategy"].tolist())
    assert not after & set(arms["control"].tolist())


def test_labels_of_one_kind_change_nothing_and_say_so(round_: Round) -> None:
    project = round_.project
    person = factories.add_member(project)
    for slot in queue.lease(project, person, count=4):
        labelling.submit(project, person, slot.uuid, {"label": "other"}, client_key=str(slot.uuid))
    before = free(project)
    job = refresh(project)
    assert "Labels of one kind only" in job.result["note"] and free(project) == before
    assert not Refresh.objects.exists()


def test_there_must_be_a_finished_round_with_something_free(round_: Round) -> None:
    with pytest.raises(NothingToRefresh, match="launch a round first"):
        refreshes.launch(factories.make_project())
    Slot.objects.filter(project=round_.project).update(state="withdrawn")
    with pytest.raises(NothingToRefresh):
        refreshes.launch(round_.project)


def test_a_round_that_began_meanwhile_goes_before(round_: Round) -> None:
    label(round_.project, 6)
    job = refreshes.launch(round_.project)
    factories.make_round(round_.project, batch_size=4)
    before = free(round_.project)
    jobs.run(job.pk)
    job.refresh_from_db()
    assert "Another round has begun" in job.result["note"] and free(round_.project) == before


def test_items_that_are_queued_otherwise_are_not_picked(round_: Round) -> None:
    """What a person queued by hand, and the control arm, stay once in the queue."""
    project = round_.project
    label(project, 6)
    by_hand = Slot.objects.filter(state="free", purpose="label").first()
    Slot.objects.filter(pk=by_hand.pk).update(is_by_hand=True)
    refresh(project)
    rows = Slot.objects.filter(project=project, state="free").values_list("item__row", flat=True)
    assert len(rows) == len(set(rows)) and by_hand.item.row in rows


def a_minute_later() -> None:
    Job.objects.filter(kind=refreshes.KIND).update(created_at=timezone.now() - timedelta(seconds=61))


def test_asked_for_twice_it_is_done_once(round_: Round) -> None:
    label(round_.project, 6)
    assert refreshes.launch(round_.project).pk == refreshes.launch(round_.project).pk


def test_it_picks_as_the_round_did_and_keeps_no_copy_of_the_pool(
    round_: Round, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, object] = {}
    order = refreshes._order

    def noted(*arguments: object) -> dict[str, object]:
        made = order(*arguments)
        given.update(made)
        return {**made, "modules": []}

    settings.STRATEGY_MODULES = ("acme.strategies",)
    monkeypatch.setattr(refreshes, "_order", noted)
    label(round_.project, 9)
    assert refresh(round_.project).state == "done"
    assert (given["modules"], given["turn"]) == (["acme.strategies"], round_.number - 1)
    folder = artifacts.path(Refresh.objects.get().picks)
    assert {"rows.npy", "clusters.npy", "labelled.parquet"} & {
        path.name for path in folder.iterdir()
    } == set()
    assert (folder / "picks.parquet").is_file()


class TestWhenItIsDue:
    @pytest.fixture(autouse=True)
    def long_ago(self, round_: Round) -> None:
        batch = round_.batch
        type(batch).objects.filter(pk=batch.pk).update(created_at=timezone.now() - timedelta(minutes=5))
        refreshes.set_policy(round_.project, is_on=True, labels=5, seconds=60)

    def test_it_waits_for_enough_new_labels(self, round_: Round) -> None:
        label(round_.project, 4)
        assert refreshes.refresh_due() == 0
        label(round_.project, 1)
        assert refreshes.refresh_due() == 1
        assert refreshes.refresh_due() == 0  # one waits already
        assert Job.objects.filter(kind=refreshes.KIND).count() == 1

    def test_it_waits_for_the_seconds_between_two(self, round_: Round) -> None:
        label(round_.project, 9)
        refresh(round_.project)
        label(round_.project, 6)
        assert refreshes.refresh_due() == 0
        a_minute_later()
        assert refreshes.refresh_due() == 1

    def test_one_that_changed_nothing_is_waited_after_as_well(self, round_: Round) -> None:
        person = factories.add_member(round_.project)
        for slot in queue.lease(round_.project, person, count=12):
            answer = {"label": "refund"}
            labelling.submit(round_.project, person, slot.uuid, answer, client_key=str(slot.uuid))
            if slot.item_id and refreshes.refresh_due():
                jobs.drain()
        assert Job.objects.filter(kind=refreshes.KIND).count() == 1
        assert not Refresh.objects.exists()

    def test_it_is_off_where_a_project_turned_it_off_or_rests(self, round_: Round) -> None:
        label(round_.project, 9)
        refreshes.set_policy(round_.project, is_on=False, labels=5, seconds=60)
        assert refreshes.refresh_due() == 0
        refreshes.set_policy(round_.project, is_on=True, labels=5, seconds=60)
        projects.pause(round_.project)
        assert refreshes.refresh_due() == 0

    def test_a_refresh_that_failed_is_not_tried_again_before_there_are_new_labels(
        self, round_: Round, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_arguments: object) -> None:
            raise ValueError("the disk is full of sand")

        label(round_.project, 9)
        monkeypatch.setattr(refreshes, "_order", broken)
        refreshes.refresh_due()
        jobs.drain()
        assert Job.objects.get(kind=refreshes.KIND).state == "failed"
        refreshes.refresh_due()
        jobs.drain()
        assert Job.objects.filter(kind=refreshes.KIND).count() == 1
        a_minute_later()
        refreshes.refresh_due()
        jobs.drain()
        assert Job.objects.filter(kind=refreshes.KIND).count() == 1
        label(round_.project, 5)
        a_minute_later()
        refreshes.refresh_due()
        assert Job.objects.filter(kind=refreshes.KIND).count() == 2


def test_a_project_without_embeddings_of_its_labels_changes_nothing(round_: Round) -> None:
    from selection.models import Column

    label(round_.project, 9)
    Column.objects.all().delete()
    assert "Labels of one kind only" in refresh(round_.project).result["note"]
    assert Item.objects.filter(project=round_.project).count() == 90
