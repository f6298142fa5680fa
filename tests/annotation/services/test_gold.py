"""Setting gold items, and what their people are told."""

from __future__ import annotations

import datetime
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotation.errors import GoldRefused, NothingToUndo, ProjectArchived, SlotTaken
from annotation.models import GoldItem, Slot
from annotation.selectors import gold as reads
from annotation.selectors import me
from annotation.services import batches, gold, labelling, projects, queue
from annotation.services.items import Record, add_items
from tests.factories import add_member, make_items, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return make_project(overlap_share=0.0, spot_check_share=0.0, evaluation_items=0, gold_share=1.0)


def active(project):
    found = GoldItem.objects.filter(project=project, is_active=True).order_by("item__row")
    return [(one.item_id, one.value, one.kind) for one in found]


def test_it_sets_items_by_uuid_row_and_external_id(project):
    add_items(project, [Record(text="own id", external_id="q-7")], source="x")
    first, second = make_items(project, 2)
    third = project.items.get(external_id="q-7")
    rows = [
        gold.GoldRow(item=first.uuid, value={"label": "refund"}, note="see  page 3"),
        gold.GoldRow(row=second.row, label="Card lost", kind="qualification"),
        gold.GoldRow(external_id="q-7", label="other"),
    ]
    outcome = gold.set_items(project, rows)
    assert (outcome.set, outcome.unchanged, outcome.withdrawn, outcome.refused) == (3, 0, 0, [])
    assert active(project) == sorted(
        [
            (first.pk, {"label": "refund"}, "gold"),
            (second.pk, {"label": "card-lost"}, "qualification"),
            (third.pk, {"label": "other"}, "gold"),
        ],
        key=lambda one: project.items.get(pk=one[0]).row,
    )
    assert GoldItem.objects.get(item=first).note == "see page 3"


def test_saying_it_again_changes_nothing_and_a_new_answer_is_a_new_row(project):
    [item] = make_items(project, 1)
    row = gold.GoldRow(row=item.row, label="refund")
    gold.set_items(project, [row])
    assert gold.set_items(project, [row]).unchanged == 1
    assert gold.set_items(project, [gold.GoldRow(row=item.row, label="other")]).set == 1
    assert list(GoldItem.objects.order_by("pk").values_list("value", "is_active")) == [
        ({"label": "refund"}, False),
        ({"label": "other"}, True),
    ]
    assert gold.set_items(project, [gold.GoldRow(row=item.row, is_active=False)]).withdrawn == 1
    assert active(project) == []


def test_of_two_rows_for_one_item_the_last_counts(project):
    [item] = make_items(project, 1)
    rows = [gold.GoldRow(row=item.row, label=label) for label in ("refund", "other")]
    assert gold.set_items(project, rows).set == 1
    assert active(project) == [(item.pk, {"label": "other"}, "gold")]


def test_it_says_of_each_row_why_it_cannot_be(project):
    [item] = make_items(project, 1)
    other = make_items(make_project(), 1)[0]
    rows = [
        gold.GoldRow(row=item.row, label="nonsense"),
        gold.GoldRow(item=other.uuid, label="refund"),
        gold.GoldRow(row=item.row),
        gold.GoldRow(row=item.row, value={"label": "nonsense"}),
        gold.GoldRow(row=item.row, label="refund", kind="silver"),
        gold.GoldRow(row=item.row, label="refund"),
    ]
    outcome = gold.set_items(project, rows)
    assert outcome.set == 1
    assert [one.index for one in outcome.refused] == [0, 1, 2, 3, 4]
    messages = [one.message for one in outcome.refused]
    assert "“nonsense” is not in the schema" in messages[0]
    assert "name one of the project" in messages[1]
    assert "give a value, or a label" in messages[2]
    assert "nonsense" in messages[3]
    assert "use gold or qualification" in messages[4]


def test_it_takes_so_many_rows_and_none_of_an_archived_project(project, monkeypatch):
    monkeypatch.setattr(gold, "MOST", 2)
    with pytest.raises(GoldRefused, match="Found 3 rows, the limit is 2"):
        gold.set_items(project, [gold.GoldRow(row=0, label="x")] * 3)
    projects.archive(project)
    with pytest.raises(ProjectArchived):
        gold.set_items(project, [])


# --- results ------------------------------------------------------------------------------------------------


def answered(project, user, label):
    """A gold item (right: refund) that `user` answered with `label`."""
    work, known = make_items(project, 2, split="train")
    gold.set_items(project, [gold.GoldRow(row=known.row, label="refund", note="They ask for money.")])
    batches.publish(project, [batches.Pick(row=work.row)], origin="")
    slot = next(slot for slot in queue.lease(project, user, count=4) if slot.item_id == known.pk)
    labelling.submit(project, user, slot.uuid, {"label": label}, client_key=uuid.uuid4().hex)
    return slot


def long_ago(slot):
    Slot.objects.filter(pk=slot.pk).update(done_at=timezone.now() - datetime.timedelta(hours=2))


def test_it_compares_answers_with_what_is_expected_now(project):
    ana, ben = add_member(project), add_member(project)
    slot = answered(project, ana, "other")
    [found] = reads.results(project, ana)
    assert (found.value, found.expected, found.is_right) == ({"label": "other"}, {"label": "refund"}, False)
    gold.set_items(project, [gold.GoldRow(row=slot.item.row, label="other")])
    [found] = reads.results(project, ana)
    assert found.is_right
    assert reads.results(project, ben) == []


def test_people_are_told_an_hour_later_where_the_project_says_so(project):
    ana = add_member(project)
    slot = answered(project, ana, "other")
    long_ago(slot)
    assert me.own_work(ana, project).gold.results == []
    projects.update_settings(project, gold_feedback=True)
    [told] = me.own_work(ana, project).gold.results
    assert (told.mine, told.expected, told.is_right) == ("Other", "Refund", False)
    assert told.note == "They ask for money."
    assert me.own_work(ana, project).gold.right.n == 1
    fresh = answered(project, ana, "refund")
    assert len(me.own_work(ana, project).gold.results) == 1
    long_ago(fresh)
    assert me.own_work(ana, project).gold.right.k == 1


def test_what_one_was_told_cannot_be_changed(project):
    projects.update_settings(project, gold_feedback=True)
    ana = add_member(project)
    slot = answered(project, ana, "other")
    long_ago(slot)
    with pytest.raises(NothingToUndo):
        labelling.undo(project, ana, slot.uuid)
    with pytest.raises(SlotTaken, match="decided"):
        labelling.submit(project, ana, slot.uuid, {"label": "refund"}, client_key="again")


def test_results_cost_one_query(project):
    ana = add_member(project)
    for label in ("other", "refund", "refund"):
        answered(project, ana, label)
    with CaptureQueriesContext(connection) as asked:
        assert [one.is_right for one in reads.results(project, ana)] == [True, True, False]
    assert len(asked) == 1
