"""Groups, and the queue's rule that assigned work is handed to nobody else."""

from __future__ import annotations

import pytest

from accounts.models import AuditEntry
from annotation.errors import GroupRefused, SlotTaken
from annotation.models import Cursor, Group, Project, Slot
from annotation.services import batches, groups, labelling, memberships, queue, ranks
from tests.factories import add_member, make_items, make_project, membership_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    project = make_project(overlap_share=0.0, spot_check_share=0.0, evaluation_items=0)
    items = make_items(project, 4, split="train")
    batches.publish(project, [batches.Pick(row=item.row) for item in items], origin="1")
    return project


def slots(project: Project) -> list[Slot]:
    return list(project.slots.order_by("rank"))


def assign(slot: Slot, **to) -> None:
    Slot.objects.filter(pk=slot.pk).update(is_by_hand=True, **to)


def leased(project: Project, user, count: int = 9) -> list[int]:
    return [slot.pk for slot in queue.lease(project, user, count=count)]


def test_it_hands_an_assigned_slot_to_that_person_only(project: Project) -> None:
    ana, ben = add_member(project), add_member(project)
    first, *others = slots(project)
    assign(first, assigned_to=ana)
    assert leased(project, ben) == [slot.pk for slot in others]
    assert leased(project, ana) == [first.pk]


def test_it_hands_a_groups_slot_to_its_members_only(project: Project) -> None:
    ana, ben, cid = (add_member(project) for _ in range(3))
    group = groups.create(project, "Experts", [ana, ben])
    first, second, *others = slots(project)
    assign(first, assigned_group=group)
    assign(second, assigned_group=group)
    assert leased(project, cid) == [slot.pk for slot in others]
    assert leased(project, ana, 1) == [first.pk]
    assert leased(project, ben) == [second.pk]


def test_nobody_else_can_submit_to_an_assigned_slot(project: Project) -> None:
    ana, ben = add_member(project), add_member(project)
    first = slots(project)[0]
    assign(first, assigned_to=ana)
    with pytest.raises(SlotTaken):
        labelling.submit(project, ben, first.uuid, {"label": "refund"}, client_key="k")
    assert labelling.submit(project, ana, first.uuid, {"label": "refund"}, client_key="k").created


def test_a_new_round_leaves_what_was_assigned_where_it_is(project: Project) -> None:
    ana = add_member(project)
    first, second, *others = slots(project)
    assign(first, assigned_to=ana)
    batches.publish(project, [batches.Pick(row=3)], origin="2")
    assert Slot.objects.get(pk=first.pk).rank == first.rank
    assert set(project.slots.filter(state="withdrawn")) == {second, *others}


def test_a_skipped_slot_of_a_group_stays_with_the_group_and_a_persons_is_for_all(project: Project) -> None:
    ana, ben = add_member(project), add_member(project)
    group = groups.create(project, "Experts", [ana, ben])
    first, second, *_others = slots(project)
    assign(first, assigned_group=group)
    assign(second, assigned_to=ana)
    queue.lease(project, ana, count=2)
    for slot in (first, second):
        queue.skip(project, ana, slot.uuid, "unsure")
    fresh = Slot.objects.order_by("-pk")
    assert [(slot.item_id, slot.assigned_group_id, slot.assigned_to_id) for slot in fresh[:2]] == [
        (second.item_id, None, None),
        (first.item_id, group.pk, None),
    ]


def test_who_comes_into_a_group_gets_what_waits_for_it(project: Project) -> None:
    ana, ben = add_member(project), add_member(project)
    group = groups.create(project, "Experts", [ana])
    first, *others = slots(project)
    assign(first, assigned_group=group)
    assert leased(project, ben, 1) == [others[0].pk]  # the cursor is behind the group's slot now
    groups.set_members(group, [ana, ben])
    assert leased(project, ben, 2) == [first.pk, others[0].pk]


def test_who_is_taken_out_leaves_their_work_to_everybody(project: Project) -> None:
    ana, ben = add_member(project), add_member(project)
    first, *others = slots(project)
    assign(first, assigned_to=ana)
    assert leased(project, ben, 3) == [slot.pk for slot in others]
    memberships.deactivate(membership_of(project, ana))
    assert first.pk in leased(project, ben, 4)


def test_removing_a_group_frees_its_work(project: Project) -> None:
    ana, ben = add_member(project), add_member(project)
    group = groups.create(project, "Experts", [ana])
    first = slots(project)[0]
    assign(first, assigned_group=group)
    queue.lease(project, ben, count=1)
    assert groups.remove(group) == 1
    assert first.pk in leased(project, ben)
    assert not Group.objects.exists()


def test_what_is_put_first_is_handed_out_next_whatever_was_passed(project: Project) -> None:
    ana = add_member(project)
    first, second, third, fourth = slots(project)
    assert leased(project, ana, 2) == [first.pk, second.pk]
    (rank,) = ranks.front_ranks(project, 1)
    Slot.objects.filter(pk=fourth.pk).update(rank=rank)
    ranks.open_from(project, rank)
    assert rank == -1
    assert Cursor.objects.get().rank == -2
    assert leased(project, ana, 3) == [fourth.pk, first.pk, second.pk]
    newcomer = add_member(project)
    Slot.objects.filter(pk=fourth.pk).update(state="free", person=None)
    assert leased(project, newcomer, 2) == [fourth.pk, third.pk]


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "experts", " EXPERTS "])
def test_it_refuses_names_that_are_empty_too_long_or_taken(project: Project, name: str) -> None:
    groups.create(project, "Experts")
    with pytest.raises(GroupRefused):
        groups.create(project, name)


def test_it_takes_members_of_the_project_only(project: Project) -> None:
    stranger = add_member(make_project())
    with pytest.raises(GroupRefused, match="not in this project"):
        groups.create(project, "Experts", [stranger])


def test_it_renames_and_writes_all_down(project: Project) -> None:
    admin = add_member(project, "admin")
    group = groups.create(project, "Experts", by=admin)
    groups.rename(group, "Lawyers", by=admin)
    groups.rename(group, "lawyers", by=admin)
    groups.set_members(group, [admin], by=admin)
    groups.remove(group, by=admin)
    verbs = AuditEntry.objects.filter(target_type="annotation.group").order_by("pk")
    assert [entry.verb for entry in verbs] == [
        *("group.created", "group.renamed", "group.renamed", "group.members_changed", "group.removed")
    ]
