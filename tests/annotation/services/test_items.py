from __future__ import annotations

import pytest

from annotation.models import Item
from annotation.services.items import Record, add_items
from tests.factories import make_project

pytestmark = pytest.mark.django_db


def test_it_adds_records_and_knows_them_when_they_are_sent_again() -> None:
    project = make_project()
    records = [
        Record(text="one", external_id="a", label="refund", meta={"x": 1}),
        Record(text=" "),
        Record(text="two", external_id="b", split="test"),
        Record(text="ONE", external_id="c"),
        Record(text="three", label="nope"),
    ]
    added = add_items(project, records, source="feed")
    assert (added.added, added.duplicates, added.labelled) == (2, 1, 1)
    assert [(bad.line, bad.code) for bad in added.refused] == [(2, "empty_text"), (5, "unknown_label")]
    assert [item_id is None for item_id in added.item_ids] == [False, True, False, False, True]
    assert Item.objects.get(pk=added.item_ids[0]).meta == {"x": 1}
    assert Item.objects.get(pk=added.item_ids[2]).split == "test"
    again = add_items(project, records, source="feed")
    assert (again.added, again.duplicates, again.unchanged, again.labelled) == (0, 0, 3, 0)
    assert again.item_ids == added.item_ids
    assert Item.objects.count() == 3


def test_it_knows_a_record_that_is_sent_twice_in_one_call() -> None:
    project = make_project()
    twice = [Record(text="one", external_id="a"), Record(text="one", external_id="a"), Record(text="one")]
    added = add_items(project, twice, source="feed")
    assert (added.added, added.duplicates, added.unchanged) == (1, 1, 1)
    assert added.item_ids[0] == added.item_ids[1] != added.item_ids[2]


def test_it_gives_row_numbers_without_gaps_over_several_calls() -> None:
    project = make_project()
    for start in range(0, 9, 3):
        add_items(
            project, [Record(text=f"text {number // 2}") for number in range(start, start + 3)], source="feed"
        )
    assert list(project.items.order_by("row").values_list("row", flat=True)) == list(range(9))
    assert project.items.filter(duplicate_of=None).count() == 5
