"""The queue under real threads, each with a connection of its own; on SQLite and on PostgreSQL alike."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections
from django.db.models import Count
from django.utils import timezone

from accounts.errors import GyreError
from annotation.errors import SlotTaken
from annotation.models import Annotation, Project, Resolution, Review, Slot
from annotation.services import batches, labelling, queue, refills, reviews
from tests.factories import add_member, make_items, make_project

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture
def project() -> Project:
    """Sixty looks at forty items or so, every answer also a spot check."""
    project = make_project(overlap_share=0.5, spot_check_share=1.0, evaluation_items=0)
    items = make_items(project, 40, split="train")
    batches.publish(project, [batches.Pick(row=item.row) for item in items], origin="1")
    return project


def at_once(*tasks: Callable[[], Any]) -> list[Any]:
    """Run the tasks in threads that start together; what each returned, or the error it raised."""
    outcomes: list[Any] = [None] * len(tasks)
    start = threading.Barrier(len(tasks))

    def run(index: int) -> None:
        try:
            start.wait(timeout=30)
            outcomes[index] = tasks[index]()
        except Exception as error:
            outcomes[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(tasks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    return outcomes


def raised(outcomes: list[Any]) -> list[Exception]:
    return [outcome for outcome in outcomes if isinstance(outcome, Exception)]


def test_it_hands_every_look_to_one_person_while_eight_label_at_once(project: Project) -> None:
    people = [add_member(project) for _ in range(8)]

    def work(user: Any) -> int:
        done = 0
        while slots := queue.lease(project, user, count=2):
            for slot in slots:
                labelling.submit(
                    project, user, slot.uuid, {"label": "refund"}, client_key=f"{user.pk}-{slot.pk}-{done}"
                )
                done += 1
        return done

    outcomes = at_once(*(lambda user=user: work(user) for user in people))
    assert raised(outcomes) == []
    looks = project.slots.count()
    assert sum(outcomes) == looks == Annotation.objects.count() == Review.objects.count()
    assert set(project.slots.values_list("state", flat=True)) == {"done"}
    twice = project.slots.values("item", "person").annotate(looks=Count("pk")).filter(looks__gt=1)
    assert not twice.exists()
    final = Resolution.objects.filter(is_current=True)
    assert Counter(final.values_list("item_id", flat=True)) == Counter({i.pk: 1 for i in project.items.all()})
    assert set(final.filter(votes=2).values_list("item_id", flat=True)) == set(
        project.slots.filter(purpose="overlap").values_list("item_id", flat=True)
    )


def test_it_gives_two_windows_of_one_person_the_same_items(project: Project) -> None:
    ana = add_member(project)
    outcomes = at_once(*[lambda: [slot.pk for slot in queue.lease(project, ana, count=3)]] * 4)
    assert raised(outcomes) == []
    assert len({tuple(sorted(found)) for found in outcomes}) == 1
    assert Slot.objects.filter(person=ana).count() == 3


def test_it_stores_one_answer_when_the_same_key_is_sent_six_times_at_once(project: Project) -> None:
    ana = add_member(project)
    [slot] = queue.lease(project, ana, count=1)
    outcomes = at_once(
        *[lambda: labelling.submit(project, ana, slot.uuid, {"label": "other"}, client_key="one")] * 6
    )
    assert raised(outcomes) == []
    assert sorted(outcome.created for outcome in outcomes) == [False] * 5 + [True]
    assert Annotation.objects.count() == 1


def test_it_keeps_one_answer_standing_when_two_windows_answer_one_slot(project: Project) -> None:
    ana = add_member(project)
    [slot] = queue.lease(project, ana, count=1)
    outcomes = at_once(
        *(
            lambda label=label: labelling.submit(
                project, ana, slot.uuid, {"label": label}, client_key=f"key {label}"
            )
            for label in ("refund", "card-lost", "other")
        )
    )
    assert raised(outcomes) == []
    assert Annotation.objects.count() == 3
    standing = Annotation.objects.get(superseded_by__isnull=True)
    assert Resolution.objects.get(is_current=True).value == standing.value


def test_it_keeps_a_late_answer_of_one_person_only(project: Project) -> None:
    """The lease of a look ran out and it is free again: six people who had it before send at once."""
    slot = project.slots.order_by("rank").first()
    assert slot is not None
    people = [add_member(project) for _ in range(6)]
    outcomes = at_once(
        *(
            lambda user=user: labelling.submit(
                project, user, slot.uuid, {"label": "other"}, client_key="late"
            )
            for user in people
        )
    )
    refused = raised(outcomes)
    assert len(refused) == 5
    assert all(isinstance(error, SlotTaken) for error in refused), refused
    assert Annotation.objects.get().slot_id == slot.pk


def test_it_frees_a_lease_once_while_sweeps_and_leases_cross(project: Project) -> None:
    ana, others = add_member(project), [add_member(project) for _ in range(3)]
    held = queue.lease(project, ana, count=10)
    Slot.objects.filter(person=ana).update(lease_expires_at=timezone.now())
    outcomes = at_once(
        queue.release_expired,
        queue.release_expired,
        *(lambda user=user: queue.lease(project, user, count=5) for user in others),
    )
    assert raised(outcomes) == []
    assert outcomes[0] + outcomes[1] == len(held) == 10
    assert not Slot.objects.filter(person=ana).exists()
    assert Slot.objects.filter(state="leased").count() == 15


def test_it_takes_back_once_when_undo_is_sent_twice_at_once(project: Project) -> None:
    ana = add_member(project)
    for slot in queue.lease(project, ana, count=2):
        labelling.submit(project, ana, slot.uuid, {"label": "refund"}, client_key=str(slot.pk))
    outcomes = at_once(*[lambda: labelling.undo(project, ana, slot.uuid)] * 4)
    assert raised(outcomes) == []
    assert Annotation.objects.filter(is_retraction=True).count() == 1
    assert Slot.objects.filter(person=ana, state="done").count() == 1


def test_it_decides_a_review_once(project: Project) -> None:
    ana = add_member(project)
    [slot] = queue.lease(project, ana, count=1)
    labelling.submit(project, ana, slot.uuid, {"label": "refund"}, client_key="k")
    review = Review.objects.get()
    judges = [add_member(project, "reviewer") for _ in range(4)]
    outcomes = at_once(
        *(
            lambda judge=judge: reviews.decide(review, judge, "wrong", value={"label": "other"})
            for judge in judges
        )
    )
    refused = raised(outcomes)
    assert len(refused) == 3
    assert all(isinstance(error, GyreError) for error in refused), refused
    assert Annotation.objects.filter(slot__isnull=True).count() == 1
    assert Resolution.objects.get(is_current=True).value == {"label": "other"}


def test_it_gives_ranks_out_once_while_work_is_published_and_comes_back(project: Project) -> None:
    ana = add_member(project)
    held = queue.lease(project, ana, count=8)
    more = make_items(project, 20, split="train")
    picks = [batches.Pick(row=item.row) for item in more]
    outcomes = at_once(
        lambda: batches.publish(project, picks, origin="2"),
        lambda: batches.publish(project, picks, origin="2"),
        lambda: queue.release(project, ana, [slot.uuid for slot in held[:4]]),
        lambda: [queue.skip(project, ana, slot.uuid, "unclear") for slot in held[4:]],
    )
    assert raised(outcomes) == []
    assert outcomes[0].pk == outcomes[1].pk
    assert outcomes[2] == 4
    ranks = list(project.slots.values_list("rank", flat=True))
    assert len(ranks) == len(set(ranks))


def test_nothing_is_lost_or_doubled_while_the_batch_is_refilled_under_peoples_hands() -> None:
    """The batch is replaced again and again by other picks while four people label it to its end."""
    project = make_project(overlap_share=0.0, spot_check_share=0.0, evaluation_items=0)
    make_items(project, 90, split="train")
    batch = batches.publish(project, [batches.Pick(row=row) for row in range(30)], origin="1")
    people = [add_member(project) for _ in range(4)]

    begun, replaced_all = threading.Event(), threading.Event()

    def work(user: Any) -> int:
        """To the end: while a switch holds the free slots, PostgreSQL hands out none of them."""
        done = 0
        assert begun.wait(30)
        while True:
            is_last = replaced_all.is_set()
            slots = queue.lease(project, user, count=2)
            if not slots and is_last:
                return done
            for slot in slots:
                labelling.submit(
                    project, user, slot.uuid, {"label": "refund"}, client_key=f"{user.pk}-{slot.pk}"
                )
                done += 1

    def replace() -> int:
        replaced = 0
        try:
            for turn in range(1, 7):
                rows = [(row + 30 * turn) % 90 for row in range(30)]
                replaced += refills.refill(batch, [batches.Pick(row=row) for row in rows]).replaced
                begun.set()  # the first goes alone, so that there is something to replace
        finally:
            begun.set()
            replaced_all.set()
        return replaced

    outcomes = at_once(replace, *[lambda user=user: work(user) for user in people])
    assert raised(outcomes) == []
    assert sum(outcomes[1:]) == 30 and outcomes[0] > 0
    done = Slot.objects.filter(project=project, state="done")
    assert done.count() == Annotation.objects.filter(project=project).count() == 30
    assert done.values("item").distinct().count() == 30
    assert not Slot.objects.filter(project=project, state__in=["free", "leased"]).exists()
