"""Reviewers: who may look at what, and what a verdict does."""

from __future__ import annotations

import datetime
import uuid

import pytest
from django.utils import timezone

from annotation.errors import LabelRefused, ReviewRefused
from annotation.models import Annotation, Resolution, Review
from annotation.services import batches, labelling, queue, reviews
from tests.factories import add_member, make_items, make_project

pytestmark = pytest.mark.django_db
VERDICT = Review.Verdict


@pytest.fixture
def project():
    return make_project(overlap_share=0.0, spot_check_share=1.0, evaluation_items=0)


@pytest.fixture
def checks(project):
    """Three answers "other" by one annotator, all drawn for a spot check."""
    items = make_items(project, 3, split="train")
    batches.publish(project, [batches.Pick(row=item.row) for item in items], origin="")
    ana = add_member(project)
    for slot in queue.lease(project, ana, count=3):
        labelling.submit(project, ana, slot.uuid, {"label": "other"}, client_key=uuid.uuid4().hex)
    return list(Review.objects.order_by("pk"))


def test_it_hands_a_check_to_one_reviewer_at_a_time(project, checks):
    rita, ron = add_member(project, "reviewer"), add_member(project, "reviewer")
    assert reviews.claim_next(project, rita) == checks[0]
    assert reviews.claim_next(project, rita) == checks[0]
    assert reviews.claim_next(project, ron) == checks[1]


def test_it_hands_on_a_check_that_was_left_lying(project, checks):
    rita, ron = add_member(project, "reviewer"), add_member(project, "reviewer")
    reviews.claim_next(project, rita)
    Review.objects.update(claimed_at=timezone.now() - datetime.timedelta(days=1))
    assert reviews.claim_next(project, ron) == checks[0]


def test_it_hands_nobody_their_own_answers(project, checks):
    ana = checks[0].annotation.labeller.user
    assert reviews.claim_next(project, ana) is None
    with pytest.raises(ReviewRefused, match="yourself"):
        reviews.decide(checks[0], ana, VERDICT.RIGHT)


def test_it_stores_that_an_answer_was_right(project, checks):
    rita = add_member(project, "reviewer")
    reviews.decide(checks[0], rita, VERDICT.RIGHT, note=" well done ")
    checks[0].refresh_from_db()
    assert (checks[0].verdict, checks[0].state, checks[0].note) == (
        VERDICT.RIGHT,
        Review.State.DONE,
        "well done",
    )
    assert Annotation.objects.count() == 3


def test_it_supersedes_a_wrong_answer(project, checks):
    rita = add_member(project, "reviewer")
    reviews.decide(checks[0], rita, VERDICT.WRONG, value={"label": "refund"})
    correction = Annotation.objects.get(slot__isnull=True)
    assert correction.supersedes == checks[0].annotation
    assert correction.labeller.user == rita
    resolution = Resolution.objects.get(item=checks[0].item, is_current=True)
    assert (resolution.value, resolution.method) == ({"label": "refund"}, "review")


def test_it_decides_once_however_often_it_is_asked(project, checks):
    rita = add_member(project, "reviewer")
    for _ in range(2):
        reviews.decide(checks[0], rita, VERDICT.WRONG, value={"label": "refund"}, client_key="k")
    assert Annotation.objects.filter(slot__isnull=True).count() == 1
    with pytest.raises(ReviewRefused, match="done already"):
        reviews.decide(checks[0], add_member(project, "reviewer"), VERDICT.RIGHT)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [(None, "Choose the label"), ({"label": "other"}, "label it has"), ({"label": "nonsense"}, "nonsense")],
)
def test_it_needs_another_valid_label_for_a_wrong_one(project, checks, value, sentence):
    with pytest.raises(LabelRefused, match=sentence):
        reviews.decide(checks[0], add_member(project, "reviewer"), VERDICT.WRONG, value=value)
    checks[0].refresh_from_db()
    assert checks[0].state == Review.State.PENDING


def test_it_refuses_a_verdict_it_does_not_know(project, checks):
    with pytest.raises(ReviewRefused, match="maybe"):
        reviews.decide(checks[0], add_member(project, "reviewer"), "maybe")


def test_it_withdraws_the_check_of_a_corrected_answer_and_draws_the_new_one(project, checks):
    slot = checks[0].annotation.slot
    labelling.submit(project, slot.person, slot.uuid, {"label": "refund"}, client_key="new")
    checks[0].refresh_from_db()
    assert checks[0].state == Review.State.WITHDRAWN
    assert Review.objects.filter(state=Review.State.PENDING).count() == 3
    with pytest.raises(ReviewRefused, match="withdrawn already"):
        reviews.decide(checks[0], add_member(project, "reviewer"), VERDICT.RIGHT)
