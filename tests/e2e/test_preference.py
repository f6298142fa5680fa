"""Preferring responses in a real browser: two by one key, more from best to worst, and reviewing them."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from annotation import markdown
from annotation.models import Annotation, Project, Review, Role, Slot
from annotation.services import items
from tests import factories
from tests.e2e.steps import UNREAD, current, eventually, is_saved, press, published, values

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

STRENGTHS = [{"id": "slightly", "name": "Slightly better"}, {"id": "much", "name": "Much better"}]
REASONS = [{"id": "correct", "name": "More correct"}, {"id": "polite", "name": "More polite"}]
FIELD = {"name": "preferred", "type": "preference", "strengths": STRENGTHS, "reasons": REASONS}
MESSAGES = [{"role": "user", "content": "Where is my money?"}]


def record(number: int, responses: int, **data: Any) -> items.Record:
    texts = [f"Answer number {n} to question {number}." for n in range(responses)]
    return items.Record(text=f"Question {number}", split="train", data={"responses": texts, **data})


@pytest.fixture
def project() -> Project:
    """Three pairs, the first below a dialogue."""
    return published(FIELD, [record(0, 2, messages=MESSAGES), record(1, 2), record(2, 2)])


@pytest.fixture
def ana(project: Project) -> Any:
    return factories.add_member(project)


def shown(page: Page) -> list[str]:
    """Ids of the responses as they stand on the screen."""
    return page.locator("[data-response]").evaluate_all("cards => cards.map((card) => card.dataset.response)")


def question(page: Page, number: int) -> None:
    expect(page.locator("[data-part=text]")).to_have_text(f"Question {number}")


def test_two_responses_are_preferred_by_keys_alone(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    expect(page.locator(".turn")).to_have_text(["userWhere is my money?"])
    expect(page.locator("[data-letter]")).to_have_text(["A", "B"])
    order = shown(page)
    press(page, "2", "2", "1", "Enter")  # B is better, much, more correct
    question(page, 1)
    is_saved(page)
    [stored] = current(project)
    assert stored.value == {
        "preferred": {"ranking": [[order[1]], [order[0]]], "strength": "much", "reasons": ["correct"]}
    }
    assert stored.trace == {"preferred": {"order": order}}
    assert not any(identity in page.locator(".label-page").inner_text() for identity in order)


def test_a_tie_asks_for_no_strength(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    press(page, "=")
    expect(page.locator("[data-strengths]")).to_be_hidden()
    press(page, "Enter")
    question(page, 1)
    press(page, "3", "2", "Enter")
    question(page, 2)
    is_saved(page)
    assert [value["preferred"]["ranking"] for value in values(project)] == [[["r1", "r2"]]] * 2
    assert [value["preferred"]["reasons"] for value in values(project)] == [[], ["polite"]]


def test_what_is_missing_is_said_and_gets_the_keys(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    complaint = page.locator("[data-complaint]")
    press(page, "Enter")
    expect(complaint).to_have_text("Say which response is better.")
    press(page, "1", ",", "Enter")
    expect(complaint).to_have_text("Say how much better it is.")
    expect(page.locator("[data-strengths][data-keys-on]")).to_have_count(1)
    press(page, "1", "Enter")
    question(page, 1)
    is_saved(page)
    assert len(current(project)) == 1


def test_backspace_takes_back_whichever_question_has_the_keys(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    press(page, "1")
    expect(page.locator("[data-best]")).to_have_count(1)
    press(page, "Backspace")
    expect(page.locator("[data-best]")).to_have_count(0)
    press(page, "2")
    expect(page.get_by_role("button", name="B is better")).to_have_attribute("aria-pressed", "true")


def test_undo_brings_the_preference_back_and_skip_passes_it_on(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    press(page, "2", "1", "Enter")
    question(page, 1)
    is_saved(page)
    press(page, "u")
    expect(page.locator(".turn")).to_have_count(1)
    expect(page.get_by_role("button", name="B is better")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("Slightly better")).to_be_checked()
    eventually(lambda: current(project) == [])
    press(page, "s")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("1")
    question(page, 1)
    eventually(lambda: Slot.objects.filter(state=Slot.State.SKIPPED).exists())


def test_what_was_begun_survives_a_reload(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    press(page, "1", "2", "2")
    page.reload()
    expect(page.get_by_role("button", name="A is better")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("Much better")).to_be_checked()
    expect(page.get_by_label("More polite")).to_be_checked()
    press(page, "Enter")
    question(page, 1)
    page.reload()  # the next item begins from nothing
    expect(page.get_by_role("button", name="A is better")).to_have_attribute("aria-pressed", "false")


def test_differences_are_marked_and_the_text_is_shown_as_written(open_page) -> None:
    texts = ["Wait **three** days.", "Wait **two** days."]
    made = items.Record(text="Question 0", split="train", data={"responses": texts})
    project = published(FIELD, [made])
    page = open_page(factories.add_member(project), f"/p/{project.slug}/label")
    expect(page.locator("[data-body] strong")).to_have_count(2)
    press(page, "d")
    expect(page.locator("[data-body] mark")).to_have_count(2)
    assert {one.strip("*") for one in page.locator("mark").all_inner_texts()} == {"three", "two"}
    press(page, "d", "m")
    expect(page.locator("mark")).to_have_count(0)
    assert sorted(page.locator("[data-body]").all_inner_texts()) == sorted(texts)


@pytest.fixture
def five() -> Project:
    return published(FIELD, [record(0, 5), record(1, 5)])


def test_five_responses_are_ranked_by_keys_with_a_tie(open_page, five) -> None:
    page = open_page(factories.add_member(five), f"/p/{five.slug}/label")
    order = shown(page)
    places = page.locator("[data-places] li")
    press(page, "3", "1", "5")
    expect(places).to_have_text(["C", "A", "E"])
    press(page, "Backspace", "=", "2")  # not E, but B tied with A
    expect(places).to_have_text(["C", "AB"])
    press(page, "5", "4")
    expect(places).to_have_text(["C", "AB", "E", "D"])
    expect(page.locator("[data-place]")).to_have_text(["= 2", "= 2", "1", "5", "4"])
    press(page, "1", "Enter")
    question(page, 1)
    is_saved(page)
    [stored] = current(five)
    tied = sorted([order[0], order[1]])
    assert stored.value["preferred"]["ranking"] == [[order[2]], tied, [order[4]], [order[3]]]
    assert stored.trace["preferred"]["order"] == order


def test_a_ranking_is_moved_by_pointer_and_by_arrows(open_page, five) -> None:
    page = open_page(factories.add_member(five), f"/p/{five.slug}/label")
    press(page, "1", "2", "3", "4", "5")
    places = page.locator("[data-places] li")
    expect(places).to_have_text(["A", "B", "C", "D", "E"])
    page.get_by_role("button", name="C, place 3").press("ArrowLeft")
    expect(places).to_have_text(["A", "C", "B", "D", "E"])
    chip, first = (page.get_by_role("button", name=f"{letter}, place").bounding_box() for letter in "EA")
    page.mouse.move(chip["x"] + 10, chip["y"] + 10)
    page.mouse.down()
    page.mouse.move(first["x"] + 2, first["y"] + 12, steps=8)
    page.mouse.up()
    expect(places).to_have_text(["E", "A", "C", "B", "D"])
    chip, last = (page.get_by_role("button", name=f"{letter}, place").bounding_box() for letter in "AD")
    page.mouse.move(chip["x"] + 10, chip["y"] + 10)
    page.mouse.down()
    page.mouse.move(last["x"] + last["width"] / 2, last["y"] + 12, steps=8)
    page.mouse.up()
    expect(places).to_have_text(["E", "C", "B", "DA"])


def test_it_is_preferred_by_touch_at_390_px(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label", width=390, height=780, has_touch=True)
    order = shown(page)
    bar = page.locator(".choice-bar").bounding_box()
    assert bar["y"] + bar["height"] <= 780  # under the thumb, however long the responses are
    page.get_by_role("button", name="A is better").tap()
    page.get_by_text("Much better", exact=True).tap()
    page.get_by_text("More polite").tap()
    page.get_by_role("button", name="Submit").tap()
    question(page, 1)
    is_saved(page)
    assert values(project) == [
        {"preferred": {"ranking": [[order[0]], [order[1]]], "strength": "much", "reasons": ["polite"]}}
    ]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_cards_are_of_one_height_and_nothing_moves_when_one_is_chosen(open_page) -> None:
    long = items.Record(text="Question 0", split="train", data={"responses": ["word " * 3000, "Short."]})
    project = published(FIELD, [long])
    page = open_page(factories.add_member(project), f"/p/{project.slug}/label")
    heights = {card.bounding_box()["height"] for card in page.locator("[data-response]").all()}
    assert len(heights) == 1
    before = page.locator(".choice-bar").bounding_box()
    press(page, "1")
    assert page.locator(".choice-bar").bounding_box() == before
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
    body = page.locator("[data-body]").filter(has_text="word").first
    assert body.evaluate("one => one.scrollHeight > one.clientHeight")


HOSTILE = [
    "<img src=x onerror=alert(1)> **bold**\n\n[go](javascript:alert(1)) [there](https://example.org)",
    "</script><script>alert(1)</script>\n\n<b>not bold</b>",
]


def test_no_response_can_inject_markup(open_page) -> None:
    made = items.Record(text="Question 0", split="train", data={"responses": HOSTILE})
    project = published(FIELD, [made])
    page = open_page(factories.add_member(project), f"/p/{project.slug}/label")
    bodies = page.locator(".responses")
    expect(bodies.locator("strong")).to_have_text(["bold"])
    assert bodies.locator("img, script, b").count() == 0
    assert bodies.locator("a").evaluate_all("links => links.map((link) => link.href)") == [
        "https://example.org/"
    ]
    expect(bodies).to_contain_text("<img src=x onerror=alert(1)>")


WRITTEN = [
    "# Title\n\nOne *two* **three** `code` ~~gone~~.\n\n- a\n- b\n  - c\n\n1. x\n2. y\n",
    "Steps:\n\n1. **First**: do it\n\n   ```python\n   print('*')\n   ```\n2. Then",
    "> quoted\n> more\n\n---\nend",
    "| a | b |\n|---|:-:|\n| 1 | **2** |\n\nfoo_bar_baz 2*3*4 **bold*it*alic** \\*no\\*",
    "两个**重点**，`代码`。\n\n* 甲\n* 乙\n\n```\na < b && c\n```\n\nsoft\nbreak  \nhard",
    "Head\n====\n\n- one\n\n- two\n\n5) five\n6) six\n\n    indented",
    "[x](http://a.b/c_(d)) <https://e.f> &amp; &lt;b&gt;",
]
TAGS = """(html) => {
  const box = document.createElement("div");
  box.innerHTML = html;
  const lower = (tag) => (/^H[1-6]$/.test(tag) ? "H" : tag);
  const walk = (node) => node.nodeType === 3 ? node.textContent.replace(/\\s+/g, " ")
    : `<${lower(node.tagName)}>${[...node.childNodes].map(walk).join("")}</>`;
  return walk(box).replaceAll(/ ?(<[^>]*>) ?/g, "$1").replaceAll(/> </g, "><");
}"""


@pytest.mark.parametrize("text", WRITTEN)
def test_the_browser_formats_as_the_server_does(open_page, text: str) -> None:
    made = items.Record(text="Question 0", split="train", data={"responses": [text, "other"]})
    project = published(FIELD, [made])
    page = open_page(factories.add_member(project), f"/p/{project.slug}/label")
    card = page.locator('[data-response="r1"] [data-body]')
    assert page.evaluate(TAGS, card.inner_html()) == page.evaluate(TAGS, str(markdown.render(text)))


def test_a_reviewer_sees_the_preference_and_corrects_it(open_page) -> None:
    project = published(FIELD, [record(0, 2), record(1, 2)], spot_check_share=1.0)
    page = open_page(factories.add_member(project), f"/p/{project.slug}/label")
    press(page, "1", "1", "Enter")
    question(page, 1)
    press(page, "1", "1", "Enter")
    expect(page.get_by_role("heading", name="Nothing is waiting for you")).to_be_visible()
    is_saved(page)
    page = open_page(factories.add_member(project, Role.REVIEWER), f"/p/{project.slug}/review")
    order = shown(page)
    given = Review.objects.get(item__text="Question 0").annotation.value["preferred"]["ranking"]
    letter = "AB"[order.index(given[0][0])]
    expect(page.locator(".suggestion strong")).to_contain_text(f"{letter} > ")
    expect(page.get_by_role("button", name=f"{letter} is better")).to_have_attribute("aria-pressed", "true")
    page.wait_for_timeout(UNREAD)
    press(page, "2" if letter == "A" else "1")
    expect(page.get_by_role("button", name="Right")).to_be_disabled()
    with page.expect_navigation():
        press(page, "c")
    page.wait_for_timeout(UNREAD)
    with page.expect_navigation():
        press(page, "Enter")
    expect(page.get_by_role("heading", name="Nothing to review")).to_be_visible()
    corrected = Annotation.objects.get(supersedes__isnull=False)
    assert corrected.value["preferred"]["ranking"] == given[::-1]
    assert sorted(Review.objects.values_list("verdict", flat=True)) == ["right", "wrong"]


def test_it_works_without_scripts(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label", java_script_enabled=False)
    order = shown(page)
    page.get_by_label("Place of response A").select_option("2")
    page.get_by_label("Place of response B").select_option("1")
    page.get_by_text("Much better", exact=True).click()
    page.get_by_role("button", name="Submit").click()
    question(page, 1)
    assert values(project) == [
        {"preferred": {"ranking": [[order[1]], [order[0]]], "strength": "much", "reasons": []}}
    ]
