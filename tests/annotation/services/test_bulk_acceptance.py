"""Accepting suggestions in bulk: from a proven confidence on, never silently, and taken back as a whole."""

from __future__ import annotations

import copy
import uuid
from typing import Any

import pytest

from accounts.models import AuditEntry, User
from annotation.errors import BulkRefused, ProjectArchived, ReviewRefused
from annotation.models import (
    Annotation,
    BulkAcceptance,
    Item,
    Labeller,
    Project,
    Resolution,
    Review,
    Role,
    Slot,
)
from annotation.selectors import bulk_acceptance as reads
from annotation.selectors import schemas
from annotation.services import (
    batches,
    bulk_acceptance,
    discussions,
    labellers,
    labelling,
    prelabels,
    projects,
    queue,
    reviews,
)
from annotation.services.schemas import publish
from jobs.models import Job, State
from jobs.services import jobs
from tests.factories import add_member, make_items, make_model_labeller, make_project

pytestmark = pytest.mark.django_db
RESOLVED = 90  # with all of them right, 0.959 is proven


class Scene:
    """A hybrid project: `RESOLVED` items labelled by people who saw no suggestion, and open ones in the
    queue.
    """

    def __init__(self, opened: int = 30, *, right: int = RESOLVED, **settings: Any) -> None:
        given = {"overlap_share": 0.0, "spot_check_share": 0.0, "evaluation_items": 0, "mode": "hybrid"}
        given["self_consistency_share"] = 0.0
        self.project: Project = make_project(**{**given, "prelabel_hidden_share": 1.0, **settings})
        self.model: Labeller = make_model_labeller(self.project)
        self.ana = add_member(self.project)
        self.rita = add_member(self.project, Role.REVIEWER)
        done = make_items(self.project, RESOLVED, split="train")
        self.suggest(done, 0.9)
        self.publish(done)
        for number, slot in enumerate(queue.lease(self.project, self.ana, count=RESOLVED)):
            self.answer(self.ana, slot, "refund" if number < right else "other")
        self.open = make_items(self.project, opened, split="train")
        self.suggest(self.open, 0.95)
        self.publish(self.open)

    def suggest(
        self, items: list[Item], confidence: float, label: str = "refund", by: Labeller | None = None
    ) -> None:
        rows = [(item.pk, {"label": label}, confidence, {}) for item in items]
        prelabels.store(self.project, by or self.model, rows)

    def publish(self, items: list[Item]) -> None:
        picks = [batches.Pick(row=item.row) for item in items]
        batches.publish(self.project, picks, origin=uuid.uuid4().hex)

    def answer(self, user: User, slot: Slot, label: str) -> Annotation:
        value = {"label": label}
        return labelling.submit(self.project, user, slot.uuid, value, client_key=uuid.uuid4().hex).annotation

    def accept(self, threshold: float = 0.9) -> BulkAcceptance:
        acceptance = bulk_acceptance.accept(self.project, self.rita, self.model, threshold)
        jobs.drain()
        acceptance.refresh_from_db()
        return acceptance

    def undo(self, acceptance: BulkAcceptance) -> BulkAcceptance:
        bulk_acceptance.undo(acceptance, self.rita)
        jobs.drain()
        acceptance.refresh_from_db()
        return acceptance

    def method_of(self, item: Item) -> str:
        found = Resolution.objects.filter(item=item, is_current=True).first()
        return found.method if found else ""


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_it_accepts_all_open_suggestions_above_the_threshold_and_says_so_everywhere(scene: Scene) -> None:
    outlook = reads.outlook(scene.project, scene.model)
    assert (outlook.threshold, outlook.above, outlook.calibration.n) == (0.9, 30, RESOLVED)
    acceptance = scene.accept()
    assert (acceptance.state, acceptance.expected, acceptance.created_by) == ("done", 30, scene.rita)
    answers = Annotation.objects.filter(bulk_acceptance=acceptance)
    assert answers.count() == 30
    assert {(one.labeller_id, one.slot_id) for one in answers} == {(scene.model.pk, None)}
    current = Resolution.objects.filter(item__in=scene.open, is_current=True)
    assert {(one.method, one.value["label"], one.decided_by_id) for one in current} == {
        ("bulk", "refund", scene.model.pk)
    }
    assert set(Slot.objects.filter(item__in=scene.open).values_list("state", flat=True)) == {"withdrawn"}
    assert queue.lease(scene.project, scene.ana) == []
    verbs = AuditEntry.objects.filter(verb__startswith="bulk.").values_list("verb", flat=True)
    assert sorted(verbs) == ["bulk.accepted", "bulk.finished"]
    assert acceptance.estimate["n"] == RESOLVED


def test_a_share_of_it_goes_to_another_reviewer(scene: Scene) -> None:
    projects.update_settings(scene.project, bulk_check_share=0.1)
    scene.accept()
    checks = Review.objects.filter(kind="spot_check", state="pending")
    assert checks.exists()
    assert set(checks.values_list("drawn_share", flat=True)) <= {0.1, 1.0}
    # alone, whoever accepted checks too; with another reviewer, that one does
    assert reviews.claim_next(scene.project, scene.rita) is not None
    Review.objects.update(reviewer=None, claimed_at=None)
    otto = add_member(scene.project, Role.REVIEWER)
    assert reviews.claim_next(scene.project, scene.rita) is None
    claimed = reviews.claim_next(scene.project, otto)
    assert claimed is not None
    with pytest.raises(ReviewRefused, match="accepted this suggestion in bulk yourself"):
        reviews.decide(claimed, scene.rita, "right")
    reviews.decide(claimed, otto, "wrong", value={"label": "other"})
    assert scene.method_of(claimed.item) == "review"


def test_chance_never_leaves_an_acceptance_without_any_check() -> None:
    for _turn in range(3):
        scene = Scene(opened=1, bulk_check_share=0.05)
        acceptance = scene.accept()
        assert Review.objects.filter(annotation__bulk_acceptance=acceptance).count() == 1


def test_it_draws_about_the_share_of_many() -> None:
    acceptance = Scene(opened=700, bulk_check_share=0.1).accept()
    found = reads.outcome(acceptance)
    assert (found.accepted, found.standing) == (700, 700)
    assert 40 <= found.drawn <= 105  # 70 +- 4 standard deviations
    assert found.pending == found.drawn


def test_what_people_have_touched_is_left_alone(scene: Scene) -> None:
    held, skipped, talked, by_hand, control, free = scene.open[:6]
    ben = add_member(scene.project)
    slots = {slot.item_id: slot for slot in queue.lease(scene.project, ben, count=30)}
    queue.skip(scene.project, ben, slots[skipped.pk].uuid, "I cannot tell")
    queue.release(
        scene.project, ben, [slot.uuid for pk, slot in slots.items() if pk not in (held.pk, skipped.pk)]
    )
    discussions.start(scene.project, scene.ana, talked, "What is this?", client_key="k")
    Slot.objects.filter(item=by_hand).update(is_by_hand=True)
    Slot.objects.filter(item=control).update(purpose="control")
    scene.accept()
    assert [scene.method_of(item) for item in (held, skipped, talked, by_hand, control)] == [""] * 5
    assert scene.method_of(free) == "bulk"
    assert Resolution.objects.filter(method="bulk", is_current=True).count() == 25


def test_evaluation_items_and_strict_labels_are_never_accepted(scene: Scene) -> None:
    judged = make_items(scene.project, 2, split="test") + make_items(scene.project, 2, split="validation")
    scene.suggest(judged, 0.99)
    strict = make_items(scene.project, 1, split="train")
    scene.suggest(strict, 0.99, "card-lost")
    definition = copy.deepcopy(schemas.require(scene.project).definition)
    definition["fields"][0]["labels"][1]["mode"] = "manual"
    publish(scene.project, definition)
    scene.accept()
    assert [scene.method_of(item) for item in [*judged, *strict]] == [""] * 5


def test_the_suggestion_that_people_would_see_counts(scene: Scene) -> None:
    newer = make_model_labeller(scene.project)
    scene.suggest(scene.open[:4], 0.5, "other", by=newer)
    assert reads.outlook(scene.project, scene.model).above == 26


def test_suggestions_that_come_later_wait_for_the_next_acceptance(scene: Scene) -> None:
    acceptance = bulk_acceptance.accept(scene.project, scene.rita, scene.model, 0.9)
    late = make_items(scene.project, 2, split="train")
    scene.suggest(late, 0.99)
    jobs.drain()
    assert reads.outcome(acceptance).accepted == 30
    assert [scene.method_of(item) for item in late] == ["", ""]


def test_a_stricter_threshold_may_be_asked_for_and_no_laxer_one(scene: Scene) -> None:
    scene.suggest(make_items(scene.project, 5, split="train"), 0.99)
    assert reads.outlook(scene.project, scene.model, 0.98).above == 5
    with pytest.raises(BulkRefused, match="proven threshold is 0.900"):
        bulk_acceptance.accept(scene.project, scene.rita, scene.model, 0.5)
    assert reads.outcome(scene.accept(0.98)).accepted == 5


def test_it_says_what_is_lacking() -> None:
    scene = Scene(right=60)
    with pytest.raises(BulkRefused, match="No confidence is proven sure enough"):
        scene.accept()
    projects.update_settings(scene.project, bulk_target_accuracy=0.5)
    scene.accept()
    with pytest.raises(BulkRefused, match="nothing to accept"):
        scene.accept()
    projects.update_settings(scene.project, mode="assisted")
    with pytest.raises(BulkRefused, match="not hybrid"):
        scene.accept()
    projects.archive(scene.project)
    with pytest.raises(ProjectArchived):
        scene.accept()


def test_two_acceptances_do_not_run_at_once(scene: Scene) -> None:
    bulk_acceptance.accept(scene.project, scene.rita, scene.model, 0.9)
    with pytest.raises(BulkRefused, match="Another bulk acceptance is running"):
        bulk_acceptance.accept(scene.project, scene.rita, scene.model, 0.9)


def test_answers_that_saw_the_suggestion_are_no_evidence_unless_checked() -> None:
    scene = Scene(opened=0, prelabel_hidden_share=1.0)
    definition = schemas.require(scene.project).definition
    assert len(reads.evidence(scene.project, scene.model, definition)) == RESOLVED
    Annotation.objects.update(prelabel_mode="shown", accepted_prelabel=True)
    assert reads.evidence(scene.project, scene.model, definition) == []
    for answer in Annotation.objects.order_by("pk")[:2]:
        reviews.draw(scene.project, answer, 1.0)
    first, second = Review.objects.order_by("pk")
    reviews.decide(first, scene.rita, "right")
    reviews.decide(second, scene.rita, "wrong", value={"label": "other"})
    found = reads.evidence(scene.project, scene.model, definition)
    assert sorted((pair.confidence, pair.right) for pair in found) == [(0.9, False), (0.9, True)]


def test_a_persons_look_and_a_review_beat_it_and_it_beats_an_import(scene: Scene) -> None:
    from tests.factories import make_labels

    scene.accept()
    item = scene.open[0]
    make_labels(scene.project, [item], ["Other"])
    assert scene.method_of(item) == "bulk"
    scene.publish([item])
    [slot] = queue.lease(scene.project, scene.ana, count=1)
    scene.answer(scene.ana, slot, "card-lost")
    assert scene.method_of(item) == "single"


def test_undo_takes_back_what_nobody_decided_and_brings_the_items_back(scene: Scene) -> None:
    acceptance = scene.accept()
    kept, corrected = Annotation.objects.filter(bulk_acceptance=acceptance).order_by("pk")[:2]
    Review.objects.all().delete()
    for answer, verdict, value in ((kept, "right", None), (corrected, "wrong", {"label": "other"})):
        review = reviews.draw(scene.project, answer, 1.0)
        assert review is not None
        reviews.decide(review, scene.rita, verdict, value=value)
    scene.undo(acceptance)
    assert (acceptance.state, acceptance.undone_by) == ("undone", scene.rita)
    assert [scene.method_of(item) for item in (kept.item, corrected.item)] == ["bulk", "review"]
    others = [item for item in scene.open if item.pk not in (kept.item_id, corrected.item_id)]
    assert {scene.method_of(item) for item in others} == {""}
    back = queue.lease(scene.project, scene.ana, count=100)
    assert {slot.item_id for slot in back} == {item.pk for item in others}
    assert Annotation.objects.filter(is_retraction=True, bulk_acceptance=acceptance).count() == 28
    assert not Review.objects.filter(state="pending").exists()
    with pytest.raises(BulkRefused, match="undone already"):
        bulk_acceptance.undo(acceptance, scene.rita)
    assert reads.outlook(scene.project, scene.model).above == 0  # they are held by ana
    assert AuditEntry.objects.filter(verb="bulk.undone", actor=scene.rita).exists()


def test_what_was_undone_may_be_accepted_again(scene: Scene) -> None:
    scene.undo(scene.accept())
    again = scene.accept()
    assert reads.outcome(again).accepted == 30


def test_a_job_that_is_run_twice_accepts_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_acceptance, "BLOCK", 7)
    acceptance = bulk_acceptance.accept(scene.project, scene.rita, scene.model, 0.9)
    # an attempt that was killed after its first block
    bulk_acceptance._accept_block(acceptance, 0)
    assert Annotation.objects.filter(bulk_acceptance=acceptance).count() == 7
    jobs.drain()
    found = reads.outcome(acceptance)
    assert (found.accepted, found.standing) == (30, 30)
    assert Resolution.objects.filter(method="bulk", is_current=True).count() == 30


def test_a_cancelled_job_leaves_an_acceptance_that_can_be_undone(scene: Scene) -> None:
    acceptance = bulk_acceptance.accept(scene.project, scene.rita, scene.model, 0.9)
    bulk_acceptance._accept_block(acceptance, 0)
    Job.objects.update(state=State.CANCELLED)
    assert bulk_acceptance.settle_all() == 1
    acceptance.refresh_from_db()
    assert acceptance.state == "done"
    assert Review.objects.filter(annotation__bulk_acceptance=acceptance).exists()
    scene.undo(acceptance)
    assert reads.outcome(acceptance).standing == 0


def test_a_rules_suggestion_gives_way_to_a_models(scene: Scene) -> None:
    rule = labellers.rule(scene.project, "r", "Rule")
    scene.suggest(scene.open, 0.95, by=rule)
    assert not reads.open_suggestions(scene.project, rule, 0.0).exists()
    alone = make_items(scene.project, 2, split="train")
    scene.suggest(alone, 0.95, by=rule)
    assert reads.open_suggestions(scene.project, rule, 0.0).count() == 2
