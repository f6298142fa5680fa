"""What the tests of the labelling page read of the `project` fixture: eight messages, three labels."""

from __future__ import annotations

from playwright.sync_api import Locator, Page

from annotation.models import Project
from tests.e2e.steps import current

TEXTS = [f"Message number {i}: what happened to my money?" for i in range(8)]


def text(page: Page) -> Locator:
    return page.locator("[data-part=text]")


def saved(page: Page) -> Locator:
    return page.locator("[data-part=saved]")


def answers(project: Project) -> list[tuple[str, str]]:
    """(text, label) of all answers that stand."""
    return [(one.item.text, one.value["label"]) for one in current(project)]
