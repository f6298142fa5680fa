"""What is still free of a batch gives way to better picks, while people work on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotation.models import Batch, Item, Project, Slot
from annotation.services import batches, labelling, queue, refills
from tests import factories

pytestmark = pytest.mark.django_db
OLD = [*range(6)]


def make(**fields: object) -> tuple[Project, Batch]:
    """Twelve items, six of them in a batch: rows 0 to 5, of which 2 is the control arm."""
    project = factories.make_project(**{"overlap_share": 0.0, "evaluation_items": 0, **fields})
    factories.make_items(project, 12, split="train")
    picks = [
        batches.Pick(row=row, purpose="control" if row == 2 else "label", design="margin") for row in OLD
    ]
    return project, batches.publish(project, picks, origin="round:1")


def refill(batch: Batch, rows: Iterable[int]) -> refills.Refilled:
    return refills.refill(batch, [batches.Pick(row=row, design="fresh") for row in rows])


def free_rows(project: Project) -> list[int]:
    """Rows of the free slots in the order in which they are handed out."""
    free = Slot.objects.filter(project=project, state="free").order_by("rank")
    return list(free.values_list("item__row", flat=True))


def test_picks_take_the_place_of_what_is_free_in_their_order() -> None:
    project, batch = make()
    done = refill(batch, [9, 4, 8, 7, 6])
    assert (done.replaced, done.kept) == (4, 1)
    rows = free_rows(project)
    assert [row for row in rows if row != 2] == [9, 4, 8, 7, 6] and 2 in rows
    assert (
        Slot.objects.get(item__row=9).design == "fresh" and Slot.objects.get(item__row=4).design == "margin"
    )
    gone = Slot.objects.filter(project=project, state="withdrawn").values_list("item__row", flat=True)
    assert sorted(gone) == [0, 1, 3, 5]


def test_the_control_arm_and_what_a_person_holds_has_done_or_queued_stay() -> None:
    project, batch = make()
    person = factories.add_member(project)
    first, second = queue.lease(project, person, count=2)
    labelling.submit(project, person, first.uuid, {"label": "refund"}, client_key="k")
    Slot.objects.filter(item__row=5).update(is_by_hand=True)
    before = {slot.pk: slot.rank for slot in Slot.objects.filter(item__row__in=[0, 1, 5])}
    done = refill(batch, [9, 8, 7, 6, 10])
    assert (done.replaced, done.kept) == (2, 0)
    assert {slot.pk: slot.rank for slot in Slot.objects.filter(item__row__in=[0, 1, 5])} == before
    assert Slot.objects.get(pk=second.pk).state == "leased"
    assert sorted(free_rows(project)) == [2, 5, 8, 9]
    assert Slot.objects.get(item__row=2).purpose == "control"


def test_a_pick_that_somebody_decided_meanwhile_is_left_out() -> None:
    project, batch = make()
    factories.make_labels(project, list(Item.objects.filter(project=project, row=9)), ["Refund"])
    done = refill(batch, [9, 8])
    assert done.replaced == 1 and 9 not in free_rows(project)
    # What gives way is what stood last.
    assert [row for row in free_rows(project) if row != 2] == [8, 0, 1, 3, 4]


def test_fewer_picks_than_free_items_leave_the_first_of_them_behind_the_picks() -> None:
    project, batch = make()
    refill(batch, [9])
    assert [row for row in free_rows(project) if row != 2] == [9, 0, 1, 3, 4]


def test_second_looks_come_and_go_with_their_items() -> None:
    project, batch = make(overlap_share=1.0)
    done = refill(batch, [9, 8, 7, 6, 10])
    assert done.replaced == 5
    counts = Counter(row for row in free_rows(project))
    assert counts == Counter({9: 2, 8: 2, 7: 2, 6: 2, 10: 2, 2: 2})
    assert Slot.objects.filter(item__row=9, purpose="overlap").count() == 1


def test_a_second_look_at_what_somebody_has_labelled_stays() -> None:
    project, batch = make(overlap_share=1.0)
    person = factories.add_member(project)
    slot = queue.lease(project, person, count=1)[0]
    labelling.submit(project, person, slot.uuid, {"label": "refund"}, client_key="k")
    refill(batch, [9, 8, 7, 6, 10])
    assert free_rows(project).count(slot.item.row) == 1


def test_evaluation_items_stay_spread_over_the_queue() -> None:
    project = factories.make_project(overlap_share=0.0, evaluation_items=4, evaluation_overlap_share=0.0)
    factories.make_items(project, 20, split="train")
    factories.make_items(project, 4, split="test")
    batch = batches.publish(project, [batches.Pick(row=row) for row in range(8)], origin="round:1")
    refill(batch, range(10, 18))
    purposes = list(
        Slot.objects.filter(project=project, state="free").order_by("rank").values_list("purpose", flat=True)
    )
    assert Counter(purposes) == {"label": 8, "evaluation": 4}
    assert max(len(run) for run in "".join(p[0] for p in purposes).split("e")) <= 2


def test_nobody_who_worked_before_misses_a_new_pick() -> None:
    project, batch = make()
    person = factories.add_member(project)
    slots = queue.lease(project, person, count=3)
    refill(batch, [9, 8, 7])
    for slot in slots:
        labelling.submit(project, person, slot.uuid, {"label": "refund"}, client_key=str(slot.uuid))
    handed = [slot.item.row for slot in queue.lease(project, person, count=9)]
    assert handed == free_or_held(project, person)
    assert {9, 8, 7} <= set(handed)


def free_or_held(project: Project, person: object) -> list[int]:
    mine = Slot.objects.filter(project=project, state="leased", person=person).order_by("rank")
    return list(mine.values_list("item__row", flat=True))


def test_the_same_picks_again_change_nothing_but_the_order() -> None:
    project, batch = make()
    done = refill(batch, [5, 4, 3, 1, 0])
    assert (done.replaced, done.kept) == (0, 5)
    assert [row for row in free_rows(project) if row != 2] == [5, 4, 3, 1, 0]


def test_a_large_batch_is_switched_in_several_short_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refills, "AT_ONCE", 2)
    project, batch = make(overlap_share=1.0)
    done = refill(batch, [9, 4, 8, 7])
    assert (done.replaced, done.kept) == (3, 2)
    rows = [row for row in free_rows(project) if row != 2]
    assert rows == [9, 9, 4, 4, 8, 8, 7, 7, 0, 0]
    assert not Slot.objects.filter(project=project, state="withdrawn", design="fresh").exists()


def test_much_that_waits_beside_few_picks_moves_in_short_transactions_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refills, "AT_ONCE", 2)
    project = factories.make_project(overlap_share=0.0, evaluation_items=7, evaluation_overlap_share=0.0)
    factories.make_items(project, 20, split="train")
    factories.make_items(project, 7, split="test")
    batch = batches.publish(project, [batches.Pick(row=row) for row in range(14)], origin="round:1")
    Slot.objects.filter(item__row__in=range(3, 14)).update(state="withdrawn")
    sizes = []
    plain = refills._queue

    def watched(batch, items, made, others):
        sizes.append((len(items), len(others)))
        plain(batch, items, made, others)

    monkeypatch.setattr(refills, "_queue", watched)
    assert refill(batch, [15, 16, 17]).replaced == 3
    assert max(most for pair in sizes for most in pair) <= 2
    assert sum(others for _items, others in sizes) == 7
    waiting = Slot.objects.filter(project=project, state="free").order_by("rank")
    kinds = "".join(
        "e" if purpose == "evaluation" else "p" for purpose in waiting.values_list("purpose", flat=True)
    )
    assert kinds.count("p") == 3 and kinds.count("e") == 7
    assert max(len(run) for run in kinds.split("p")) <= 4  # spread among the picks, not left in front


def test_nothing_happens_where_nothing_is_free() -> None:
    project, batch = make()
    Slot.objects.filter(project=project).update(state="withdrawn")
    assert refill(batch, [9]) == refills.Refilled(replaced=0, kept=0, switch_s=0.0)
    assert not Slot.objects.filter(item__row=9).exists()


def test_a_row_of_no_item_is_refused() -> None:
    _project, batch = make()
    with pytest.raises(ValueError, match="row 99 is not in"):
        refill(batch, [99])


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    overlap=st.sampled_from([0.0, 0.5, 1.0]),
    taken=st.integers(0, 6),
    labelled=st.integers(0, 6),
    picked=st.lists(st.integers(0, 11), unique=True, min_size=1, max_size=8),
    late=st.lists(st.integers(0, 11), unique=True, max_size=4),
)
def test_whatever_happens_between_plan_and_switch_the_queue_stays_sound(
    overlap: float, taken: int, labelled: int, picked: list[int], late: list[int]
) -> None:
    """People take, label and decide after the picks were laid beside and before they are switched in."""
    project, batch = make(overlap_share=overlap)
    person = factories.add_member(project)
    plain = refills._switch

    def late_people(*arguments):
        slots = queue.lease(project, person, count=taken) if taken else []
        for slot in slots[:labelled]:
            labelling.submit(project, person, slot.uuid, {"label": "other"}, client_key=str(slot.uuid))
        items = list(Item.objects.filter(project=project, row__in=late))
        factories.make_labels(project, items, ["Refund"] * len(items))
        return plain(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(refills, "_switch", late_people)
        refill(batch, picked)
    slots = list(Slot.objects.filter(project=project).select_related("item"))
    live = [slot for slot in slots if slot.state in ("free", "leased", "done")]
    first_looks = Counter(slot.item.row for slot in live if slot.purpose != "overlap")
    assert all(count == 1 for count in first_looks.values())  # nothing is queued twice
    assert sum(first_looks.values()) == len(OLD)  # and the batch keeps its size
    assert 2 in first_looks  # the control arm is untouched
    held = [slot for slot in slots if slot.person_id == person.pk]
    assert len(held) == min(taken, len(OLD)) and {slot.state for slot in held} <= {"leased", "done"}
    new = {slot.item.row for slot in live if slot.design == "fresh"}
    assert not new & set(late) and new <= set(picked)
    ranks = [slot.rank for slot in slots]
    assert len(ranks) == len(set(ranks))
