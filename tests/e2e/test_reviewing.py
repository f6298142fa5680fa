"""Reviewing in a real browser: spot checks with the keys of the labelling page."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from playwright.sync_api import expect

from annotation.models import Annotation, Project, Review, Role
from annotation.services import batches, labelling, queue
from tests import factories

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
UNREAD = 300  # ms; a press sooner than that after a page has come is turned away


@pytest.fixture
def project() -> Project:
    """Three items labelled "Refund" by one person, all of them drawn for a spot check."""
    made = factories.make_project(overlap_share=0, evaluation_items=0, spot_check_share=1)
    items = factories.make_items(made, 3, split="train")
    batches.publish(made, [batches.Pick(row=item.row) for item in items], origin="test", title="First")
    person = factories.add_member(made)
    for slot in queue.lease(made, person, count=3):
        labelling.submit(made, person, slot.uuid, {"label": "refund"}, client_key=uuid.uuid4().hex)
    return made


def verdicts() -> list[str]:
    done = Review.objects.filter(state=Review.State.DONE).order_by("decided_at")
    return [one.verdict for one in done]


def test_enter_says_right_and_a_key_corrects(open_page: Any, project: Project) -> None:
    page = open_page(factories.add_member(project, Role.REVIEWER), f"/p/{project.slug}/review")
    expect(page.get_by_text("Labelled as")).to_be_visible()
    page.wait_for_timeout(UNREAD)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.wait_for_timeout(UNREAD)
    with page.expect_navigation():
        page.keyboard.press("2")
    page.wait_for_timeout(UNREAD)
    with page.expect_navigation():
        page.keyboard.press("s")
    expect(page.get_by_role("heading", name="Nothing to review")).to_be_visible()
    assert verdicts() == ["right", "wrong", "unsure"]
    corrected = Annotation.objects.get(supersedes__isnull=False)
    assert corrected.value == {"label": "card-lost"}


def test_pressing_the_given_label_says_right(open_page: Any, project: Project) -> None:
    page = open_page(factories.add_member(project, Role.REVIEWER), f"/p/{project.slug}/review")
    page.wait_for_timeout(UNREAD)
    with page.expect_navigation():
        page.keyboard.press("1")
    assert verdicts() == ["right"]


def test_a_correction_is_saved_by_plus_where_a_label_has_the_key_c(open_page: Any) -> None:
    labels = [{"id": f"l{n}", "name": f"Label {n}"} for n in range(1, 13)]
    field = {"name": "all", "type": "multilabel", "labels": labels}
    made = factories.make_project(
        labels=(), definition={"fields": [field]}, spot_check_share=1, overlap_share=0
    )
    batches.publish(made, [batches.Pick(row=factories.make_item(made).row)], origin="test", title="First")
    person = factories.add_member(made)
    [slot] = queue.lease(made, person, count=1)
    labelling.submit(made, person, slot.uuid, {"all": ["l1"]}, client_key=uuid.uuid4().hex)
    page = open_page(factories.add_member(made, Role.REVIEWER), f"/p/{made.slug}/review")
    page.wait_for_timeout(UNREAD)
    page.keyboard.press("c")
    expect(page.get_by_role("checkbox", name="Label 12")).to_be_checked()
    assert verdicts() == []
    with page.expect_navigation():
        page.keyboard.press("+")
    assert verdicts() == ["wrong"]
    assert Annotation.objects.order_by("-pk")[0].value == {"all": ["l1", "l12"]}
