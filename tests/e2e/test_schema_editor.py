"""The editor of a schema in a real browser: the preview follows the typing, buttons change the form in place."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from annotation.selectors import schemas
from tests import typed
from tests.factories import make_items, make_project, make_user

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("width", [1440, 390])
def test_it_previews_what_is_typed_and_saves_it(open_page: Any, width: int) -> None:
    user = make_user(is_superuser=True)
    project = make_project("Bank", labels=["Refund", "Fee"], by=user)
    make_items(project, ["Where is my money?"], split="train")
    page = open_page(user, "/admin/p/bank/settings/labels", width=width)
    preview = page.locator(".schema-preview")
    expect(preview.locator("[data-part=text]")).to_have_text("Where is my money?")
    page.get_by_label("Name", exact=True).first.fill("Money back")
    expect(preview.locator("[data-label-id=refund]")).to_contain_text("Money back")
    # Enter goes down the names and, from the last one, to a new row
    page.get_by_label("Name", exact=True).first.press("Enter")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name", exact=True)).to_have_count(3)
    page.keyboard.type("Card lost")
    expect(preview.locator("[data-label-id=card-lost]")).to_be_visible()
    page.select_option("#new-type", "rating")
    page.get_by_role("button", name="Add a field").click()
    expect(page.locator("#f1-title")).to_be_focused()
    page.keyboard.type("How urgent?")
    page.locator("#f1-dimensions-0-name").fill("Urgent")
    expect(preview.get_by_text("How urgent?")).to_be_visible()
    page.locator("#f1-points").fill("3")
    page.locator("#f1-points").press("Tab")
    expect(preview.locator("[data-dimension=urgent] input")).to_have_count(3)
    page.get_by_role("button", name="Save the labels").click()
    expect(page.get_by_text("The labels are saved as version 2.")).to_be_visible()
    definition = schemas.require(project).definition
    assert [label["name"] for label in definition["fields"][0]["labels"]] == [
        "Money back",
        "Fee",
        "Card lost",
    ]
    assert definition["fields"][1] == {
        "name": "quality",
        "type": "rating",
        "title": "How urgent?",
        "points": 3,
        "dimensions": [{"id": "urgent", "name": "Urgent"}],
    }


@pytest.mark.parametrize("name", [name for name in typed.FIELDS if name != "classification"])
def test_the_fields_of_the_preview_work_for_every_type(open_page: Any, name: str) -> None:
    user = make_user(is_superuser=True)
    project = typed.labelled_project(name, by=user, count=2)
    page = open_page(user, f"/admin/p/{project.slug}/settings/labels")
    page.locator("#f0-title").fill("Something else")
    preview = page.locator(".schema-preview")
    heading = (
        preview.get_by_text("Something else") if name != "tree" else preview.locator("[data-label-id=money]")
    )
    expect(heading.first).to_be_visible()


def test_it_works_without_scripts(open_page: Any) -> None:
    user = make_user(is_superuser=True)
    make_project("Bank", labels=["Refund", "Fee"], by=user)
    page = open_page(user, "/admin/p/bank/settings/labels", java_script_enabled=False)
    page.get_by_role("button", name="Add one").click()
    names = page.get_by_label("Name", exact=True)
    expect(names).to_have_count(3)
    names.nth(2).fill("Card lost")
    page.get_by_role("button", name="As JSON").click()
    expect(page.locator("#definition")).to_contain_text('"card-lost"')
    page.get_by_role("button", name="Save the labels").click()
    expect(page.get_by_text("The labels are saved as version 2.")).to_be_visible()
