"""Every page, in both themes and languages, from 390 to 1440 pixels: nothing overflows, nothing complains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotation.models import Project, Role
from annotation.services import batches, guidelines
from tests import factories

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

IN_PROJECT = [
    *(
        "annotation:label",
        "annotation:review",
        "annotation:guide",
        "annotation:guide_edit",
        "annotation:items",
    ),
    *("annotation:import", "annotation:export", "annotation:agreement", "annotation:people"),
    *("annotation:settings", "annotation:jobs", "selection:rounds", "selection:values", "training:models"),
    *("annotation:check", "annotation:accept", "annotation:patterns", "selection:launch"),
]
ELSEWHERE = [
    *("annotation:home", "annotation:dashboard", "annotation:me"),
    *("annotation:project_new", "accounts:preferences"),
]
SCRIPTS = Path(__file__).parent


@pytest.fixture
def project() -> Project:
    made = factories.make_project("Bank intents with a rather long name", spot_check_share=1)
    texts = [
        "I was charged twice for the same card payment, how do I get my money back?",
        "钱还没到账，怎么办？",
    ]
    items = factories.make_items(made, texts, split="train")
    batches.publish(made, [batches.Pick(row=item.row) for item in items], origin="test", title="First")
    guidelines.publish(
        made, "# What to look for\n\n| said | label |\n|---|---|\n| twice | Refund |", change_note="n"
    )
    return made


def addresses(project: Project) -> list[str]:
    inside = [reverse(name, kwargs={"slug": project.slug}) for name in IN_PROJECT]
    return inside + [reverse(name) for name in ELSEWHERE]


def overflow(page: Page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("width", "language"), [(390, "en"), (390, "zh-hans"), (1440, "en")])
def test_pages_fit_are_readable_and_named(open_page, project, width: int, language: str, theme: Any) -> None:
    admin = factories.add_member(project, Role.ADMIN, factories.make_user(language=language))
    page = open_page(admin, "/", width=width, color_scheme=theme)
    contrasts, nameless = ((SCRIPTS / name).read_text("utf-8") for name in ("contrasts.js", "nameless.js"))
    problems = []
    for address in addresses(project):
        response = page.goto(address)
        assert response.status == 200, address
        problems += [f"{address}: {overflow(page)} px too wide"] * (overflow(page) > 0)
        problems += [f"{address}: contrast {one}" for one in page.evaluate(contrasts)]
        problems += [f"{address}: {one}" for one in page.evaluate(nameless)]
    assert problems == []


def test_the_login_page_fits_and_leads_in(open_page) -> None:
    person = factories.make_user("ana")
    page = open_page(None, "/", width=390)
    assert overflow(page) <= 0
    page.get_by_label("Username").fill("ana")
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="My projects")).to_be_visible()
    assert person.username == "ana"


def test_the_theme_switch_is_instant_and_lasts(open_page, project) -> None:
    person = factories.add_member(project)
    page = open_page(person, "/", color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    with page.expect_response("**/accounts/appearance/"):
        page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate(ground) != light
    page.reload()
    assert page.evaluate(ground) != light
    person.refresh_from_db()
    assert person.theme == "dark"


def test_the_language_switch_lasts(open_page, project) -> None:
    person = factories.add_member(project)
    page = open_page(person, "/")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", name="我的项目")).to_be_visible()
    person.refresh_from_db()
    assert person.language == "zh-hans"
    page.get_by_role("button", name="EN").click()
    expect(page.get_by_role("heading", name="My projects")).to_be_visible()


def test_at_390_px_the_labels_lie_under_the_thumb(open_page, project) -> None:
    page = open_page(
        factories.add_member(project), f"/p/{project.slug}/label", width=390, height=780, has_touch=True
    )
    buttons = page.locator(".label-button")
    boxes = [buttons.nth(i).bounding_box() for i in range(buttons.count())]
    assert all(box["y"] > 390 and box["y"] + box["height"] <= 780 and box["height"] >= 44 for box in boxes)
    before = page.locator("[data-part=text]").inner_text()
    page.get_by_role("button", name="Refund").tap()
    expect(page.locator("[data-part=text]")).not_to_have_text(before)


def test_reduced_motion_moves_nothing(open_page, project) -> None:
    page = open_page(factories.add_member(project), "/", reduced_motion="reduce")
    assert page.evaluate("getComputedStyle(document.querySelector('.button')).transitionDuration") == "0s"


def test_the_keyboard_shows_where_it_is(open_page, project) -> None:
    page = open_page(factories.add_member(project), "/")
    for _ in range(4):
        page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "2px"


def test_the_plain_admin_runs_under_the_policy(open_page, project) -> None:
    page = open_page(factories.make_user(is_superuser=True), "/admin/db/")
    expect(page.get_by_role("heading", name="Tables")).to_be_visible()
    page.goto("/admin/db/annotation/project/")
    assert overflow(page) <= 0
