from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

import pytest

from annotation.models import Slot
from annotation.selectors import progress
from annotation.services import batches, labelling, queue
from tests.factories import add_member, make_items, make_project

pytestmark = pytest.mark.django_db


def test_it_counts_ones_own_labels_since_midnight_where_the_team_is() -> None:
    project = make_project(
        overlap_share=0.0, spot_check_share=0.0, evaluation_items=0, daily_goal=7, time_zone="Asia/Shanghai"
    )
    items = make_items(project, 4, split="train")
    batches.publish(project, [batches.Pick(row=item.row) for item in items], origin="1")
    ana, ben = add_member(project), add_member(project)
    slots = queue.lease(project, ana, count=3)
    for slot in slots:
        labelling.submit(project, ana, slot.uuid, {"label": "other"}, client_key=str(slot.pk))
    midnight = progress.start_of_today(project)
    Slot.objects.filter(pk=slots[0].pk).update(done_at=midnight - datetime.timedelta(seconds=1))
    assert progress.today(project, ana) == {"today": 2, "goal": 7}
    assert progress.today(project, ben) == {"today": 0, "goal": 7}
    local = midnight.astimezone(ZoneInfo("Asia/Shanghai"))
    assert (local.hour, local.minute) == (0, 0)


def test_it_does_not_count_what_was_skipped_or_taken_back() -> None:
    project = make_project(overlap_share=0.0, spot_check_share=0.0, evaluation_items=0)
    items = make_items(project, 3, split="train")
    batches.publish(project, [batches.Pick(row=item.row) for item in items], origin="1")
    ana = add_member(project)
    first, second, third = queue.lease(project, ana, count=3)
    queue.skip(project, ana, first.uuid, "unclear")
    for slot in (second, third):
        labelling.submit(project, ana, slot.uuid, {"label": "other"}, client_key=str(slot.pk))
    labelling.undo(project, ana)
    assert progress.today(project, ana)["today"] == 1
