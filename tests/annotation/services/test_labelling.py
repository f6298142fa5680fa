"""Answers: stored once, taken back, corrected, kept when late; nothing lost and nothing doubled."""

from __future__ import annotations

import copy
import datetime
import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotation.errors import LabelRefused, NothingToUndo, ProjectArchived, SlotTaken, SlotUnknown
from annotation.models import Annotation, Prelabel, Resolution, Review, Slot
from annotation.selectors import looks, schemas
from annotation.selectors.queue import payloads
from annotation.services import batches, labelling, prelabels, projects, queue, reviews
from annotation.services.schemas import publish as publish_schema
from tests.factories import add_member, make_items, make_model_labeller, make_project

pytestmark = pytest.mark.django_db
MODE = Annotation.PrelabelMode


@pytest.fixture
def project():
    return make_project(overlap_share=0.0, spot_check_share=0.0, evaluation_items=0)


def publish(project, count=3):
    items = make_items(project, count, split="train")
    batches.publish(project, [batches.Pick(row=item.row) for item in items], origin="")
    return items


def held(project, user):
    return queue.lease(project, user, count=1)[0]


def submit(project, user, slot, label="other", key=None, **more):
    return labelling.submit(
        project, user, slot.uuid, {"label": label}, client_key=key or uuid.uuid4().hex, **more
    )


def current(project):
    return {r.item_id: r.value["label"] for r in Resolution.objects.filter(project=project, is_current=True)}


def test_it_stores_an_answer_with_all_that_belongs_to_it(project):
    publish(project)
    ana = add_member(project)
    slot = held(project, ana)
    done = submit(project, ana, slot, "card-lost", "key-1", active_ms=2500)
    assert done.created
    annotation = Annotation.objects.get()
    assert (annotation.value, annotation.active_ms, annotation.client_key) == (
        {"label": "card-lost"},
        2500,
        "key-1",
    )
    assert annotation.schema_version.number == 1
    assert annotation.labeller.user == ana
    slot.refresh_from_db()
    assert slot.state == Slot.State.DONE
    assert current(project) == {slot.item_id: "card-lost"}


def test_it_stores_the_same_key_once(project):
    publish(project)
    ana = add_member(project)
    slot = held(project, ana)
    first = submit(project, ana, slot, "other", "key-1")
    again = submit(project, ana, slot, "other", "key-1")
    assert not again.created
    assert again.annotation == first.annotation
    assert Annotation.objects.count() == 1


def test_it_refuses_a_label_outside_the_schema_and_keeps_it(project):
    publish(project)
    ana = add_member(project)
    slot = held(project, ana)
    with pytest.raises(LabelRefused) as caught:
        submit(project, ana, slot, "nonsense")
    assert caught.value.details == {"value": {"label": "nonsense"}}
    slot.refresh_from_db()
    assert slot.state == Slot.State.LEASED


@pytest.mark.parametrize("key", ["", "x" * 65])
def test_it_needs_a_client_key(project, key):
    publish(project)
    ana = add_member(project)
    slot = held(project, ana)
    with pytest.raises(LabelRefused, match="key of its own"):
        labelling.submit(project, ana, slot.uuid, {"label": "other"}, client_key=key)


def test_it_keeps_a_late_answer_while_the_slot_is_free(project):
    publish(project, 1)
    ana = add_member(project)
    slot = held(project, ana)
    queue.release(project, ana, [slot.uuid])
    submit(project, ana, slot)
    assert Annotation.objects.get().slot_id == slot.pk


def test_it_keeps_a_late_answer_before_the_sweep(project):
    publish(project, 1)
    ana = add_member(project)
    slot = held(project, ana)
    Slot.objects.update(lease_expires_at=timezone.now() - datetime.timedelta(hours=1))
    assert submit(project, ana, slot).created


def test_it_refuses_a_late_answer_once_somebody_else_has_the_item(project):
    publish(project, 1)
    ana, ben = add_member(project), add_member(project)
    slot = held(project, ana)
    queue.release(project, ana, [slot.uuid])
    assert held(project, ben).pk == slot.pk
    with pytest.raises(SlotTaken, match="gone to somebody else") as caught:
        submit(project, ana, slot, "card-lost")
    assert caught.value.details["value"] == {"label": "card-lost"}
    submit(project, ben, slot)
    assert Annotation.objects.count() == 1


def test_it_corrects_ones_own_answer_by_superseding(project):
    publish(project, 1)
    ana = add_member(project)
    slot = held(project, ana)
    first = submit(project, ana, slot, "other").annotation
    second = submit(project, ana, slot, "card-lost").annotation
    assert second.supersedes == first
    assert current(project) == {slot.item_id: "card-lost"}
    assert Resolution.objects.filter(is_current=False).count() == 1


def test_it_refuses_an_answer_to_a_slot_of_another_project(project):
    other = make_project(overlap_share=0.0, evaluation_items=0)
    publish(other, 1)
    slot = Slot.objects.get(project=other)
    with pytest.raises(SlotUnknown):
        submit(project, add_member(project), slot)


def test_it_writes_nothing_to_an_archived_project(project):
    publish(project, 1)
    ana = add_member(project)
    slot = held(project, ana)
    projects.archive(project)
    with pytest.raises(ProjectArchived):
        submit(project, ana, slot)


def test_it_takes_back_the_last_answer(project):
    publish(project)
    ana = add_member(project)
    first, second = held(project, ana), None
    submit(project, ana, first, "other")
    second = held(project, ana)
    submit(project, ana, second, "card-lost")
    slot = labelling.undo(project, ana)
    assert slot.pk == second.pk
    assert slot.state == Slot.State.LEASED
    assert current(project) == {first.item_id: "other"}
    assert payloads(project, ana, [slot])[0].previous == {"label": "card-lost"}
    assert Annotation.objects.filter(is_retraction=True).count() == 1
    assert labelling.undo(project, ana).pk == first.pk
    with pytest.raises(NothingToUndo):
        labelling.undo(project, ana)


def test_it_labels_again_after_an_undo(project):
    publish(project, 1)
    ana = add_member(project)
    slot = held(project, ana)
    submit(project, ana, slot, "other")
    labelling.undo(project, ana)
    submit(project, ana, slot, "card-lost")
    assert current(project) == {slot.item_id: "card-lost"}
    chain = list(Annotation.objects.order_by("pk").values_list("is_retraction", "value"))
    assert chain == [(False, {"label": "other"}), (True, {}), (False, {"label": "card-lost"})]


def test_it_takes_back_a_named_answer_once(project):
    publish(project)
    ana = add_member(project)
    first = held(project, ana)
    submit(project, ana, first)
    second = held(project, ana)
    submit(project, ana, second)
    assert labelling.undo(project, ana, second.uuid).pk == second.pk
    assert labelling.undo(project, ana, second.uuid).pk == second.pk
    assert current(project) == {first.item_id: "other"}


def test_it_takes_back_nothing_of_somebody_else(project):
    publish(project)
    ana, ben = add_member(project), add_member(project)
    slot = held(project, ana)
    submit(project, ana, slot)
    with pytest.raises(NothingToUndo):
        labelling.undo(project, ben)
    with pytest.raises(SlotUnknown):
        labelling.undo(project, ben, slot.uuid)


def test_it_draws_every_answer_where_the_share_is_one(project):
    projects.update_settings(project, spot_check_share=1.0)
    publish(project, 1)
    ana = add_member(project)
    slot = held(project, ana)
    submit(project, ana, slot)
    check = Review.objects.get()
    assert (check.kind, check.state, check.drawn_share) == (Review.Kind.SPOT_CHECK, Review.State.PENDING, 1.0)
    labelling.undo(project, ana)
    check.refresh_from_db()
    assert check.state == Review.State.WITHDRAWN


def test_it_does_not_let_a_reviewed_answer_be_undone(project):
    projects.update_settings(project, spot_check_share=1.0)
    publish(project, 1)
    ana, rita = add_member(project), add_member(project, "reviewer")
    slot = held(project, ana)
    submit(project, ana, slot)
    reviews.decide(Review.objects.get(), rita, Review.Verdict.WRONG, value={"label": "card-lost"})
    with pytest.raises(NothingToUndo):
        labelling.undo(project, ana)
    with pytest.raises(SlotTaken, match="reviewer has decided"):
        submit(project, ana, slot)


def suggest(project, item, label="card-lost", confidence=0.8, key=""):
    prelabels.store(
        project,
        make_model_labeller(project, key),
        [(item.pk, {"label": label}, confidence, {label: confidence})],
    )


def test_it_shows_the_newest_suggestion_and_knows_when_it_was_accepted(project):
    items = publish(project, 2)
    for item in items:
        suggest(project, item, "other", 0.4)
        suggest(project, item, "card-lost", 0.8)
    ana = add_member(project)
    first, second = queue.lease(project, ana, count=2)
    shown = payloads(project, ana, [first])[0]
    assert shown.prelabel["value"] == {"label": "card-lost"}
    assert shown.prelabel["confidence"] == 0.8
    told = uuid.UUID(shown.prelabel["uuid"])
    kept = submit(project, ana, first, "card-lost", prelabel_uuid=told).annotation
    assert (kept.prelabel_mode, kept.accepted_prelabel) == (MODE.SHOWN, True)
    told = uuid.UUID(payloads(project, ana, [second])[0].prelabel["uuid"])
    changed = submit(project, ana, second, "other", prelabel_uuid=told).annotation
    assert (changed.prelabel_mode, changed.accepted_prelabel) == (MODE.SHOWN, False)


def test_it_does_not_claim_a_suggestion_was_seen_that_the_page_did_not_show(project):
    (item,) = publish(project, 1)
    ana = add_member(project)
    slot = held(project, ana)
    suggest(project, item, "other")
    annotation = submit(project, ana, slot, "other").annotation
    assert (annotation.prelabel_mode, annotation.accepted_prelabel) == (MODE.UNSEEN, False)


def test_it_never_shows_a_suggestion_on_an_evaluation_item(project):
    projects.update_settings(project, evaluation_items=1, evaluation_overlap_share=0.0)
    (test_item,) = make_items(project, 1, split="test")
    suggest(project, test_item)
    publish(project, 2)
    ana = add_member(project)
    slots = queue.lease(project, ana, count=3)
    shown = {p.slot: p for p in payloads(project, ana, slots)}
    slot = next(slot for slot in slots if slot.item_id == test_item.pk)
    assert shown[slot.uuid].prelabel is None
    told = Prelabel.objects.get().uuid
    annotation = submit(project, ana, slot, "card-lost", prelabel_uuid=told).annotation
    assert (annotation.prelabel_mode, annotation.accepted_prelabel) == (MODE.CLAIMED, False)


def test_what_was_seen_before_more_are_hidden_is_no_unaided_answer(project):
    (item,) = publish(project, 1)
    suggest(project, item)
    ana = add_member(project)
    slot = held(project, ana)
    told = uuid.UUID(payloads(project, ana, [slot])[0].prelabel["uuid"])
    projects.update_settings(project, prelabel_hidden_share=1.0)
    annotation = submit(project, ana, slot, "card-lost", prelabel_uuid=told).annotation
    assert (annotation.prelabel_mode, annotation.accepted_prelabel) == (MODE.CLAIMED, False)
    assert not Prelabel.objects.filter(looks.decided_unaided()).exists()


def test_a_client_cannot_claim_to_have_shown_what_the_draw_hid(project):
    """Who has the UUID from elsewhere must not move the figures of anchoring."""
    projects.update_settings(project, prelabel_hidden_share=1.0)
    (item,) = publish(project, 1)
    suggest(project, item)
    ana = add_member(project)
    slot = held(project, ana)
    assert payloads(project, ana, [slot])[0].prelabel is None
    annotation = submit(project, ana, slot, "card-lost", prelabel_uuid=Prelabel.objects.get().uuid).annotation
    assert (annotation.prelabel_mode, annotation.accepted_prelabel) == (MODE.CLAIMED, False)


@pytest.mark.parametrize("closed", ["project", "label"])
def test_a_client_cannot_claim_to_have_shown_what_is_closed_to_suggestions(project, closed):
    (item,) = publish(project, 1)
    suggest(project, item)
    if closed == "project":
        projects.update_settings(project, mode="manual")
    else:
        definition = copy.deepcopy(schemas.require(project).definition)
        definition["fields"][0]["labels"][1]["mode"] = "manual"
        publish_schema(project, definition)
    ana = add_member(project)
    slot = held(project, ana)
    annotation = submit(project, ana, slot, "card-lost", prelabel_uuid=Prelabel.objects.get().uuid).annotation
    assert (annotation.prelabel_mode, annotation.accepted_prelabel) == (MODE.CLAIMED, False)


def test_what_was_shown_before_a_newer_one_came_stays_shown(project):
    (item,) = publish(project, 1)
    suggest(project, item, "card-lost")
    ana = add_member(project)
    slot = held(project, ana)
    told = uuid.UUID(payloads(project, ana, [slot])[0].prelabel["uuid"])
    suggest(project, item, "other")
    annotation = submit(project, ana, slot, "card-lost", prelabel_uuid=told).annotation
    assert (annotation.prelabel_mode, annotation.accepted_prelabel) == (MODE.SHOWN, True)
    assert annotation.prelabel.uuid == told


def test_it_shows_no_suggestion_where_the_project_hides_them(project):
    (item,) = publish(project, 1)
    suggest(project, item)
    projects.update_settings(project, mode="manual")
    ana = add_member(project)
    slot = held(project, ana)
    assert payloads(project, ana, [slot])[0].prelabel is None


def test_it_stores_an_answer_in_a_fixed_number_of_queries(project):
    projects.update_settings(project, spot_check_share=0.0)
    publish(project, 30)
    ana = add_member(project)
    submit(project, ana, held(project, ana))
    counts = []
    for _turn in range(2):
        slot = held(project, ana)
        with CaptureQueriesContext(connection) as asked:
            submit(project, ana, slot)
        counts.append(len(asked))
        for _more in range(8):
            submit(project, ana, held(project, ana))
    assert counts == [14, 14]
