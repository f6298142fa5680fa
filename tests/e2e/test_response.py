"""Writing responses in a real browser: from a draft, offline, in two windows, and reviewed."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from annotation.models import Annotation, Project, Review, Role
from annotation.services import items, prelabels
from tests import factories
from tests.e2e.steps import UNHURRIED, UNREAD, current, eventually, is_saved, press, published, values

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

FIELD = {"name": "reply", "type": "response", "minimum": 3, "maximum": 60}
DRAFT = "Please wait three days."


def record(number: int, draft: str = DRAFT) -> items.Record:
    return items.Record(text=f"Question {number}", split="train", data={"draft": draft} if draft else {})


@pytest.fixture
def project() -> Project:
    """Two items with a draft and one without."""
    return published(FIELD, [record(0), record(1), record(2, "")])


@pytest.fixture
def ana(project: Project) -> Any:
    return factories.add_member(project)


def field(page: Page) -> Any:
    return page.get_by_role("textbox", name="Reply")


def question(page: Page, number: int) -> None:
    expect(page.locator("[data-part=text]")).to_have_text(f"Question {number}")


def test_a_draft_is_edited_by_keys_alone_and_the_distance_is_kept(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    expect(field(page)).to_have_value(DRAFT)
    press(page, "e")
    page.keyboard.type(" Thanks!")
    expect(page.locator("[data-pane=preview]")).to_have_text(f"{DRAFT} Thanks!")
    expect(page.locator("[data-counter-place]")).to_have_text("31 of 3 to 60 characters")
    press(page, "Control+Enter")
    question(page, 1)
    expect(field(page)).to_be_focused()  # whoever writes goes on writing
    press(page, "Escape", "Enter")  # taken as it is
    question(page, 2)
    is_saved(page)
    first, second = current(project)
    assert (first.value, second.value) == (
        {"reply": {"text": f"{DRAFT} Thanks!"}},
        {"reply": {"text": DRAFT}},
    )
    assert first.trace == {"reply": {"edit_distance": 8, "draft_characters": 23}}
    assert second.trace == {"reply": {"edit_distance": 0, "draft_characters": 23}}


def test_changes_are_shown_and_the_draft_can_be_restored(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    pane = page.locator("[data-pane=changes]")
    press(page, "d")
    expect(pane).to_have_text("Nothing is changed.")
    field(page).fill("Please wait two days.")
    expect(pane.locator("del")).to_have_text(["three"])
    expect(pane.locator("ins")).to_have_text(["two"])
    field(page).fill("请等三天。")
    expect(pane.locator("ins")).to_contain_text("请等三天")
    press(page, "Escape", "r")
    expect(field(page)).to_have_value(DRAFT)
    press(page, "Control+z")  # the browser's own undo
    expect(field(page)).to_have_value("请等三天。")


def test_chinese_changes_are_marked_by_character(open_page) -> None:
    project = published(FIELD, [record(0, "请等待三天再联系我们")])
    page = open_page(factories.add_member(project), f"/p/{project.slug}/label")
    press(page, "d")
    field(page).fill("请等待五天再联系我们")
    expect(page.locator("[data-pane] del")).to_have_text(["三"])
    expect(page.locator("[data-pane] ins")).to_have_text(["五"])


def test_lengths_outside_the_bounds_are_told(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    complaint = page.locator("[data-complaint]")
    field(page).fill("x" * 64)
    expect(page.locator("[data-counter-place][data-off]")).to_have_count(1)
    field(page).press("Control+Enter")
    expect(complaint).to_have_text("Too long: take away 4 characters.")
    page.wait_for_timeout(UNHURRIED)
    field(page).fill("👍 ")
    field(page).press("Control+Enter")
    expect(complaint).to_have_text("Too short: 2 more characters are needed.")
    assert current(project) == []


def test_page_keys_do_nothing_while_one_writes(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    field(page).fill("")
    page.keyboard.type("us,.dpre?")
    expect(field(page)).to_have_value("us,.dpre?")
    expect(page.get_by_role("dialog")).to_have_count(0)
    press(page, "Escape", "s")
    expect(page.get_by_role("dialog")).to_be_visible()


def test_what_was_typed_survives_a_crash_and_a_lost_connection(open_page, complaints, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    field(page).fill("half a sent")
    page.wait_for_timeout(300)
    again = page.context.new_page()
    page.close(run_before_unload=False)
    again.goto(f"/p/{project.slug}/label")
    expect(field(again)).to_have_value("half a sent")
    again.context.set_offline(True)
    field(again).fill("a whole sentence")
    field(again).press("Control+Enter")
    expect(again.locator("[data-part=saved]")).to_have_text("offline, 1 kept here")
    question(again, 1)
    field(again).fill("begun offline")
    again.wait_for_timeout(300)
    again.context.set_offline(False)
    is_saved(again)
    again.reload()
    expect(field(again)).to_have_value("begun offline")
    assert values(project) == [{"reply": {"text": "a whole sentence"}}]
    complaints.clear()  # the browser reports each request that failed


def test_two_windows_do_not_destroy_each_others_drafts(open_page, project, ana) -> None:
    one = open_page(ana, f"/p/{project.slug}/label")
    two = one.context.new_page()
    two.goto(f"/p/{project.slug}/label")
    field(one).fill("from the first window")
    field(two).fill("from the second window")
    one.wait_for_timeout(300)
    one.reload()
    two.reload()
    expect(field(one)).to_have_value("from the first window")
    expect(field(two)).to_have_value("from the second window")


def test_a_text_that_was_emptied_stays_empty(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    field(page).fill("")
    page.wait_for_timeout(300)
    page.reload()
    expect(field(page)).to_have_value("")


def test_undo_brings_the_text_back_and_a_later_edit_of_it_is_kept(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    field(page).fill("first words")
    field(page).press("Control+Enter")
    question(page, 1)
    is_saved(page)
    press(page, "Escape", "u")
    question(page, 0)
    expect(field(page)).to_have_value("first words")
    eventually(lambda: current(project) == [])
    field(page).fill("better words")
    page.wait_for_timeout(300)
    page.reload()
    expect(field(page)).to_have_value("better words")


def test_a_suggestion_taken_unchanged_is_an_accepted_one(open_page, project, ana) -> None:
    labeller = factories.make_model_labeller(project)
    first, second = list(project.items.order_by("row"))[:2]
    suggestion = {"reply": {"text": "It comes tomorrow."}}
    prelabels.store(project, labeller, [(item.pk, suggestion, 0.9, {}) for item in (first, second)])
    page = open_page(ana, f"/p/{project.slug}/label")
    expect(field(page)).to_have_value("It comes tomorrow.")
    press(page, "Enter")
    question(page, 1)
    field(page).fill("It comes today.")
    page.wait_for_timeout(400)  # a second press within a few frames counts as a bounce
    field(page).press("Control+Enter")
    question(page, 2)
    is_saved(page)
    assert [one.accepted_prelabel for one in current(project)] == [True, False]


def test_it_is_written_by_touch_at_390_px(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label", width=390, height=780, has_touch=True)
    field(page).fill("Wait **two** days.")
    page.get_by_role("button", name="Preview").tap()
    expect(page.locator("[data-pane=preview] strong")).to_have_text("two")
    expect(field(page)).to_be_hidden()
    page.get_by_role("button", name="Write").tap()
    expect(field(page)).to_be_focused()
    page.get_by_role("button", name="Submit").tap()
    question(page, 1)
    is_saved(page)
    assert values(project) == [{"reply": {"text": "Wait **two** days."}}]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_reviewer_sees_the_edits_and_corrects_the_text(open_page) -> None:
    project = published(FIELD, [record(0)], spot_check_share=1.0)
    page = open_page(factories.add_member(project), f"/p/{project.slug}/label")
    field(page).fill("Please wait two days.")
    field(page).press("Control+Enter")
    is_saved(page)
    page = open_page(factories.add_member(project, Role.REVIEWER), f"/p/{project.slug}/review")
    expect(page.locator(".suggestion")).to_contain_text("edits of a draft of 23 characters")
    expect(field(page)).to_have_value("Please wait two days.")
    press(page, "d")
    expect(page.locator("[data-pane] del")).to_have_text(["three"])
    page.wait_for_timeout(UNREAD)
    field(page).fill("Please wait four days.")
    expect(page.get_by_role("button", name="Right")).to_be_disabled()
    with page.expect_navigation():
        field(page).press("Control+Enter")
    assert Review.objects.get().verdict == "wrong"
    assert Annotation.objects.get(supersedes__isnull=False).value == {
        "reply": {"text": "Please wait four days."}
    }


def test_a_reviewer_takes_one_of_two_texts_and_edits_it(open_page) -> None:
    project = published(FIELD, [record(0)], overlap_share=1.0)
    for text in ("Wait two days.", "Wait four days."):
        page = open_page(factories.add_member(project), f"/p/{project.slug}/label")
        field(page).fill(text)
        field(page).press("Control+Enter")
        is_saved(page)
    eventually(lambda: Review.objects.filter(kind="dispute").exists())
    page = open_page(factories.add_member(project, Role.REVIEWER), f"/p/{project.slug}/review")
    page.wait_for_timeout(UNREAD)
    press(page, "-")  # one key takes the answers in turn
    expect(field(page)).to_have_value("Wait two days.")
    press(page, "-")
    expect(field(page)).to_have_value("Wait four days.")
    press(page, "e", "End")
    page.keyboard.type(" Thanks.")
    press(page, "Escape")
    with page.expect_navigation():
        press(page, "c")
    resolution = project.items.get().resolutions.get(is_current=True)
    assert resolution.value == {"reply": {"text": "Wait four days. Thanks."}}


def test_it_works_without_scripts(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label", java_script_enabled=False)
    expect(field(page)).to_have_value(DRAFT)
    field(page).fill("Two days.")
    page.get_by_role("button", name="Submit").click()
    question(page, 1)
    assert values(project) == [{"reply": {"text": "Two days."}}]
