"""Each task type from end to end by keyboard alone: labelled, undone, changed, skipped, reviewed, exported.

At both widths and in both languages. With SHOTS naming a folder, the screen is kept there after every step.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from annotation.models import Annotation, Resolution, Review, Role, Slot
from tests import factories, typed
from tests.e2e.steps import UNREAD, current, eventually, press

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

SHOTS = os.environ.get("SHOTS")
PERSON, PLACE = {"start": 0, "end": 3, "label": "person"}, {"start": 13, "end": 19, "label": "place"}


@dataclass(frozen=True)
class Walk:
    """Keys of the first answer, of the change to it after undo, of the reviewer's correction; and what stands
    after the change and after the correction. "type:..." types a text."""

    first: tuple[str, ...]
    change: tuple[str, ...]
    correct: tuple[str, ...]
    labelled: Callable[[list[str]], Any]
    corrected: Callable[[list[str]], Any]


WALKS = {
    "classification": Walk(
        first=("1",),
        change=("2",),
        correct=("3",),
        labelled=lambda order: {"label": "card"},
        corrected=lambda order: {"label": "fee"},
    ),
    "tree": Walk(
        first=("1", "1"),
        change=("Backspace", "2"),
        correct=("1", "2"),
        labelled=lambda order: {"label": "other"},
        corrected=lambda order: {"label": "fee"},
    ),
    "multilabel": Walk(
        first=("1", "3", "Enter"),
        change=("3", "Enter"),
        correct=("2", "c"),
        labelled=lambda order: {"topics": ["refund"]},
        corrected=lambda order: {"topics": ["refund", "card"]},
    ),
    "spans": Walk(
        first=("ArrowRight", "1", "ArrowRight", "ArrowRight", "ArrowRight", "2", "Enter"),
        change=("Home", "Tab", "r", "Tab", "1", "Enter"),
        correct=("Home", "Tab", "2", "c"),
        labelled=lambda order: {
            "entities": {"spans": [PERSON, PLACE], "relations": [{"from": 0, "to": 1, "label": "in"}]}
        },
        corrected=lambda order: {
            "entities": {
                "spans": [{**PERSON, "label": "place"}, PLACE],
                "relations": [{"from": 0, "to": 1, "label": "in"}],
            }
        },
    ),
    "rating": Walk(
        first=("3", "2", "Enter"),
        change=("1", "Enter"),
        correct=("2", "c"),
        labelled=lambda order: {"quality": {"helpful": 1, "honest": 2}},
        corrected=lambda order: {"quality": {"helpful": 2, "honest": 2}},
    ),
    "preference": Walk(
        first=("1", "1", "1", "Enter"),
        change=("2", "Enter"),
        correct=("1", "c"),
        labelled=lambda order: {
            "preferred": {"ranking": [[order[1]], [order[0]]], "strength": "much", "reasons": ["polite"]}
        },
        corrected=lambda order: {
            "preferred": {"ranking": [["r1"], ["r2"]], "strength": "much", "reasons": ["polite"]}
        },
    ),
    "response": Walk(
        first=("e", "type: Thanks!", "Control+Enter"),
        change=("e", "type: Soon.", "Control+Enter"),
        correct=("e", "type: Bye.", "Control+Enter"),
        labelled=lambda order: {"reply": {"text": "Please wait. Thanks! Soon."}},
        corrected=lambda order: {"reply": {"text": "Please wait. Thanks! Soon. Bye."}},
    ),
    "combined": Walk(
        first=("1", "3", "1", "Enter"),
        change=("2", "Enter"),
        correct=("1", "2", "c"),
        labelled=lambda order: {"intent": "card", "topics": ["refund"]},
        corrected=lambda order: {"intent": "refund", "urgency": {"urgent": 2}, "topics": ["refund"]},
    ),
}


def shot(page: Page, name: str) -> None:
    if SHOTS:
        page.wait_for_timeout(150)
        page.screenshot(path=Path(SHOTS) / f"{name}.png")


def hit(page: Page, keys: tuple[str, ...]) -> None:
    for key in keys:
        if key.startswith("type:"):
            page.keyboard.type(key.removeprefix("type:"))
        else:
            press(page, key)


def tab_to(page: Page, wanted: Locator) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            return
    pytest.fail("Tab does not come to it")


def is_saved(page: Page) -> None:
    expect(page.locator("[data-part=saved]")).to_contain_text("✓")


def leave_field(page: Page) -> None:
    """Out of a text field, whose keys are its own."""
    page.keyboard.press("Escape")


WIDE, NARROW = (1440, "en", "light"), (390, "zh-hans", "dark")
ONCE = {"tree": NARROW, "combined": WIDE}  # what is made of the six types: one walk is enough
CASES = [(kind, *look) for kind in WALKS for look in (WIDE, NARROW) if ONCE.get(kind, look) == look]


@pytest.mark.parametrize(("kind", "width", "language", "theme"), CASES)
def test_a_type_is_walked_by_keyboard_alone(
    open_page: Any, kind: str, width: int, language: str, theme: Any, tmp_path: Path
) -> None:
    walk = WALKS[kind]
    look = {"width": width, "height": 844 if width < 800 else 900, "color_scheme": theme}
    project = typed.make_project(kind, spot_check_share=1.0)
    typed.add_items(project, kind, 2)
    typed.publish(project)
    ana = factories.add_member(project, user=factories.make_user(language=language))
    page = open_page(ana, f"/p/{project.slug}/label", **look)
    name = f"{kind}-{width}"
    shot(page, f"{name}-1-new")
    order = page.locator("[data-response]").evaluate_all("all => all.map((one) => one.dataset.response)")
    text = page.locator("[data-part=text]")
    expect(text).to_contain_text("number 0")

    hit(page, walk.first)
    expect(text).to_contain_text("number 1")
    is_saved(page)
    shot(page, f"{name}-2-labelled")
    leave_field(page)
    press(page, "u")
    expect(text).to_contain_text("number 0")
    eventually(lambda: current(project) == [])
    shot(page, f"{name}-3-undone")
    hit(page, walk.change)
    expect(text).to_contain_text("number 1")
    is_saved(page)
    assert [one.value for one in current(project)] == [walk.labelled(order)]

    leave_field(page)
    press(page, "s")
    expect(page.get_by_role("dialog")).to_be_visible()
    shot(page, f"{name}-4-skip")
    page.keyboard.press("1")
    eventually(lambda: Slot.objects.filter(state=Slot.State.SKIPPED).count() == 1)
    is_saved(page)
    shot(page, f"{name}-5-nothing-left")

    rita = factories.add_member(project, Role.ADMIN, factories.make_user(language=language))
    page = open_page(rita, f"/p/{project.slug}/review", **look)
    page.wait_for_timeout(UNREAD)
    shot(page, f"{name}-6-review")
    if kind == "preference":  # A and B stand elsewhere on this screen
        seen = page.locator("[data-response]").evaluate_all("all => all.map((one) => one.dataset.response)")
        best = walk.labelled(order)["preferred"]["ranking"][0][0]
        hit(page, ("2" if seen[0] == best else "1",))
        shot(page, f"{name}-7-corrected")
        hit(page, ("c",))
    else:
        hit(page, walk.correct[:-1])
        shot(page, f"{name}-7-corrected")
        hit(page, walk.correct[-1:])
    expect(page.locator("main .empty")).to_be_visible()  # the next page, with nothing left
    assert Review.objects.filter(state=Review.State.DONE, verdict="wrong").count() == 1
    wanted = walk.corrected(order)
    if kind == "preference":
        wanted["preferred"]["ranking"] = walk.labelled(order)["preferred"]["ranking"][::-1]
    assert Annotation.objects.get(labeller__user=rita).value == wanted
    assert Resolution.objects.get(is_current=True).value == wanted

    page.goto(f"/p/{project.slug}/export")
    shot(page, f"{name}-8-export")
    tab_to(page, page.locator("input[name=format]:checked"))
    for _ in range(8):
        if page.locator("input[name=format]:checked").get_attribute("value") == "jsonl":
            break
        page.keyboard.press("ArrowDown")
    tab_to(page, page.locator("main form .button.primary"))
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    download.value.save_as(tmp_path / "labels.jsonl")
    [row] = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text("utf-8").splitlines()]
    assert (row["text"], row["value"]) == ("Ana waits in Berlin, number 0", wanted)
    assert row["method"] == Resolution.objects.get(is_current=True).method
