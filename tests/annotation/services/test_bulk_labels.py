from __future__ import annotations

import pytest

from annotation.errors import LabelRefused
from annotation.models import Annotation, Resolution, Review, Role, Slot
from annotation.services import batches, bulk_labels, queue
from tests.factories import add_member, make_items, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return make_project(overlap_share=0, evaluation_items=0, spot_check_share=0.0)


def test_it_gives_all_items_one_look_each_and_once(project):
    rita = add_member(project, Role.REVIEWER)
    items = make_items(project, 45, split="train")
    rows = [item.row for item in items]
    for _ in range(2):
        outcome = bulk_labels.label_many(project, rita, rows, {"label": "refund"}, client_key="k")
        assert outcome == bulk_labels.Outcome(45, 0)
    assert Annotation.objects.count() == Slot.objects.filter(state="done", design="grid").count() == 45
    assert {r.value["label"] for r in Resolution.objects.filter(is_current=True)} == {"refund"}
    assert project.batches.get().is_open is False


def test_a_tenth_or_more_goes_to_a_reviewer(project):
    rita = add_member(project, Role.REVIEWER)
    items = make_items(project, 150, split="train")
    bulk_labels.label_many(project, rita, [item.row for item in items], {"label": "refund"}, client_key="k")
    drawn = Review.objects.filter(drawn_share=bulk_labels.CHECKED_SHARE).count()
    assert 4 <= drawn <= 30  # 15 expected


def test_it_passes_over_what_somebody_has_or_must_not_see(project):
    rita, ana = add_member(project, Role.REVIEWER), add_member(project)
    taken, waiting, free = make_items(project, 3, split="train")
    [test] = make_items(project, 1, split="test")
    batches.publish(project, [batches.Pick(row=taken.row), batches.Pick(row=waiting.row)], origin="x")
    [held] = queue.lease(project, ana, count=1)
    assert held.item == taken
    rows = [taken.row, waiting.row, free.row, test.row, 999]
    outcome = bulk_labels.label_many(project, rita, rows, {"label": "other"}, client_key="k")
    assert outcome == bulk_labels.Outcome(labelled=2, passed_over=3)
    assert set(Annotation.objects.values_list("item_id", flat=True)) == {waiting.pk, free.pk}
    assert queue.lease(project, ana, count=3) == [held]  # the waiting slot was used, not doubled


@pytest.mark.parametrize(
    ("rows", "value", "key"),
    [
        ([], {"label": "refund"}, "k"),
        ([0] * 201, {"label": "refund"}, "k"),
        ([0], {"label": "no"}, "k"),
        ([0], {"label": "refund"}, ""),
    ],
)
def test_it_says_what_cannot_be(project, rows, value, key):
    make_items(project, 1, split="train")
    with pytest.raises(LabelRefused):
        bulk_labels.label_many(project, add_member(project, Role.REVIEWER), rows, value, client_key=key)
    assert not Annotation.objects.exists()
