"""The data manager in a browser: search, filter, mark, tag, queue first, look at one item by keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect

from annotation.models import Project, Role
from annotation.services import batches, prelabels, search_index
from tests import factories

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

TEXTS = [
    "I was charged twice for the same card payment",
    "我的钱还没到账，怎么办？",
    "My card was stolen, please block it",
    "How long does a refund take?",
    "退款什么时候到账",
    "The card payment was declined",
]


@pytest.fixture
def project() -> Project:
    made = factories.make_project("Bank", overlap_share=0, evaluation_items=0)
    items = factories.make_items(made, TEXTS, split="train", source="mails.csv")
    model = factories.make_model_labeller(made)
    prelabels.store(made, model, [(item.pk, {"label": "refund"}, 0.6, {}) for item in items[:4]])
    batches.publish(made, [batches.Pick(row=row) for row in (0, 2, 3)], origin="1", title="Round 1")
    search_index.catch_up(made)
    return made


def rows(page: Page) -> list[str]:
    return page.locator(".items-table tbody tr td:nth-child(2)").all_inner_texts()


def test_items_are_found_marked_tagged_and_queued_first(open_page, project) -> None:
    reviewer = factories.add_member(project, Role.REVIEWER)
    page = open_page(reviewer, f"/p/{project.slug}/items")
    page.get_by_label("Search the text").fill("card pay")
    page.keyboard.press("Enter")
    expect(page.locator(".items-table tbody tr")).to_have_count(2)
    assert rows(page) == ["0", "5"]
    page.get_by_label("All on this page").check()
    expect(page.locator("[data-marked]")).to_have_text("2 / 2")
    page.get_by_label("Action").select_option("tag")
    page.get_by_role("button", name="Look at it first").click()
    expect(page.get_by_role("heading", name="Tag: 2 items")).to_be_visible()
    page.get_by_label("Tag", exact=True).fill("ask the bank")
    page.get_by_role("button", name="Tag", exact=True).click()
    expect(page.locator(".message.success")).to_contain_text("Tag: 2 items.")
    assert "text=card+pay" in page.url
    expect(page.locator(".tag")).to_have_count(2)

    page.get_by_role("link", name="Show all").click()
    expect(page.locator(".items-table tbody tr")).to_have_count(6)
    page.get_by_label("Tag").first.select_option(label="ask the bank")
    expect(page.locator(".items-table tbody tr")).to_have_count(2)
    page.get_by_label("all that match").check()
    page.get_by_label("Action").select_option("queue_first")
    page.get_by_role("button", name="Look at it first").click()
    page.get_by_role("button", name="Queue first").click()
    expect(page.locator(".message.success")).to_contain_text("Queue first: 2 items.")
    waiting = project.slots.filter(state="free").order_by("rank").values_list("item__row", flat=True)
    assert list(waiting) == [0, 5, 2, 3]


def test_a_filter_chosen_before_the_script_came_is_kept(open_page, project) -> None:
    page = open_page(factories.add_member(project, Role.REVIEWER), f"/p/{project.slug}/items")
    state = page.locator(".filters select[name=state]")
    waiting: list[Route] = []
    page.route("**/app*.js", lambda route: route.continue_() if waiting else waiting.append(route))
    page.goto(f"/p/{project.slug}/items", wait_until="commit")
    state.select_option("waiting")
    assert len(rows(page)) == 6
    waiting[0].continue_()
    expect(page.locator(".items-table tbody tr")).to_have_count(3)
    page.goto(f"/p/{project.slug}/items")
    page.go_back()
    expect(state).to_have_value("waiting")
    assert len(rows(page)) == 3


def test_chinese_is_found_as_it_is_written(open_page, project) -> None:
    page = open_page(factories.add_member(project, Role.REVIEWER), f"/p/{project.slug}/items?text=到账")
    assert rows(page) == ["1", "4"]


def test_a_view_is_saved_and_opened_again(open_page, project) -> None:
    page = open_page(
        factories.add_member(project, Role.REVIEWER), f"/p/{project.slug}/items?state=waiting&sort=-row"
    )
    page.get_by_role("button", name="Save this view").click()
    page.get_by_label("Name").fill("In the queue")
    page.get_by_role("button", name="Save", exact=True).click()
    page.goto(f"/p/{project.slug}/items")
    assert len(rows(page)) == 6
    page.get_by_role("link", name="In the queue").click()
    expect(page.locator(".items-table tbody tr")).to_have_count(3)
    assert rows(page) == ["3", "2", "0"]
    page.get_by_role("button", name="Columns").click()
    page.get_by_label("Source").last.check()
    page.get_by_role("button", name="Show these").click()
    expect(page.get_by_role("columnheader", name="Source")).to_be_visible()


def test_one_item_is_read_and_left_by_keyboard(open_page, project) -> None:
    page = open_page(factories.add_member(project, Role.REVIEWER), f"/p/{project.slug}/items?text=card")
    page.get_by_role("link", name="2", exact=True).click()
    for heading, key in (("Item 2", "j"), ("Item 5", "k"), ("Item 2", "k"), ("Item 0", "b")):
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
        page.wait_for_load_state("load")  # keys work once the page's script is there
        page.keyboard.press(key)
    expect(page.get_by_role("heading", name="Items")).to_be_visible()
    assert page.get_by_label("Search the text").input_value() == "card"
