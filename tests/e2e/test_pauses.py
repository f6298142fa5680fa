"""What counts as time at work in a real browser, and the reminder to take a break. The clock is set by hand."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from annotation.models import Annotation, Project
from tests.e2e.messages import TEXTS, saved, text
from tests.e2e.steps import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
MINUTE = 60_000
BESIDE = 8  # seconds: real time goes on beside the one that is set
HIDE = """hidden => { Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
    document.dispatchEvent(new Event("visibilitychange")); }"""


def open_with_own_clock(open_page: Any, user: Any, project: Project) -> Page:
    page = open_page(user, "/me")
    page.clock.install()
    page.goto(f"/p/{project.slug}/label")
    expect(text(page)).to_have_text(TEXTS[0])
    page.clock.run_for(500)  # painted
    page.keyboard.press("Shift")
    return page


def measured(page: Page) -> int:
    """Label what is shown; how many seconds it was looked at, so they say."""
    page.keyboard.press("1")
    page.clock.run_for(2000)
    expect(saved(page)).to_have_text("saved ✓")
    eventually(lambda: Annotation.objects.exists())
    return round(Annotation.objects.get().active_ms / 1000)


def test_reading_without_a_sign_of_life_counts_for_half_a_minute(open_page, project, ana) -> None:
    page = open_with_own_clock(open_page, ana, project)
    page.clock.run_for(10 * MINUTE)
    assert 30 <= measured(page) <= 30 + BESIDE


def test_work_with_signs_of_life_counts_in_full(open_page, project, ana) -> None:
    page = open_with_own_clock(open_page, ana, project)
    for _half_minute in range(4):
        page.clock.run_for(20_000)
        page.keyboard.press("Shift")
    assert 80 <= measured(page) <= 80 + BESIDE


def test_a_hidden_page_does_not_count(open_page, project, ana) -> None:
    page = open_with_own_clock(open_page, ana, project)
    page.clock.run_for(10_000)
    page.evaluate(HIDE, True)
    page.clock.run_for(4 * MINUTE)
    page.evaluate(HIDE, False)
    page.clock.run_for(5_000)
    assert 15 <= measured(page) <= 15 + BESIDE, "ten seconds before it was hidden, five after"


def work(page: Page, minutes: int) -> None:
    for _step in range(minutes * 3):
        page.keyboard.press("Shift")
        page.clock.run_for(20_000)


def test_a_break_is_proposed_after_so_much_work_and_escape_closes_it(open_page, project, ana) -> None:
    ana.break_minutes = 25
    ana.save(update_fields=["break_minutes"])
    page = open_with_own_clock(open_page, ana, project)
    dialog = page.get_by_role("dialog", name="Time for a short break")
    work(page, 24)
    expect(dialog).to_be_hidden()
    work(page, 2)
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text("at work for 25 minutes")
    page.keyboard.press("1")
    page.clock.run_for(1000)
    assert not Annotation.objects.exists(), "keys act in the dialog alone"
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    work(page, 2)
    expect(dialog).to_be_hidden()


def test_a_pause_of_five_minutes_is_a_break(open_page, project, ana) -> None:
    ana.break_minutes = 25
    ana.save(update_fields=["break_minutes"])
    page = open_with_own_clock(open_page, ana, project)
    work(page, 20)
    page.clock.run_for(6 * MINUTE)
    work(page, 20)
    expect(page.get_by_role("dialog", name="Time for a short break")).to_be_hidden()


def test_nobody_is_reminded_who_did_not_ask_for_it(open_page, project, ana) -> None:
    page = open_with_own_clock(open_page, ana, project)
    work(page, 60)
    expect(page.get_by_role("dialog", name="Time for a short break")).to_be_hidden()
