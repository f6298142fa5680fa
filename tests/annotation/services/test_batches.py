"""Publishing: order, second looks, the evaluation sample, and what earlier batches had left."""

from __future__ import annotations

import pytest

from annotation.errors import ProjectArchived
from annotation.models import Item, Slot
from annotation.services import batches, labelling, projects, queue
from tests.factories import add_member, make_items, make_project

pytestmark = pytest.mark.django_db
P = Slot.Purpose


def picks(items, **more):
    return [batches.Pick(row=item.row, **more) for item in items]


def plain(**settings):
    return make_project(**{"overlap_share": 0.0, "evaluation_items": 0, "spot_check_share": 0.0, **settings})


def test_it_keeps_the_order_and_the_facts_of_the_picks():
    project = plain()
    items = make_items(project, 3, split="train")
    chosen = [
        batches.Pick(row=items[2].row, design="margin", explanation={"parts": {"margin": 0.9}}),
        batches.Pick(row=items[0].row, purpose=P.CONTROL, design="random", inclusion_probability=0.25),
    ]
    batch = batches.publish(project, chosen, origin="round-1", title="Round 1", note="why")
    slots = list(batch.slots.order_by("rank"))
    assert [slot.item_id for slot in slots] == [items[2].pk, items[0].pk]
    assert [slot.purpose for slot in slots] == [P.LABEL, P.CONTROL]
    assert [slot.inclusion_probability for slot in slots] == [None, 0.25]
    assert slots[0].explanation == {"parts": {"margin": 0.9}}
    assert (batch.number, batch.title, batch.note) == (1, "Round 1", "why")


def test_it_publishes_an_origin_once():
    project = plain()
    items = make_items(project, 2, split="train")
    first = batches.publish(project, picks(items), origin="round-1")
    assert batches.publish(project, picks(items), origin="round-1") == first
    assert project.slots.count() == 2


def test_it_refuses_a_row_that_is_not_there():
    project = plain()
    with pytest.raises(ValueError, match="row 99 is not in"):
        batches.publish(project, [batches.Pick(row=99)], origin="")


def test_it_writes_nothing_to_an_archived_project():
    project = plain()
    items = make_items(project, 1, split="train")
    projects.archive(project)
    with pytest.raises(ProjectArchived):
        batches.publish(project, picks(items), origin="")


def test_it_gives_a_share_of_the_items_a_second_look():
    project = plain(overlap_share=0.25)
    items = make_items(project, 400, split="train")
    batches.publish(project, picks(items), origin="")
    second = project.slots.filter(purpose=P.OVERLAP)
    assert 70 <= second.count() <= 130  # 100 expected, 3.5 standard deviations
    assert second.values("item").distinct().count() == second.count()


def test_it_mixes_in_evaluation_items_until_enough_are_out():
    project = plain(evaluation_items=8, evaluation_overlap_share=1.0)
    train = make_items(project, 20, split="train")
    make_items(project, 6, split="test")
    make_items(project, 6, split="validation")
    batches.publish(project, picks(train[:10]), origin="")
    evaluation = project.slots.filter(purpose=P.EVALUATION)
    assert evaluation.values("item").distinct().count() == 5
    assert evaluation.count() == 10
    assert set(evaluation.values_list("item__split", flat=True)) <= {Item.Split.TEST, Item.Split.VALIDATION}
    ranks = [slot.purpose for slot in project.slots.order_by("rank")]
    assert P.EVALUATION in ranks[:5] and P.EVALUATION in ranks[-5:]
    for person in (add_member(project), add_member(project)):
        for slot in queue.lease(project, person, count=30):
            labelling.submit(project, person, slot.uuid, {"label": "other"}, client_key=str(slot.uuid))
    batches.publish(project, picks(train[10:]), origin="")
    assert evaluation.values("item").distinct().count() == 8


def test_it_asks_for_no_evaluation_item_that_has_a_label():
    project = plain(evaluation_items=4)
    train = make_items(project, 10, split="train")
    from annotation.services import items

    items.add_items(
        project,
        [items.Record(text=f"known {n}", label="Other", split="test") for n in range(4)],
        source="labelled",
    )
    make_items(project, 5, split="test")
    batches.publish(project, picks(train), origin="")
    assert not project.slots.filter(purpose=P.EVALUATION).exists()


def test_it_takes_back_what_earlier_batches_had_free():
    project = plain(overlap_share=1.0)
    items = make_items(project, 6, split="train")
    batches.publish(project, picks(items[:3]), origin="a")
    ana = add_member(project)
    slot = queue.lease(project, ana, count=1)[0]
    labelling.submit(project, ana, slot.uuid, {"label": "other"}, client_key="k")
    held = queue.lease(project, ana, count=1)[0]
    batches.publish(project, picks(items[3:]), origin="b")
    old = project.slots.filter(batch__origin="a")
    assert old.filter(state=Slot.State.WITHDRAWN, purpose=P.LABEL).count() == 1
    # second looks at what was labelled or is being labelled stay; the one at the untouched item goes
    assert set(old.filter(state=Slot.State.FREE).values_list("item_id", flat=True)) == {
        slot.item_id,
        held.item_id,
    }
    assert old.get(state=Slot.State.WITHDRAWN, purpose=P.OVERLAP).item_id == items[2].pk
    assert list(project.batches.order_by("number").values_list("is_open", flat=True)) == [False, True]


def test_it_spreads_evaluation_items_that_were_left_over_the_new_batch():
    project = plain(evaluation_items=6, evaluation_overlap_share=0.0)
    train = make_items(project, 24, split="train")
    make_items(project, 20, split="test")
    batches.publish(project, picks(train[:12]), origin="a")
    first = set(project.slots.filter(purpose=P.EVALUATION).values_list("item_id", flat=True))
    batches.publish(project, picks(train[12:]), origin="b")
    free = list(project.slots.filter(state=Slot.State.FREE).order_by("rank"))
    assert {slot.item_id for slot in free if slot.purpose == P.EVALUATION} == first
    # six among twelve: never two in a row, and the first thing people see is a pick
    kinds = [slot.purpose == P.EVALUATION for slot in free]
    assert len(kinds) == 18 and not kinds[0]
    assert not any(a and b for a, b in zip(kinds, kinds[1:], strict=False))


class CutOff(Exception):
    pass


def test_it_queues_in_short_transactions_and_completes_what_was_cut_off(monkeypatch):
    """A worker that is killed leaves whole parts; the next attempt adds the others, and nothing twice."""
    project = plain(overlap_share=0.5, evaluation_items=6)
    items = make_items(project, 30, split="train")
    make_items(project, 8, split="test")
    batches.publish(project, picks(items[20:]), origin="before")
    monkeypatch.setattr(batches, "AT_ONCE", 4)
    sizes = []

    def insert_many(rows):
        if len(sizes) == 3:
            raise CutOff
        sizes.append(len(rows))
        real(rows)

    real = batches.insert_many
    monkeypatch.setattr(batches, "insert_many", insert_many)
    with pytest.raises(CutOff):
        batches.publish(project, picks(items[:20]), origin="a")
    half = project.slots.filter(batch__origin="a").count()
    assert 0 < half < 20
    assert max(sizes) <= 4
    sizes.append(0)  # cut off no more
    batch = batches.publish(project, picks(items[:20]), origin="a")
    first = batch.slots.filter(purpose=P.LABEL)
    assert sorted(first.values_list("item_id", flat=True)) == sorted(item.pk for item in items[:20])
    order = list(first.order_by("rank").values_list("item_id", flat=True))
    assert order == [item.pk for item in items[:20]]
    second = batch.slots.filter(purpose=P.OVERLAP)
    assert second.count() == second.values("item").distinct().count() > 0
    assert not project.slots.filter(batch__origin="before", purpose=P.LABEL, state="free").exists()
    assert batches.publish(project, picks(items[:20]), origin="a") == batch
    assert batch.slots.filter(purpose=P.LABEL).count() == 20


def test_it_hands_no_item_out_twice_while_it_is_published_again(monkeypatch):
    """An item that is free in an earlier batch is withdrawn there in the transaction that queues it anew."""
    project = plain()
    items = make_items(project, 6, split="train")
    batches.publish(project, picks(items), origin="a")
    monkeypatch.setattr(batches, "AT_ONCE", 2)
    seen = []
    real = batches.insert_many

    def insert_many(rows):
        real(rows)
        free = project.slots.filter(state="free").values_list("item_id", flat=True)
        seen.append(len(free) - len(set(free)))

    monkeypatch.setattr(batches, "insert_many", insert_many)
    batches.publish(project, picks(items), origin="b")
    assert seen == [0, 0, 0]
    assert set(project.slots.filter(state="free").values_list("batch__origin", flat=True)) == {"b"}


def test_it_takes_back_what_is_free_of_a_batch():
    project = plain()
    items = make_items(project, 3, split="train")
    batch = batches.publish(project, picks(items), origin="a")
    held = queue.lease(project, add_member(project), count=1)[0]
    batches.take_back(batch)
    assert dict(batch.slots.values_list("pk", "state"))[held.pk] == "leased"
    assert batch.slots.filter(state="withdrawn").count() == 2
