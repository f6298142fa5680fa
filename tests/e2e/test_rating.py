"""Ratings, and schemas that ask several things, in a real browser: keys, arrows, touch, what is missing."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from annotation.models import Annotation, Project, Role, Slot
from annotation.services import items
from tests import factories, typed
from tests.e2e.steps import UNREAD, current, eventually, is_saved, press, published, values

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

DIMENSIONS = [{"id": "helpful", "name": "Helpful"}, {"id": "honest", "name": "Honest"}]
ANCHORS = ["very bad", "", "so-so", "", "excellent"]
FIELD: dict[str, Any] = {"name": "quality", "type": "rating", "dimensions": DIMENSIONS, "anchors": ANCHORS}
RECORDS = [items.Record(text=f"Question {number}", split="train") for number in range(3)]


@pytest.fixture
def project() -> Project:
    return published(FIELD, RECORDS)


@pytest.fixture
def ana(project: Project) -> Any:
    return factories.add_member(project)


def question(page: Page, number: int) -> None:
    expect(page.locator("[data-part=text]")).to_have_text(f"Question {number}")


def rated(page: Page) -> list[str]:
    return page.locator(".scale input:checked").evaluate_all("inputs => inputs.map((one) => one.value)")


def test_digits_rate_one_scale_after_the_other(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    press(page, "4", "2", "Enter")
    question(page, 1)
    is_saved(page)
    assert values(project) == [{"quality": {"helpful": 4, "honest": 2}}]
    assert rated(page) == []


def test_arrows_move_the_point_and_go_between_scales(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    press(page, "ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft")
    assert rated(page) == ["2"]
    press(page, "ArrowDown")
    expect(page.get_by_role("radiogroup", name="Honest")).to_have_attribute("data-keys-on", "")
    press(page, "ArrowLeft", "ArrowUp", "ArrowRight", "Enter")
    question(page, 1)
    is_saved(page)
    assert values(project) == [{"quality": {"helpful": 3, "honest": 5}}]


def test_what_is_missing_is_named_and_gets_the_keys(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    press(page, "4", ",", "Enter")
    expect(page.locator("[data-complaint]")).to_have_text("Not rated yet: Honest.")
    honest = page.get_by_role("radiogroup", name="Honest")
    expect(honest).to_have_attribute("aria-invalid", "true")
    press(page, "1")
    expect(page.locator("[data-complaint]")).to_be_hidden()
    press(page, "Enter")
    question(page, 1)


def test_undo_skip_and_a_reload_lose_nothing(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    press(page, "4", "2", "Enter")
    question(page, 1)
    is_saved(page)
    press(page, "u")
    question(page, 0)
    assert rated(page) == ["4", "2"]
    eventually(lambda: current(project) == [])
    press(page, "5")
    page.wait_for_timeout(300)
    page.reload()
    assert rated(page) == ["5", "2"]
    press(page, "s")
    page.keyboard.press("1")
    question(page, 1)
    eventually(lambda: Slot.objects.filter(state=Slot.State.SKIPPED).exists())


@pytest.mark.parametrize(("lowest", "key", "point"), [(0, "0", 0), (0, "x", 10), (-5, "1", -5), (-5, "0", 4)])
def test_a_scale_of_eleven_points_fits_a_phone_and_begins_anywhere(open_page, lowest, key, point) -> None:
    field = {**FIELD, "anchors": None, "lowest": lowest, "points": 11, "dimensions": DIMENSIONS[:1]}
    project = published({key_: one for key_, one in field.items() if one is not None}, RECORDS)
    page = open_page(factories.add_member(project), f"/p/{project.slug}/label", width=390, height=780)
    boxes = [one.bounding_box() for one in page.locator(".point").all()]
    assert len({box["y"] for box in boxes}) == 1  # one row
    assert all(box["x"] + box["width"] <= 390 and box["width"] >= 24 and box["height"] >= 44 for box in boxes)
    press(page, key, "Enter")
    question(page, 1)
    is_saved(page)
    assert values(project) == [{"quality": {"helpful": point}}]


def test_it_is_rated_by_touch_at_390_px_with_readable_anchors(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label", width=390, height=780, has_touch=True)
    expect(page.locator(".anchors").first).to_have_text("1 very bad 3 so-so 5 excellent")
    submit = page.get_by_role("button", name="Submit").bounding_box()
    assert submit["y"] + submit["height"] <= 780
    for name, point in (("Helpful", "5"), ("Honest", "1")):
        page.get_by_role("radiogroup", name=name).locator(".point").filter(has_text=point).tap()
    page.get_by_role("button", name="Submit").tap()
    question(page, 1)
    is_saved(page)
    assert values(project) == [{"quality": {"helpful": 5, "honest": 1}}]


def test_a_reviewer_corrects_a_rating(open_page) -> None:
    project = published(FIELD, RECORDS[:1], spot_check_share=1.0)
    page = open_page(factories.add_member(project), f"/p/{project.slug}/label")
    press(page, "4", "2", "Enter")
    is_saved(page)
    page = open_page(factories.add_member(project, Role.REVIEWER), f"/p/{project.slug}/review")
    assert rated(page) == ["4", "2"]
    page.wait_for_timeout(UNREAD)
    press(page, "1")
    with page.expect_navigation():
        press(page, "c")
    assert Annotation.objects.get(supersedes__isnull=False).value == {"quality": {"helpful": 1, "honest": 2}}


def test_it_works_without_scripts(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label", java_script_enabled=False)
    for name, point in (("Helpful", "3"), ("Honest", "4")):
        page.get_by_role("radiogroup", name=name).locator(".point").filter(has_text=point).click()
    page.get_by_role("button", name="Submit").click()
    question(page, 1)
    assert values(project) == [{"quality": {"helpful": 3, "honest": 4}}]


@pytest.fixture
def combined() -> Project:
    """Classify; rate only where it is a refund; any topics."""
    return published(typed.FIELDS["combined"], RECORDS)


def active(page: Page) -> str:
    return page.locator("[data-active-group]").inner_text()


def test_questions_follow_from_answers_and_keys_go_on(open_page, combined) -> None:
    page = open_page(factories.add_member(combined), f"/p/{combined.slug}/label")
    expect(page.locator("[data-field=urgency]")).to_be_hidden()
    assert active(page) == "Intent"
    press(page, "1")
    expect(page.locator("[data-field=urgency]")).to_be_visible()
    assert active(page) == "Urgent"
    press(page, "3")
    assert active(page).startswith("Topics")
    press(page, "3", "Enter")
    question(page, 1)
    press(page, "2", "Enter")  # the card is lost: urgency is not asked, topics may stay empty
    question(page, 2)
    is_saved(page)
    assert values(combined) == [
        {"intent": "refund", "urgency": {"urgent": 3}, "topics": ["fee"]},
        {"intent": "card", "topics": []},
    ]


def test_comma_and_full_stop_step_between_questions(open_page, combined) -> None:
    page = open_page(factories.add_member(combined), f"/p/{combined.slug}/label")
    press(page, ".")
    assert active(page).startswith("Topics")
    press(page, ".", ",")
    assert active(page) == "Intent"
    press(page, "1", "1", ",", ",")
    assert active(page) == "Intent"
    press(page, "3")  # a fee: urgency is asked no more, and its answer is not sent
    expect(page.locator("[data-field=urgency]")).to_be_hidden()
    press(page, "Enter")
    question(page, 1)
    is_saved(page)
    assert values(combined) == [{"intent": "fee", "topics": []}]


def test_help_lists_the_keys_of_the_fields(open_page, combined) -> None:
    page = open_page(factories.add_member(combined), f"/p/{combined.slug}/label")
    press(page, "?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_contain_text("one point lower, one point higher")
    expect(dialog).to_contain_text("to the question before and after")
    expect(dialog.get_by_text("choose the label that shows this key")).to_be_visible()


@pytest.fixture
def tree() -> Project:
    return published(typed.FIELDS["tree"], RECORDS)


def test_a_tree_is_walked_level_by_level(open_page, tree) -> None:
    page = open_page(factories.add_member(tree), f"/p/{tree.slug}/label")
    buttons = page.locator("[data-label-id]:visible")
    expect(buttons).to_have_text(["1 Money ›", "2 Other"], use_inner_text=True)
    press(page, "1")
    expect(buttons).to_have_count(2)
    expect(page.locator("[data-path]")).to_have_text("Money")
    press(page, "Backspace")
    expect(buttons.first).to_contain_text("Money")
    press(page, "1", "2")
    question(page, 1)
    expect(buttons.first).to_contain_text("Money")  # the next item begins at the top
    press(page, "/")
    page.keyboard.type("ref")
    expect(buttons).to_have_count(1)
    press(page, "Enter")
    question(page, 2)
    is_saved(page)
    assert values(tree) == [{"label": "fee"}, {"label": "refund"}]
