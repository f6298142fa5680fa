"""The quick pass: yes is an answer as any other, no sends the item back to the queue, both can be taken back."""

from __future__ import annotations

import copy
import uuid
from typing import Any

import pytest

from accounts.models import User
from annotation.errors import NothingToUndo, PrelabelRefused, SlotTaken, SlotUnknown
from annotation.models import Annotation, Item, Prelabel, Project, Rejection, Resolution, Slot
from annotation.selectors import bulk_acceptance, schemas
from annotation.selectors.suggestion_checks import cards, marks
from annotation.services import batches, prelabels, projects, queue, suggestion_checks
from annotation.services.schemas import publish
from tests.factories import add_member, make_items, make_model_labeller, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    settings: dict[str, Any] = {"overlap_share": 0.0, "spot_check_share": 0.0, "evaluation_items": 0}
    return make_project(**settings, self_consistency_share=0.0)


@pytest.fixture
def items(project: Project) -> list[Item]:
    """Six published items, the first and the fourth of them without a suggestion."""
    made = make_items(project, 6, split="train")
    suggest(project, [made[i] for i in (1, 2, 4, 5)])
    batches.publish(project, [batches.Pick(row=item.row) for item in made], origin="test")
    return made


def suggest(project: Project, items: list[Item], label: str = "refund") -> None:
    rows = [(item.pk, {"label": label}, 0.8, {}) for item in items]
    prelabels.store(project, make_model_labeller(project), rows)


def prelabel_of(slot: Slot) -> uuid.UUID:
    return Prelabel.objects.get(item=slot.item_id).uuid


def yes(project: Project, user: User, slot: Slot, key: str = "") -> Annotation:
    stored = suggestion_checks.accept(
        project, user, slot.uuid, prelabel_of(slot), client_key=key or uuid.uuid4().hex, active_ms=900
    )
    return stored.annotation


def no(project: Project, user: User, slot: Slot) -> Rejection:
    return suggestion_checks.reject(project, user, slot.uuid, prelabel_of(slot))


def test_it_leases_what_has_a_suggestion_and_leaves_the_rest(project: Project, items: list[Item]) -> None:
    ana = add_member(project)
    held = suggestion_checks.lease(project, ana, count=3)
    assert [slot.item_id for slot in held] == [items[i].pk for i in (1, 2, 4)]
    assert {slot.state for slot in held} == {"leased"}
    assert [slot.pk for slot in suggestion_checks.lease(project, ana, count=3)] == [slot.pk for slot in held]
    # the others wait for everybody, the same person among them
    ben = add_member(project)
    assert {slot.item_id for slot in queue.lease(project, ben, count=3)} == {items[i].pk for i in (0, 3, 5)}
    assert suggestion_checks.lease(project, add_member(project)) == []


def test_nobody_says_yes_or_no_to_what_the_draw_hid(project: Project, items: list[Item]) -> None:
    ana = add_member(project)
    (slot,) = suggestion_checks.lease(project, ana, count=1)
    projects.update_settings(project, prelabel_hidden_share=1.0)
    for say in (yes, no):
        with pytest.raises(PrelabelRefused, match="load the page again"):
            say(project, ana, slot)
    assert not Annotation.objects.exists() and not Rejection.objects.exists()


def test_yes_is_an_answer_that_was_shown_and_taken_unchanged(project: Project, items: list[Item]) -> None:
    ana = add_member(project)
    [slot] = suggestion_checks.lease(project, ana, count=1)
    answer = yes(project, ana, slot, "key")
    assert (answer.value, answer.prelabel_mode, answer.accepted_prelabel) == (
        {"label": "refund"},
        "shown",
        True,
    )
    assert answer.active_ms == 900
    assert Resolution.objects.get(item=slot.item, is_current=True).method == "single"
    assert yes(project, ana, slot, "key") == answer
    assert Annotation.objects.count() == 1


def test_no_sends_the_item_to_the_queue_and_nobody_is_asked_again(
    project: Project, items: list[Item]
) -> None:
    ana, ben = add_member(project), add_member(project)
    [slot] = suggestion_checks.lease(project, ana, count=1)
    rejection = no(project, ana, slot)
    assert no(project, ana, slot) == rejection
    slot.refresh_from_db()
    assert (slot.state, slot.person) == ("free", None)
    assert not Annotation.objects.exists()
    asked = suggestion_checks.lease(project, ana, count=9) + suggestion_checks.lease(project, ben, count=9)
    assert slot.item_id not in {one.item_id for one in asked}
    assert slot.item_id in {one.item_id for one in queue.lease(project, ben, count=9)}


def test_what_was_called_wrong_is_not_accepted_in_bulk(project: Project, items: list[Item]) -> None:
    projects.update_settings(project, mode="hybrid")
    ana = add_member(project)
    [slot] = suggestion_checks.lease(project, ana, count=1)
    labeller = Prelabel.objects.get(item=slot.item_id).labeller
    queue.release(project, ana, [slot.uuid])
    assert bulk_acceptance.open_suggestions(project, labeller, 0.0).count() == 4
    [slot] = suggestion_checks.lease(project, ana, count=1)
    no(project, ana, slot)
    assert bulk_acceptance.open_suggestions(project, labeller, 0.0).count() == 3


def test_undo_takes_back_the_last_word_whichever_it_was(project: Project, items: list[Item]) -> None:
    ana = add_member(project)
    first, second = suggestion_checks.lease(project, ana, count=2)
    yes(project, ana, first)
    no(project, ana, second)
    back = suggestion_checks.undo(project, ana)
    assert (back.pk, back.state, back.person) == (second.pk, "leased", ana)
    assert Rejection.objects.get().is_taken_back
    back = suggestion_checks.undo(project, ana)
    assert (back.pk, back.state) == (first.pk, "leased")
    assert not Resolution.objects.filter(is_current=True).exists()
    with pytest.raises(NothingToUndo):
        suggestion_checks.undo(project, ana)
    assert {slot.pk for slot in suggestion_checks.lease(project, ana, count=2)} == {first.pk, second.pk}
    no(project, ana, second)
    assert Rejection.objects.filter(is_taken_back=False).count() == 1


def test_a_rejected_item_that_somebody_took_is_not_taken_from_them(
    project: Project, items: list[Item]
) -> None:
    ana, ben = add_member(project), add_member(project)
    [slot] = suggestion_checks.lease(project, ana, count=1)
    no(project, ana, slot)
    queue.lease(project, ben, count=9)
    with pytest.raises(SlotTaken):
        suggestion_checks.undo(project, ana, slot.uuid)
    assert not Rejection.objects.get().is_taken_back


def test_hidden_strict_and_partial_suggestions_are_not_asked_about(
    project: Project, items: list[Item]
) -> None:
    ana = add_member(project)
    projects.update_settings(project, prelabel_hidden_share=1.0)
    assert suggestion_checks.lease(project, ana) == []
    projects.update_settings(project, prelabel_hidden_share=0.0, mode="manual")
    assert suggestion_checks.lease(project, ana) == []
    projects.update_settings(project, mode="assisted")
    definition = copy.deepcopy(schemas.require(project).definition)
    definition["fields"].append({**definition["fields"][0], "name": "second"})
    publish(project, definition)
    assert suggestion_checks.lease(project, ana) == []


def test_hidden_slots_in_front_do_not_hide_the_ones_behind(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suggestion_checks, "LOOKED_AT", 4)
    made = make_items(project, 40, split="train")
    suggest(project, made)
    batches.publish(project, [batches.Pick(row=item.row) for item in made], origin="test")
    projects.update_settings(project, prelabel_hidden_share=0.7)
    ana, found = add_member(project), set()
    while slots := suggestion_checks.lease(project, ana, count=2):
        for slot in slots:
            found.add(slot.item_id)
            yes(project, ana, slot)
    assert 3 <= len(found) <= 25
    left = Slot.objects.filter(state="free").count()
    assert left + len(found) == 40


def test_evaluation_items_are_never_asked_about(project: Project) -> None:
    projects.update_settings(project, evaluation_items=3)
    judged = make_items(project, 3, split="test")
    suggest(project, judged)
    train = make_items(project, 2, split="train")
    batches.publish(project, [batches.Pick(row=item.row) for item in train], origin="test")
    ana = add_member(project)
    slots = queue.lease(project, ana, count=9)
    assert Slot.objects.filter(purpose="evaluation").exists()
    assert suggestion_checks.lease(project, ana) == []
    slot = next(slot for slot in slots if slot.purpose == "evaluation")
    with pytest.raises(PrelabelRefused):
        yes(project, ana, slot)


def test_a_suggestion_of_another_item_is_refused(project: Project, items: list[Item]) -> None:
    ana = add_member(project)
    first, second = suggestion_checks.lease(project, ana, count=2)
    with pytest.raises(PrelabelRefused):
        suggestion_checks.reject(project, ana, first.uuid, prelabel_of(second))
    with pytest.raises(SlotUnknown):
        suggestion_checks.reject(project, ana, uuid.uuid4(), prelabel_of(second))
    with pytest.raises(SlotTaken):
        no(project, add_member(project), first)


def test_it_paints_spans_where_they_overlap_and_quotes_them_in_words() -> None:
    labels = [{"id": "person", "name": "Person"}, {"id": "place", "name": "Place", "colour": "blue"}]
    schema = [{"name": "who", "type": "spans", "labels": labels, "nested": True}]
    project = make_project(labels=(), definition={"fields": schema}, overlap_share=0.0, evaluation_items=0)
    text = "👩🏽 Ana of Köln"
    [item] = make_items(project, [text], split="train")
    spans = [{"start": 3, "end": 6, "label": "person"}, {"start": 10, "end": 14, "label": "place"}]
    value = {"who": {"spans": [*spans, {"start": 3, "end": 14, "label": "person"}]}}
    prelabels.store(project, make_model_labeller(project), [(item.pk, value, 0.5, {})])
    batches.publish(project, [batches.Pick(row=item.row)], origin="test")
    ana = add_member(project)
    slots = suggestion_checks.lease(project, ana)
    [card] = cards(project, ana, slots, schemas.require(project))
    assert "".join(piece["text"] for piece in card["marks"]) == text
    assert [(piece["text"], piece["label"]) for piece in card["marks"] if piece["label"]] == [
        ("Ana", "Person · Person"),
        (" of ", "Person"),
        ("Köln", "Person · Place"),
    ]
    assert "“Köln” Place" in card["said"]
    assert marks({"fields": schema}, {}, text) is None
