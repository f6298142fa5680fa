"""What the browser tests of every task type do: press keys, wait for the server, look at what was stored."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from playwright.sync_api import Page, expect

from annotation.models import Annotation, Project
from annotation.services import batches, items
from tests import factories

UNHURRIED = 250  # ms between two presses of one button; a faster one counts as a bounce
UNREAD = 300  # ms; a press sooner than that after a reviewing page has come is turned away


def published(
    field: dict[str, Any] | list[dict[str, Any]], records: Sequence[items.Record], **settings: Any
) -> Project:
    """A project that asks this field (or these) of the items, all of them in the queue in their order."""
    fields = field if isinstance(field, list) else [field]
    given = {"evaluation_items": 0, "overlap_share": 0.0, "spot_check_share": 0.0, **settings}
    project = factories.make_project("Typed", labels=(), definition={"fields": fields}, **given)
    added = items.add_items(project, records, source="tests")
    assert not added.refused, added.refused
    rows = project.items.order_by("row").values_list("row", flat=True)
    batches.publish(project, [batches.Pick(row=row) for row in rows], origin="tests", title="First")
    return project


def eventually(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.05)


def press(page: Page, *keys: str) -> None:
    """Press keys one after another, each once what is on the screen may be answered; Enter as people do, since a
    second one at once counts as a bounce."""
    for key in keys:
        if key.endswith("Enter"):
            page.wait_for_timeout(UNHURRIED)
        expect(page.locator("[data-label-page][data-painted], [data-review-page]")).to_have_count(1)
        page.keyboard.press(key)


def is_saved(page: Page) -> None:
    expect(page.locator("[data-part=saved]")).to_have_text("saved ✓")


def current(project: Project) -> list[Annotation]:
    """The answers that stand, oldest first."""
    found = Annotation.objects.filter(project=project, is_retraction=False, superseded_by__isnull=True)
    return list(found.select_related("item").order_by("pk"))


def values(project: Project) -> list[dict[str, Any]]:
    return [one.value for one in current(project)]
