"""What a person sees of a slot."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotation.models import Project, Slot
from annotation.selectors import queue as selectors
from annotation.services import batches, labelling, prelabels, projects, queue
from tests.factories import add_member, make_items, make_model_labeller, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    project = make_project(overlap_share=0.0, spot_check_share=0.0, evaluation_items=0)
    explanation = {"parts": {"uncertainty": 0.7}, "round": 4, "note": "where the model is unsure"}
    picks = [
        batches.Pick(row=item.row, explanation=explanation) for item in make_items(project, 5, split="train")
    ]
    batches.publish(project, picks, origin="4")
    return project


def test_it_tells_why_an_item_and_not_what_it_is_for(project: Project) -> None:
    ana = add_member(project)
    [payload] = selectors.payloads(project, ana, queue.lease(project, ana, count=1))
    sent = payload.to_json()
    assert sent["explanation"]["parts"] == {"uncertainty": 0.7}
    assert sent["explanation"]["round"] == 4
    assert "purpose" not in json.dumps(sent)


def test_it_gives_scores_only_where_likely_labels_come_first(project: Project) -> None:
    ana = add_member(project)
    slots = queue.lease(project, ana, count=1)
    scores = {"refund": 0.6, "other": 0.3}
    model = make_model_labeller(project)
    prelabels.store(project, model, [(slots[0].item_id, {"label": "refund"}, 0.6, scores)])
    assert selectors.payloads(project, ana, slots)[0].scores == {}
    projects.update_settings(project, likely_first=True)
    assert selectors.payloads(project, ana, slots)[0].scores == scores


def test_it_brings_back_ones_own_undone_label_only(project: Project) -> None:
    ana, ben = add_member(project), add_member(project)
    [slot] = queue.lease(project, ana, count=1)
    labelling.submit(project, ana, slot.uuid, {"label": "other"}, client_key="k")
    undone = labelling.undo(project, ana)
    assert selectors.payloads(project, ana, [undone])[0].previous == {"label": "other"}
    queue.release(project, ana, [slot.uuid])
    found = next(one for one in queue.lease(project, ben, count=5) if one.pk == slot.pk)
    assert selectors.payloads(project, ben, [found])[0].previous is None


@pytest.mark.parametrize(("held_before", "questions"), [(True, 3), (False, 2)])
def test_it_asks_as_many_questions_however_many_slots(
    project: Project, held_before: bool, questions: int
) -> None:
    """What was just handed out for the first time cannot have been taken back: that is not asked."""
    ana = add_member(project)
    slots = queue.lease(project, ana, count=5)
    if held_before:
        slots = queue.lease(project, ana, count=5)
    with CaptureQueriesContext(connection) as asked:
        assert len(selectors.payloads(project, ana, slots)) == 5
    assert len(asked) == questions
    assert selectors.payloads(project, ana, []) == []


def test_it_knows_whether_anybody_holds_an_item(project: Project) -> None:
    assert not selectors.is_anybody_labelling()
    ana = add_member(project)
    [slot] = queue.lease(project, ana, count=1)
    assert selectors.is_anybody_labelling()
    Slot.objects.filter(pk=slot.pk).update(lease_expires_at=timezone.now())
    assert not selectors.is_anybody_labelling()


def test_it_knows_the_suggestion_that_a_slot_shows(project: Project) -> None:
    slot = Slot.objects.order_by("rank").first()
    assert slot is not None
    assert selectors.suggested(project, slot.uuid, None) == {}
    model = make_model_labeller(project)
    prelabels.store(project, model, [(slot.item_id, {"label": "refund"}, 0.6, {})])
    shown = slot.item.prelabels.get()
    assert selectors.suggested(project, slot.uuid, shown.uuid) == {"label": "refund"}
    assert selectors.suggested(project, slot.uuid, slot.uuid) == {}
