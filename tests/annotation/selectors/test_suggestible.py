"""Which items may get a suggestion, and by which resolved ones suggestions are judged."""

from __future__ import annotations

import pytest

from annotation.models import Prelabel, Project, Slot
from annotation.selectors import suggestible
from annotation.services import batches, labellers, prelabels
from tests.factories import make_item, make_items, make_labels, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project(overlap_share=0.0, spot_check_share=0.0, evaluation_items=0)


def test_the_queues_order_counts_and_looks_that_measure_people_do_not(project: Project) -> None:
    items = make_items(project, 6, split="train")
    picks = [batches.Pick(row=items[at].row) for at in (4, 0, 2)]
    batches.publish(project, picks, origin="test")
    gold = Slot.objects.get(item=items[0])
    Slot.objects.filter(pk=gold.pk).update(purpose=Slot.Purpose.GOLD)
    found = suggestible.open_items(project)
    assert suggestible.next_in_queue(project, found, 9) == [items[4].row, items[2].row]
    assert suggestible.next_in_queue(project, found, 1) == [items[4].row]


def test_a_draw_at_random_holds_every_item_alike(project: Project) -> None:
    items = make_items(project, 8, split="train")
    found = suggestible.open_items(project)
    first = [suggestible.at_random(project, found, 1, seed)[0] for seed in range(200)]
    assert {row for row in first} == {item.row for item in items}
    assert all(8 <= first.count(item.row) <= 45 for item in items)  # 25 each expected
    assert suggestible.at_random(project, found, 0, seed=1) == []


def test_judged_items_are_the_newest_that_answer_the_field(project: Project) -> None:
    items = make_items(project, ["a", "b", "c"], split="train")
    make_labels(project, items, ["Refund", "Other", "Card lost"])
    hidden = make_item(project, "d", split="test")
    make_labels(project, [hidden], ["Refund"])
    found = [(text, answer) for _row, text, answer in suggestible.judged(project, "label", 2)]
    assert found == [("c", "card-lost"), ("b", "other")]
    assert list(suggestible.judged(project, "tone", 9)) == []


def test_replacing_removes_what_earlier_ones_said_of_the_same_items_alone(project: Project) -> None:
    one, two = make_items(project, 2, split="train")
    old, new = (labellers.rule(project, f"suggest:{name}", name) for name in ("old", "new"))
    other = labellers.rule(project, "patterns:1", "patterns")
    said = {"label": "refund"}
    prelabels.store(project, old, [(one.pk, said, 0.5, {}), (two.pk, said, 0.5, {})])
    prelabels.store(project, other, [(one.pk, said, 0.5, {})])
    assert prelabels.replace(project, new, [(one.pk, {"label": "other"}, 0.9, {})], earlier="suggest:") == 1
    held = sorted(Prelabel.objects.values_list("item_id", "labeller__name"))
    assert held == sorted([(one.pk, "new"), (one.pk, "patterns"), (two.pk, "old")])
    assert prelabels.withdraw(project, "suggest:") == 2 and prelabels.withdraw(project, "suggest:") == 0
    assert Prelabel.objects.get().labeller == other
