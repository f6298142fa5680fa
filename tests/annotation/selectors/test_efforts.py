from __future__ import annotations

import pytest

from annotation.selectors import efforts
from annotation.services import labelling, queue
from annotation.services.batches import Pick, publish
from tests import factories

pytestmark = pytest.mark.django_db


def test_it_tells_the_newest_timed_looks_of_people_and_none_that_was_taken_back_or_not_timed() -> None:
    project = factories.make_project(overlap_share=0.0, evaluation_items=0, spot_check_share=0.0)
    items = factories.make_items(project, ["one", "three", "seventeen", "two"], split="train")
    publish(project, [Pick(row=item.row) for item in items], origin="looks")
    person = factories.add_member(project)
    took = dict(zip((item.pk for item in items), [1_500, 2_500, 0, 9_000], strict=True))
    for slot in queue.lease(project, person, count=4):
        key = str(slot.uuid)
        labelling.submit(
            project, person, slot.uuid, {"label": "other"}, client_key=key, active_ms=took[slot.item_id]
        )
    labelling.undo(project, person)  # the last one, "two"
    assert sorted(efforts.timed(project)) == [(3, 1_500), (5, 2_500)]
    assert len(efforts.timed(project, most=1)) == 1


def test_it_tells_lengths_and_sources_of_train_items_by_row() -> None:
    project = factories.make_project()
    (first,) = factories.make_items(project, ["中文 text"], split="train", source="mail")
    factories.make_items(project, ["not this one"], split="test")
    (last,) = factories.make_items(project, ["x"], split="train", source="chat")
    assert list(efforts.lengths(project)) == [(first.row, 7), (last.row, 1)]
    assert list(efforts.sources(project)) == [(first.row, first.source_id), (last.row, last.source_id)]
