"""Leases: one person an item, nothing seen twice, what is abandoned comes back."""

from __future__ import annotations

import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotation.errors import LabelRefused, SlotTaken, SlotUnknown
from annotation.models import Project, Review, Slot
from annotation.services import batches, labelling, projects, queue
from tests.factories import add_member, make_items, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return make_project(overlap_share=0.0, spot_check_share=0.0, evaluation_items=0)


def published(project: Project, count: int = 6, **shares: float) -> list[Slot]:
    items = make_items(project, count, split="train")
    batches.publish(project, [batches.Pick(row=item.row) for item in items], origin="")
    return list(project.slots.order_by("rank"))


def run_out(slots: list[Slot]) -> None:
    past = timezone.now() - datetime.timedelta(seconds=1)
    Slot.objects.filter(pk__in=[slot.pk for slot in slots]).update(lease_expires_at=past)


def answer(project, user, slot, label="refund", key="k1"):
    return labelling.submit(project, user, slot.uuid, {"label": label}, client_key=key)


def test_it_hands_out_in_order_of_rank(project):
    slots = published(project)
    ana = add_member(project)
    assert [slot.pk for slot in queue.lease(project, ana, count=3)] == [slot.pk for slot in slots[:3]]


def test_it_gives_the_held_slots_first(project):
    published(project)
    ana = add_member(project)
    held = queue.lease(project, ana, count=2)
    again = queue.lease(project, ana, count=3)
    assert [slot.pk for slot in again[:2]] == [slot.pk for slot in held]
    assert len(again) == 3


def test_it_gives_two_windows_the_same_where_what_is_held_lies_behind_what_is_free(project):
    last = published(project)[-1]
    ana = add_member(project)
    answer(project, ana, last)  # late: nobody held it any more
    labelling.undo(project, ana, last.uuid)
    first = queue.lease(project, ana, count=2)
    second = queue.lease(project, ana, count=2)
    assert [slot.pk for slot in first] == [slot.pk for slot in second]


def test_it_hands_no_slot_to_two_people(project):
    published(project)
    ana, ben = add_member(project), add_member(project)
    first = {slot.pk for slot in queue.lease(project, ana, count=3)}
    second = {slot.pk for slot in queue.lease(project, ben, count=5)}
    assert len(first) == len(second) == 3
    assert not first & second


def test_it_never_shows_an_item_twice_to_one_person(project):
    projects.update_settings(project, overlap_share=1.0)
    published(project, 4)
    assert project.slots.count() == 8
    ana, ben = add_member(project), add_member(project)
    mine = queue.lease(project, ana, count=8)
    assert len({slot.item_id for slot in mine}) == len(mine) == 4
    others = queue.lease(project, ben, count=8)
    assert {slot.item_id for slot in others} == {slot.item_id for slot in mine}
    assert not {slot.pk for slot in others} & {slot.pk for slot in mine}


def test_it_gives_an_abandoned_slot_to_somebody_else(project):
    published(project, 1)
    ana, ben = add_member(project), add_member(project)
    held = queue.lease(project, ana, count=1)
    assert queue.lease(project, ben, count=1) == []
    run_out(held)
    assert queue.release_expired() == 1
    assert [slot.pk for slot in queue.lease(project, ben, count=1)] == [held[0].pk]


def test_it_puts_a_released_slot_behind_every_cursor(project):
    slots = published(project, 3)
    ana = add_member(project)
    held = queue.lease(project, ana, count=3)
    assert queue.release(project, ana, [held[0].uuid]) == 1
    returned = Slot.objects.get(pk=held[0].pk)
    assert returned.state == Slot.State.FREE
    assert returned.person is None
    assert returned.rank > slots[-1].rank
    assert returned.pk in {slot.pk for slot in queue.lease(project, ana, count=3)}


def test_it_renews_only_what_is_still_ones_own(project):
    published(project, 2)
    ana, ben = add_member(project), add_member(project)
    mine, theirs = queue.lease(project, ana, count=1), queue.lease(project, ben, count=1)
    run_out(mine)
    renewed = queue.renew(project, ana, [mine[0].uuid, theirs[0].uuid])
    assert [slot.pk for slot in renewed] == [mine[0].pk]
    assert renewed[0].lease_expires_at > timezone.now()


@pytest.mark.parametrize("state", [Project.State.PAUSED, Project.State.ARCHIVED])
def test_it_hands_out_nothing_new_while_a_project_rests(project, state):
    published(project)
    ana = add_member(project)
    held = queue.lease(project, ana, count=1)
    Project.objects.filter(pk=project.pk).update(state=state)
    project.refresh_from_db()
    assert [slot.pk for slot in queue.lease(project, ana, count=3)] == [held[0].pk]


def test_it_finds_a_slot_that_a_cursor_has_passed_once_nothing_else_is_left(project):
    slots = published(project, 2)
    ana = add_member(project)
    Slot.objects.filter(pk=slots[0].pk).update(state=Slot.State.WITHDRAWN)
    queue.lease(project, ana, count=1)
    Slot.objects.filter(pk=slots[0].pk).update(state=Slot.State.FREE)
    assert slots[0].pk in {slot.pk for slot in queue.lease(project, ana, count=2)}


def test_it_passes_a_skipped_item_to_somebody_else(project):
    published(project, 1)
    ana, ben = add_member(project), add_member(project)
    slot = queue.lease(project, ana, count=1)[0]
    skipped = queue.skip(project, ana, slot.uuid, "  No  label fits ")
    assert (skipped.state, skipped.skip_reason) == (Slot.State.SKIPPED, "No label fits")
    assert queue.lease(project, ana, count=1) == []
    fresh = queue.lease(project, ben, count=1)[0]
    assert fresh.item_id == slot.item_id
    assert fresh.rank > slot.rank


def test_it_skips_once_however_often_it_is_asked(project):
    published(project, 1)
    ana = add_member(project)
    slot = queue.lease(project, ana, count=1)[0]
    queue.skip(project, ana, slot.uuid, "x")
    queue.skip(project, ana, slot.uuid, "x")
    assert project.slots.count() == 2


def test_it_refuses_a_skip_without_a_reason(project):
    published(project, 1)
    ana = add_member(project)
    slot = queue.lease(project, ana, count=1)[0]
    with pytest.raises(LabelRefused, match="needs a reason"):
        queue.skip(project, ana, slot.uuid, "   ")


def test_it_sends_an_item_that_three_people_skipped_to_review(project):
    published(project, 1)
    for _number in range(3):
        person = add_member(project)
        queue.skip(project, person, queue.lease(project, person, count=1)[0].uuid, "No label fits")
    assert queue.lease(project, add_member(project), count=1) == []
    assert Review.objects.get(project=project).kind == Review.Kind.DISPUTE


def test_it_knows_no_slot_of_another_project(project):
    other = make_project(overlap_share=0.0, evaluation_items=0)
    slot = published(other, 1)[0]
    with pytest.raises(SlotUnknown):
        queue.skip(project, add_member(project), slot.uuid, "x")


def test_it_refuses_what_somebody_else_holds(project):
    published(project, 1)
    ana, ben = add_member(project), add_member(project)
    slot = queue.lease(project, ana, count=1)[0]
    with pytest.raises(SlotTaken) as caught:
        queue.take(project, ben, slot.uuid, value={"label": "other"})
    assert caught.value.details == {"value": {"label": "other"}}


def test_it_walks_the_index_of_free_slots(project):
    """The condition of a partial index is only seen where its value is; this is what keeps the queue fast."""
    published(project, 4)
    ana = add_member(project)
    query, params = queue.free_slots(project.pk, ana.pk, -1).query.sql_with_params()
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {query}", params)
            plan = " ".join(str(row) for row in cursor.fetchall())
            assert "slot_free_rank" in plan
            assert "TEMP B-TREE" not in plan
        else:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(f"EXPLAIN {query}", params)
            assert "slot_free_rank" in " ".join(row[0] for row in cursor.fetchall())


def test_it_asks_the_database_a_bounded_number_of_times(project):
    published(project, 12)
    ana = add_member(project)
    queue.lease(project, ana, count=1)
    with CaptureQueriesContext(
        connection,
    ) as few:
        queue.lease(project, ana, count=2)
    with CaptureQueriesContext(connection) as many:
        queue.lease(project, ana, count=10)
    assert len(few) == len(many) <= 9
