"""Anchoring of a project: answers with the suggestion shown against those with it hidden."""

from __future__ import annotations

import uuid

import pytest

from annotation.models import Annotation, Project
from annotation.selectors import anchoring
from annotation.selectors.queue import payloads
from annotation.services import batches, labelling, prelabels, projects, queue
from tests.factories import add_member, make_items, make_model_labeller, make_project, make_user

pytestmark = pytest.mark.django_db
MODE = Annotation.PrelabelMode


def make(hidden: float, count: int) -> Project:
    project = make_project(
        overlap_share=0.0,
        spot_check_share=0.0,
        evaluation_items=0,
        prelabel_hidden_share=hidden,
        likely_first=True,
    )
    items = make_items(project, count, split="train")
    model = make_model_labeller(project)
    prelabels.store(project, model, [(item.pk, {"label": "refund"}, 0.7, {"refund": 0.7}) for item in items])
    batches.publish(project, [batches.Pick(row=item.row) for item in items], origin="test")
    return project


def answer(project: Project, name: str, labels: list[str]) -> list[str]:
    """`name` labels the next items; how the suggestion was shown to them."""
    user = add_member(project, user=make_user(name))
    modes = []
    for slot, label in zip(queue.lease(project, user, count=len(labels)), labels, strict=True):
        [shown] = payloads(project, user, [slot])
        told = uuid.UUID(shown.prelabel["uuid"]) if shown.prelabel else None
        stored = labelling.submit(
            project,
            user,
            slot.uuid,
            {"label": label},
            client_key=uuid.uuid4().hex,
            prelabel_uuid=told,
            active_ms=2000,
        ).annotation
        assert stored.prelabel is not None
        modes.append(stored.prelabel_mode)
    return modes


def test_a_hidden_suggestion_leaks_nowhere_and_stays_recorded() -> None:
    project = make(1.0, 1)
    user = add_member(project)
    [slot] = queue.lease(project, user, count=1)
    [shown] = payloads(project, user, [slot])
    sent = shown.to_json()
    assert (sent["prelabel"], sent["prelabel_mode"], sent["drafts"], sent["scores"]) == (None, "none", {}, {})
    stored = labelling.submit(project, user, slot.uuid, {"label": "refund"}, client_key="k").annotation
    assert (stored.prelabel_mode, stored.accepted_prelabel) == (MODE.HIDDEN, False)
    assert stored.prelabel == project.prelabels.get()


def test_it_compares_the_two_and_counts_by_person() -> None:
    project = make(0.0, 6)
    assert answer(project, "ana", ["refund", "refund", "other"]) == [MODE.SHOWN] * 3
    projects.update_settings(project, prelabel_hidden_share=1.0)
    assert answer(project, "bo", ["refund", "other", "card-lost"]) == [MODE.HIDDEN] * 3
    found = anchoring.report(project)
    assert not found.is_empty
    assert found.overall.shown.value == pytest.approx(2 / 3)
    assert found.overall.hidden.value == pytest.approx(1 / 3)
    assert found.overall.difference.value == pytest.approx(1 / 3)
    assert [(row.key, row.shown.n, row.hidden.n) for row in found.by_person] == [("ana", 3, 0), ("bo", 0, 3)]
    assert [(row.key, row.difference.n) for row in found.by_label] == [("refund", 6)]
    assert (found.seconds_shown.value, found.seconds_hidden.n) == (2.0, 3)


def test_what_came_too_late_or_is_never_shown_is_no_part_of_it() -> None:
    project = make(0.0, 2)
    projects.update_settings(project, mode="manual")
    assert answer(project, "ana", ["refund", "other"]) == [MODE.UNSEEN] * 2
    assert anchoring.report(project).is_empty


def test_it_asks_few_questions(django_assert_max_num_queries) -> None:
    project = make(0.5, 8)
    answer(project, "ana", ["refund"] * 8)
    with django_assert_max_num_queries(3):
        anchoring.report(project)
