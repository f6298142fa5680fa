from __future__ import annotations

import datetime
import math
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotation.models import Annotation, Project, Review, Role
from annotation.selectors import agreement, disagreements
from annotation.services import batches, labelling, prelabels, projects, queue, reviews
from tests.factories import add_member, make_items, make_model_labeller, make_project, make_user

pytestmark = pytest.mark.django_db
NAMES = {"r": "refund", "c": "card-lost", "o": "other"}


@pytest.fixture
def project() -> Project:
    project = make_project(overlap_share=1.0, spot_check_share=0.0, evaluation_items=0)
    items = make_items(project, [f"text {i}" for i in range(8)], split="train")
    batches.publish(project, [batches.Pick(row=item.row) for item in items], origin="1")
    return project


def person(project: Project, name: str, role: str = Role.ANNOTATOR) -> Any:
    return add_member(project, role, make_user(name))


def label_all(project: Project, user: Any, letters: str, active_ms: int = 2000) -> list[Annotation]:
    """Give the items, in the order of their rows, the labels that the letters stand for; "." skips one."""
    slots = sorted(queue.lease(project, user, count=20), key=lambda slot: slot.item.row)
    return [
        labelling.submit(
            project, user, slot.uuid, {"label": NAMES[letter]}, client_key=f"k{slot.pk}", active_ms=active_ms
        ).annotation
        for slot, letter in zip(slots, letters, strict=False)
        if letter != "."
    ]


def test_it_is_empty_before_anybody_labels(project: Project) -> None:
    found = agreement.report(project)
    assert found.is_empty
    assert math.isnan(found.alpha.value)
    assert found.alpha.note
    assert found.people == []
    assert found.weeks == []


def test_it_measures_agreement_on_items_seen_twice(project: Project) -> None:
    label_all(project, person(project, "ana"), "rrrccccc")
    label_all(project, person(project, "ben"), "rrccccco")
    found = agreement.report(project)
    assert (found.looks, found.items, found.items_twice) == (16, 8, 8)
    assert found.percent.value == 0.75
    # observed 6/8; chance: r (3/8)(2/8) + c (5/8)(5/8) + o 0
    chance = (3 * 2 + 5 * 5) / 64
    [pair] = found.pairs
    assert pair.kappa.value == pytest.approx((0.75 - chance) / (1 - chance))
    assert found.raters == ["ana", "ben"]
    assert found.kappa()[0][1] == found.kappa()[1][0] == pytest.approx(pair.kappa.value)
    assert found.kappa()[0][0] is None
    # alpha: D_o = 4/16 ordered disagreeing pairs; D_e from counts r 5, c 10, o 1 of 16
    expected = (16 * 16 - 5 * 5 - 10 * 10 - 1) / (16 * 15)
    assert found.alpha.value == pytest.approx(1 - (4 / 16) / expected)
    assert found.alpha.low <= found.alpha.value <= found.alpha.high


def test_it_counts_what_people_take_for_one_another(project: Project) -> None:
    label_all(project, person(project, "ana"), "rrrccccc")
    label_all(project, person(project, "ben"), "rrccccco")
    found = agreement.report(project)
    assert [label["id"] for label in found.labels] == ["refund", "card-lost", "other"]
    assert found.between == [[4, 1, 0], [1, 8, 1], [0, 1, 0]]
    assert found.labels[found.by_label[0].label]["id"] == "other"  # all of its one pair disagree
    assert found.by_label[0].share == 1.0


def test_it_opens_a_cell_of_the_confusion(project: Project) -> None:
    label_all(project, person(project, "ana"), "rrrccccc")
    label_all(project, person(project, "ben"), "rrccccco")
    [one] = disagreements.disagreements(project, "card-lost", "refund")
    assert one.text == "text 2"
    assert one.given == [("ana", "refund"), ("ben", "card-lost")]
    assert disagreements.disagreements(project, "refund", "other") == []


def test_it_keeps_a_corrected_look_and_drops_one_that_was_taken_back(project: Project) -> None:
    projects.update_settings(project, spot_check_share=1.0)
    ana = person(project, "ana")
    made = label_all(project, ana, "rr")
    labelling.undo(project, ana)
    review = Review.objects.get(annotation=made[0], state=Review.State.PENDING)
    lead = person(project, "lead", Role.REVIEWER)
    reviews.decide(review, lead, "wrong", value={"label": "other"})
    found = agreement.report(project)
    assert (found.looks, found.items_twice) == (1, 0)
    assert found.spot_checks.value == 0.0
    assert found.spot_checks.n == 1


def test_it_counts_ones_own_correction_and_not_what_it_replaced(project: Project) -> None:
    ana = person(project, "ana")
    [first] = label_all(project, ana, "r")
    labelling.submit(project, ana, first.slot.uuid, {"label": "other"}, client_key="again")
    label_all(project, person(project, "ben"), "o")
    found = agreement.report(project)
    assert found.percent.value == 1.0
    assert found.percent.n == 1


def test_it_says_how_right_each_person_was_and_how_fast(project: Project) -> None:
    projects.update_settings(project, spot_check_share=1.0)
    ana, ben = person(project, "ana"), person(project, "ben")
    label_all(project, ana, "rrrrrrrr", active_ms=3000)
    label_all(project, ben, "c", active_ms=0)
    lead = person(project, "lead", Role.REVIEWER)
    for verdict in ("right", "right", "unsure", "wrong"):
        review = Review.objects.filter(state="pending", annotation__labeller__user=ana).first()
        assert review is not None
        reviews.decide(review, lead, verdict, value={"label": "other"} if verdict == "wrong" else None)
    one, other = agreement.report(project).people
    assert (one.name, one.labels, one.seconds.value, one.seconds.low) == ("ana", 8, 3.0, 3.0)
    assert (one.accuracy.value, one.accuracy.n) == (pytest.approx(2 / 3), 3)
    assert other.name == "ben"
    assert math.isnan(other.seconds.value)
    assert other.accuracy.n == 0


def test_it_measures_how_suggestions_are_taken(project: Project) -> None:
    projects.update_settings(project, spot_check_share=1.0)
    ana = person(project, "ana")
    slots = queue.lease(project, ana, count=4)
    model = make_model_labeller(project, "m1")
    prelabels.store(project, model, [(slot.item_id, {"label": "refund"}, 0.7, {}) for slot in slots])
    shown = {one.item_id: one.uuid for one in project.prelabels.all()}
    for slot, label in zip(slots, ("refund", "refund", "refund", "other"), strict=True):
        labelling.submit(
            project,
            ana,
            slot.uuid,
            {"label": label},
            client_key=str(slot.pk),
            prelabel_uuid=shown[slot.item_id],
        )
    lead = person(project, "lead", Role.REVIEWER)
    for review in Review.objects.filter(kind="spot_check").order_by("pk"):
        reviews.decide(review, lead, "right")
    found = agreement.report(project)
    assert (found.acceptance.value, found.acceptance.n) == (0.75, 4)
    assert [(one.name, one.checked) for one in found.sources] == [("", 1), (model.name, 3)]


def test_it_says_what_share_waits_for_a_decision(project: Project) -> None:
    label_all(project, person(project, "ana"), "rrrr")
    label_all(project, person(project, "ben"), "rrrc")
    found = agreement.report(project)
    assert (found.unresolved.value, found.unresolved.n) == (0.25, 4)


def test_it_follows_agreement_week_by_week_in_the_projects_own_time(project: Project) -> None:
    projects.update_settings(project, time_zone="Pacific/Auckland")
    label_all(project, person(project, "ana"), "rrccrrcc")
    label_all(project, person(project, "ben"), "rrccrccr")
    sunday_noon_utc = datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.UTC)  # Monday 01:00 in Auckland
    Annotation.objects.update(created_at=sunday_noon_utc)
    [week] = agreement.report(project).weeks
    assert week.start == datetime.date(2026, 3, 2)
    assert week.alpha.n == 8


def test_it_leaves_other_projects_out_and_asks_few_questions(project: Project) -> None:
    label_all(project, person(project, "ana"), "rr")
    assert agreement.report(make_project()).is_empty
    with CaptureQueriesContext(connection) as asked:
        agreement.report(project)
    assert len(asked) <= 8


def test_answers_without_categories_agree_by_distance(project: Project) -> None:
    from annotation.services import schemas

    labels = [{"id": "p", "name": "Person"}]
    schemas.publish(project, {"fields": [{"name": "spans", "type": "spans", "labels": labels}]})
    people = [person(project, name) for name in ("ana", "ben")]
    for who in people:
        for at, slot in enumerate(queue.lease(project, who, count=4)):
            end = 4 if who == people[0] or at else 2  # they differ on the first item only
            value = {"spans": {"spans": [{"start": 0, "end": end, "label": "p"}]}}
            labelling.submit(project, who, slot.uuid, value, client_key=f"{at}")
    found = agreement.report(project)
    assert not found.is_categorical
    assert found.items_twice == 4
    assert found.percent.value == pytest.approx(1 - (1 / 3) / 4)  # Dice of two and four characters: 2/3
    assert found.closeness[0][1] == pytest.approx(found.percent.value)
    assert found.alpha.value < 1.0


def test_the_field_of_the_report_can_be_chosen(project: Project) -> None:
    from annotation.services import schemas
    from annotation.task_types.registry import InvalidDefinition

    current = project.schemas.get().definition["fields"]
    tone = {
        "name": "tone",
        "type": "classification",
        "labels": [{"id": "x", "name": "X"}, {"id": "y", "name": "Y"}],
    }
    schemas.publish(project, {"fields": [*current, tone]})
    assert agreement.report(project).field == "label"
    assert [label["id"] for label in agreement.report(project, "tone").labels] == ["x", "y"]
    with pytest.raises(InvalidDefinition, match="no field 'mood'"):
        agreement.report(project, "mood")
