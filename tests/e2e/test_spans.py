"""Marking spans in a real browser: mouse, keys alone, touch, relations, suggestions, review; and offsets."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from annotation.models import Annotation, Project, Review, Role, Slot
from annotation.services import batches, labelling, prelabels, projects, queue
from tests import factories
from tests.e2e.steps import eventually, press

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

SCRIPTS = Path(__file__).parent
TEXT = "Ana Müller from Berlin works for Siemens."
NEXT = "Nothing to see here."
LABELS = [
    {"id": "person", "name": "Person", "colour": "blue"},
    {"id": "place", "name": "Place"},
    {"id": "company", "name": "Company"},
]
RELATIONS = [{"id": "works-for", "name": "works for"}, {"id": "in", "name": "is in"}]

# Each with the words to mark, in order of appearance; the last of them is marked with the second label.
NASTY = [
    ("👩🏽‍💻 Ana 👨‍👩‍👧‍👦 and 🇩🇪🇫🇷 flags", ["👩🏽‍💻", "Ana", "👨‍👩‍👧‍👦", "🇫🇷"]),
    ("x\U0001d54f y\U00020bb7家 z", ["\U0001d54f", "y\U00020bb7家", "z"]),
    ("Zoe\u0308 e\u0301te\u0301 n\u0303 Z\u0351\u036b\u0343a\u0301lgo", ["Zoe\u0308", "n\u0303", "a\u0301lgo"]),
    ("张伟在上海的阿里巴巴工作。", ["张伟", "上海", "阿里巴巴"]),
    ("مرحبا يا آنا، أهلا في Berlin 2024", ["آنا", "Berlin 2024"]),
    ("שלום עולם 😀 and back עִבְרִית", ["שלום", "😀 and", "עִבְרִית"]),
    ("한국어 ก็ได้ हिन्दी क्षत्रिय", ["한국어", "ก็ได้", "क्षत्रिय"]),
    ("line one\n\n  👍🏿 two\u00a0three\n\ttabs", ["one\n\n  👍🏿 two", "tabs"]),
    ("<b>not markup</b> & &amp; <script>alert(1)</script>", ["<b>not", "&amp;", "<script>alert(1)</script>"]),
]  # fmt: skip


def make_project(texts: list[str], **field: Any) -> Project:
    definition = {"fields": [{"name": "entities", "type": "spans", "labels": LABELS, **field}]}
    made = projects.create(
        "Entities",
        definition=definition,
        overlap_share=0,
        evaluation_items=0,
        spot_check_share=0,
        prelabel_hidden_share=0,
    )
    items = factories.make_items(made, texts, split="train")
    batches.publish(made, [batches.Pick(row=item.row) for item in items], origin="test", title="First")
    return made


@pytest.fixture
def project() -> Project:
    return make_project([TEXT, NEXT], relations=RELATIONS)


@pytest.fixture
def ana(project: Project) -> Any:
    return factories.add_member(project)


def opened(open_page: Any, project: Project, **options: Any) -> Page:
    page = open_page(factories.add_member(project), f"/p/{project.slug}/label", **options)
    expect(page.locator("[data-label-page][data-painted]")).to_have_count(1)
    return page


def text(page: Page) -> Any:
    return page.locator("[data-part=text]")


def marked(page: Page) -> list[str]:
    """The list of marks, as people read it."""
    return page.locator("[data-span-list] .span-go").all_inner_texts()


# The middle of the letter at a place of the text, and a selection as a long press and its handles make one.
POINT = """([at, end]) => {
  const surface = document.querySelector("[data-part=text]");
  const walker = document.createTreeWalker(surface, NodeFilter.SHOW_TEXT);
  let left = at;
  for (let node = walker.nextNode(); node; left -= node.length, node = walker.nextNode()) {
    if (left >= node.length) continue;
    const range = document.createRange();
    range.setStart(node, left);
    range.setEnd(node, left + 1);
    const box = range.getBoundingClientRect();
    return [end ? box.right - 1 : box.left + 1, box.top + box.height / 2];
  }
}"""
SELECT = """([start, end]) => {
  const surface = document.querySelector("[data-part=text]");
  const walker = document.createTreeWalker(surface, NodeFilter.SHOW_TEXT);
  const places = [];
  for (const wanted of [start, end]) {
    walker.currentNode = surface;
    let left = wanted;
    for (let node = walker.nextNode(); node; left -= node.length, node = walker.nextNode()) {
      if (left > node.length) continue;
      places.push([node, left]);
      break;
    }
  }
  getSelection().setBaseAndExtent(...places[0], ...places[1]);
}"""


def drag(page: Page, words: str) -> None:
    """Select words by dragging over them, from their first letter to their last."""
    held = text(page).text_content()
    start = held.index(words)
    x, y = page.evaluate(POINT, [start, False])
    page.mouse.move(x, y)
    page.mouse.down()
    x, y = page.evaluate(POINT, [start + len(words) - 1, True])
    page.mouse.move(x, y, steps=4)
    page.mouse.up()
    page.wait_for_timeout(30)


def units(words: str) -> int:
    return len(words.encode("utf-16-le")) // 2


def stored() -> dict[str, Any]:
    """The last answer stored, once there is one."""
    eventually(lambda: Annotation.objects.filter(is_retraction=False).exists())
    return Annotation.objects.filter(is_retraction=False).order_by("-pk")[0].value["entities"]


def submit(page: Page) -> dict[str, Any]:
    answers = Annotation.objects.filter(is_retraction=False)  # an undo on its way is none
    count = answers.count()
    press(page, "Enter")
    eventually(lambda: answers.count() > count)
    return stored()


def said(answer: dict[str, Any], source: str) -> list[tuple[str, str]]:
    return [(source[one["start"] : one["end"]], one["label"]) for one in answer["spans"]]


def test_by_mouse_words_are_selected_and_a_key_or_a_button_marks_them(open_page, project) -> None:
    page = opened(open_page, project)
    drag(page, "Ana Müller")
    press(page, "1")
    assert marked(page) == ["Person: Ana Müller"]
    drag(page, " from Berlin "[5:])  # the white space at its ends is left out
    page.get_by_role("button", name="Place").click()
    assert marked(page) == ["Person: Ana Müller", "Place: Berlin"]
    expect(text(page)).to_have_text(TEXT)
    answer = submit(page)
    assert said(answer, TEXT) == [("Ana Müller", "person"), ("Berlin", "place")]
    expect(text(page)).to_have_text(NEXT)
    assert marked(page) == []


def test_a_label_may_be_chosen_first(open_page, project) -> None:
    page = opened(open_page, project)
    page.get_by_role("button", name="Company").click()
    expect(page.locator("[data-span-hint]")).to_contain_text("Company is in hand")
    drag(page, "Siemens")
    assert marked(page) == ["Company: Siemens"]
    x, y = page.evaluate(POINT, [TEXT.index("Berlin"), False])
    page.mouse.dblclick(x + 3, y)
    expect(page.locator("[data-span-list] li")).to_have_count(2)
    assert marked(page) == ["Company: Berlin", "Company: Siemens"]
    press(page, "Escape")
    expect(page.locator("[data-span-hint]")).to_contain_text("Select words")
    drag(page, "works")
    assert len(marked(page)) == 2


def test_by_keyboard_alone_marks_are_made_walked_changed_and_removed(open_page, project) -> None:
    page = opened(open_page, project)
    expect(text(page)).to_be_focused()
    press(page, "ArrowRight", "Shift+ArrowRight", "1")  # Ana Müller
    press(page, "ArrowRight", "ArrowRight", "1")  # Berlin, as a person
    press(page, *["ArrowRight"] * 3, "Control+Shift+ArrowLeft", "3")  # Siemen
    assert marked(page) == ["Person: Ana Müller", "Person: Berlin", "Company: Siemen"]
    press(page, "Shift+Tab", "Shift+Tab")
    expect(page.locator("[data-span-said]")).to_have_text("Person: Berlin, chosen")
    press(page, "2")
    assert marked(page) == ["Person: Ana Müller", "Place: Berlin", "Company: Siemen"]
    press(page, "Tab", "Delete")
    assert marked(page) == ["Person: Ana Müller", "Place: Berlin"]
    press(page, "End", "3")
    assert marked(page)[2] == "Company: Siemens"
    press(page, "Shift+Tab", "Backspace", "Control+z")
    press(page, "Control+z", "Control+z")
    assert marked(page) == ["Person: Ana Müller", "Place: Berlin", "Company: Siemen"]
    press(page, "Control+Shift+z")
    assert marked(page) == ["Person: Ana Müller", "Place: Berlin"]
    assert said(submit(page), TEXT) == [("Ana Müller", "person"), ("Berlin", "place")]


def test_tab_leaves_the_text_behind_the_last_mark(open_page, project) -> None:
    page = opened(open_page, project)
    press(page, "ArrowRight", "1", "Home", "Tab")
    expect(page.locator("[data-span-said]")).to_contain_text("Person: Ana")
    press(page, "Tab")
    expect(text(page)).not_to_be_focused()


def test_relations_are_drawn_and_removed_by_keys(open_page, project) -> None:
    page = opened(open_page, project)
    press(page, "ArrowRight", "Shift+ArrowRight", "1", *["ArrowRight"] * 5, "3")
    press(page, "Shift+Tab", "Shift+Tab", "r")
    expect(page.locator("[data-span-hint]")).to_contain_text("From Person: Ana Müller")
    press(page, "1")  # no other mark was chosen yet
    expect(page.locator("[data-complaint]")).to_contain_text("to another mark")
    press(page, "Tab", "1")
    expect(page.locator("[data-relation-list]")).to_contain_text("Ana Müller works for → Siemens")
    press(page, "r", "Tab", "2")
    expect(page.locator("[data-relation-list] li")).to_have_count(2)
    page.get_by_role("button", name="Remove Ana Müller is in → Siemens").click()
    expect(page.locator("[data-relation-list] li")).to_have_count(1)
    assert submit(page) == {
        "spans": [
            {"start": 0, "end": 10, "label": "person"},
            {"start": 33, "end": 40, "label": "company"},
        ],
        "relations": [{"from": 0, "to": 1, "label": "works-for"}],
    }


def test_a_removed_mark_takes_its_relations_along(open_page, project) -> None:
    page = opened(open_page, project)
    press(page, "ArrowRight", "1", "End", "3", "Shift+Tab", "r", "Shift+Tab", "1")
    expect(page.locator("[data-relation-list] li")).to_have_count(1)
    page.get_by_role("button", name="Remove Person: Ana").click()
    expect(page.locator("[data-relation-list] li")).to_have_count(0)
    press(page, "Control+z")
    expect(page.locator("[data-relation-list] li")).to_have_count(1)


def test_by_touch_a_selection_or_a_tap_marks_under_the_thumb(open_page, project) -> None:
    page = opened(open_page, project, width=390, height=780, has_touch=True, is_mobile=True)
    buttons = page.locator(".label-button:visible")
    assert all(buttons.nth(at).bounding_box()["y"] > 390 for at in range(3))
    assert all(buttons.nth(at).bounding_box()["height"] >= 44 for at in range(3))
    page.evaluate(SELECT, [0, 10])
    page.wait_for_timeout(50)
    page.get_by_role("button", name="Person").tap()
    expect(page.locator("[data-span-count]")).to_have_text("1")
    page.get_by_role("button", name="Place").tap()  # in hand: a tap on a word marks it
    x, y = page.evaluate(POINT, [TEXT.index("Berlin"), False])
    page.touchscreen.tap(x + 5, y)
    expect(page.locator("[data-span-count]")).to_have_text("2")
    page.get_by_role("button", name="let go").tap()
    x, y = page.evaluate(POINT, [0, False])
    page.touchscreen.tap(x + 5, y)
    expect(page.locator("[data-span-hint]")).to_have_text("Person: Ana Müller")
    page.get_by_role("button", name="Company").tap()
    page.get_by_role("button", name="Submit").tap()
    assert said(stored(), TEXT) == [("Ana Müller", "company"), ("Berlin", "place")]
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize(("held", "words"), NASTY, ids=range(len(NASTY)))
def test_stored_places_are_python_slices(open_page, held: str, words: list[str]) -> None:
    project = make_project([held])
    page = opened(open_page, project)
    at = 0
    for number, one in enumerate(words):
        start = held.index(one, at)
        at = start + len(one)
        page.evaluate(SELECT, [units(held[:start]), units(held[:at])])
        page.wait_for_timeout(30)
        press(page, "2" if number == len(words) - 1 else "1")
    assert text(page).evaluate("element => element.textContent") == held
    answer = submit(page)
    assert [word for word, _ in said(answer, held)] == words
    assert [label for _, label in said(answer, held)] == ["person"] * (len(words) - 1) + ["place"]
    # painted again from code points, the same words are marked
    press(page, "u")
    expect(page.locator("[data-span-list] li")).to_have_count(len(words))
    assert submit(page) == answer


def test_code_points_and_units_are_converted_exactly(open_page) -> None:
    """Every pre-labelled span of every nasty text comes back as it was: the page's two ways against Python."""
    project = make_project([held for held, _ in NASTY], overlapping=True)
    labeller = factories.make_model_labeller(project)
    values = {}
    for item in project.items.all():
        ends = [at for at in range(0, len(item.text) + 1, 2)]
        spans = [
            {"start": start, "end": end, "label": "person"}
            for start in ends
            for end in ends
            if start < end and item.text[start:end].strip()
        ][:60]
        values[item.pk] = {"spans": spans}
    given = [(pk, {"entities": value}, 0.9, {}) for pk, value in values.items()]
    prelabels.store(project, labeller, given)
    page = opened(open_page, project)
    for number in range(len(NASTY)):
        expect(page.locator("[data-label-page][data-painted]")).to_have_count(1)
        page.wait_for_timeout(400)
        press(page, "Enter")
        eventually(lambda n=number: Annotation.objects.count() == n + 1)
    for one in Annotation.objects.all():
        found = one.value["entities"]["spans"]
        assert sorted(map(str, found)) == sorted(map(str, values[one.item_id]["spans"]))
        assert one.accepted_prelabel


def test_a_selection_snaps_to_what_people_see(open_page) -> None:
    project = make_project(["A 👩🏽‍💻 coder Zoe\u0308 \n end"], whole_words=True)
    page = opened(open_page, project)
    held = "A 👩🏽‍💻 coder Zoe\u0308 \n end"
    inside = units("A 👩")
    page.evaluate(SELECT, [inside, inside + 1])  # between the parts of one emoji
    page.wait_for_timeout(30)
    press(page, "1")
    start = units(held[: held.index("oder")])
    page.evaluate(SELECT, [start, start + 2])  # inside a word
    page.wait_for_timeout(30)
    press(page, "2")
    page.evaluate(SELECT, [units(held) - 9, units(held) - 3])
    page.wait_for_timeout(30)
    press(page, "3")
    assert said(submit(page), held) == [("👩🏽‍💻", "person"), ("coder", "place"), ("Zoe\u0308", "company")]


def test_a_double_click_takes_a_chinese_word(open_page) -> None:
    project = make_project(["张伟在上海的阿里巴巴工作。"])
    page = opened(open_page, project)
    x, y = page.evaluate(POINT, [4, False])
    page.mouse.dblclick(x + 4, y)
    page.wait_for_timeout(50)
    press(page, "2")
    assert marked(page) == ["Place: 上海"]


def test_in_right_to_left_text_left_goes_on(open_page) -> None:
    project = make_project(["مرحبا يا آنا"])
    page = opened(open_page, project)
    press(page, "ArrowLeft", "ArrowLeft", "ArrowLeft", "1")
    assert marked(page) == ["Person: آنا"]


def test_nested_and_overlapping_are_refused_or_taken_as_the_schema_says(open_page) -> None:
    page = opened(open_page, make_project([TEXT]))
    drag(page, "Ana Müller")
    press(page, "1")
    drag(page, "Müller")
    press(page, "2")
    expect(page.locator("[data-complaint]")).to_have_text(
        "Marks may not lie inside one another here: Person: Ana Müller is in the way. "
        "Select other words, or remove it first."
    )
    drag(page, "Müller from")
    press(page, "2")
    expect(page.locator("[data-complaint]")).to_contain_text("Marks may not overlap here")
    drag(page, "Ana Müller")
    press(page, "2")  # the very same words: another label for them
    assert marked(page) == ["Place: Ana Müller"]
    page = opened(open_page, make_project([TEXT], nested=True))
    for words, key in (("Ana Müller", "1"), ("Müller", "2"), ("Müller from", "3")):
        drag(page, words)
        press(page, key)
    assert marked(page) == ["Person: Ana Müller", "Place: Müller"]
    expect(page.locator("[data-complaint]")).to_contain_text("Marks may not overlap here")
    page = opened(open_page, make_project([TEXT], overlapping=True))
    for words, key in (("Ana Müller", "1"), ("Müller", "2"), ("Müller from", "3")):
        drag(page, words)
        press(page, key)
    assert said(submit(page), TEXT) == [
        ("Ana Müller", "person"),
        ("Müller from", "company"),
        ("Müller", "place"),
    ]


def test_a_click_goes_through_the_marks_that_lie_on_one_another(open_page) -> None:
    page = opened(open_page, make_project([TEXT], nested=True))
    drag(page, "Ana Müller")
    press(page, "1")
    drag(page, "Müller")
    press(page, "2")
    x, y = page.evaluate(POINT, [6, False])
    for hint in ("Place: Müller", "Person: Ana Müller", "Place: Müller"):
        page.mouse.click(x, y)
        expect(page.locator("[data-span-hint]")).to_have_text(hint)
        page.wait_for_timeout(600)  # slower than a double click
    page.locator(".span-tag").nth(1).click()
    expect(page.locator("[data-span-hint]")).to_have_text("Person: Ana Müller")


def test_undo_and_a_reload_bring_the_marks_back(open_page, project) -> None:
    page = opened(open_page, project)
    press(page, "ArrowRight", "1", "ArrowRight", "2")
    page.reload()
    expect(page.locator("[data-span-list] li")).to_have_count(2)
    press(page, "Enter")
    expect(text(page)).to_have_text(NEXT)
    expect(page.locator("[data-part=saved]")).to_have_text("saved ✓")
    press(page, "u")
    expect(text(page)).to_have_text(TEXT)
    assert marked(page) == ["Person: Ana", "Place: Müller"]
    press(page, "ArrowRight", "Delete")
    assert len(marked(page)) == 2  # nothing is chosen
    press(page, "Home", "Tab", "Delete")
    assert said(submit(page), TEXT) == [("Müller", "place")]


def test_skipping_passes_the_item_on(open_page, project) -> None:
    page = opened(open_page, project)
    press(page, "ArrowRight", "1", "s")
    expect(page.get_by_role("dialog")).to_be_visible()
    press(page, "2")
    expect(text(page)).to_have_text(NEXT)
    eventually(lambda: Slot.objects.filter(state=Slot.State.SKIPPED).exists())
    assert not Annotation.objects.exists()


def test_a_suggestion_is_dashed_until_touched_and_accepted_by_enter(open_page, project) -> None:
    labeller = factories.make_model_labeller(project)
    value = {
        "spans": [
            {"start": 0, "end": 10, "label": "person"},
            {"start": 16, "end": 22, "label": "place"},
        ],
        "relations": [{"from": 0, "to": 1, "label": "in"}],
    }
    items = project.items.order_by("row")
    prelabels.store(project, labeller, [(items[0].pk, {"entities": value}, 0.82, {})])
    page = opened(open_page, project)
    dashed = page.locator(".span-tag.untouched")
    expect(dashed).to_have_count(2)
    press(page, "Tab")
    expect(dashed).to_have_count(1)
    assert submit(page) == value
    assert Annotation.objects.get().accepted_prelabel


def test_a_reviewer_sees_the_marks_and_corrects_them(open_page, project) -> None:
    Project.objects.filter(pk=project.pk).update(spot_check_share=1)
    project.refresh_from_db()
    person = factories.add_member(project)
    value = {"spans": [{"start": 0, "end": 3, "label": "place"}], "relations": []}
    for slot in queue.lease(project, person, count=2):
        spans = value if slot.item.text == TEXT else {"spans": [], "relations": []}
        labelling.submit(project, person, slot.uuid, {"entities": spans}, client_key=uuid.uuid4().hex)
    page = open_page(factories.add_member(project, Role.REVIEWER), f"/p/{project.slug}/review")
    for _ in range(2):
        page.wait_for_timeout(350)
        if text(page).inner_text().startswith("Ana"):
            assert marked(page) == ["Place: Ana"]
            press(page, "Home", "Tab", "1")
            press(page, "End", "3")
            expect(page.get_by_role("button", name="Right")).to_be_disabled()
            press(page, "Enter")  # does not throw the correction away
            assert marked(page) == ["Person: Ana", "Company: Siemens"]
            with page.expect_navigation():
                press(page, "c")
        else:
            with page.expect_navigation():
                press(page, "Enter")
    assert sorted(Review.objects.values_list("verdict", flat=True)) == ["right", "wrong"]
    corrected = Annotation.objects.get(supersedes__isnull=False)
    assert said(corrected.value["entities"], TEXT) == [("Ana", "person"), ("Siemens", "company")]


def test_two_span_fields_share_the_text_and_labels_stand_beside_them(open_page) -> None:
    roles = {"name": "roles", "type": "spans", "labels": [{"id": "buyer", "name": "Buyer"}]}
    tone = {"name": "tone", "type": "classification", "labels": LABELS[:2]}
    entities = {"name": "entities", "type": "spans", "labels": LABELS}
    project = projects.create(
        "Two", definition={"fields": [tone, entities, roles]}, overlap_share=0, evaluation_items=0
    )
    items = factories.make_items(project, [TEXT], split="train")
    batches.publish(project, [batches.Pick(row=items[0].row)], origin="test", title="First")
    page = opened(open_page, project)
    press(page, "2")  # the tone; the keys go on to the entities
    drag(page, "Berlin")
    press(page, "2")
    expect(page.locator(".span-tag")).to_have_attribute("data-name", "Place")
    press(page, ".")
    expect(page.locator(".span-tag")).to_have_count(0)
    press(page, "ArrowRight", "1")
    expect(page.locator(".span-tag")).to_have_attribute("data-name", "Buyer")
    press(page, "Enter")
    eventually(lambda: Annotation.objects.exists())
    value = Annotation.objects.get().value
    assert value["tone"] == "place"
    assert said(value["entities"], TEXT) == [("Berlin", "place")]
    assert said(value["roles"], TEXT) == [("Ana", "buyer")]


def test_many_labels_are_searched_and_a_tree_is_walked(open_page) -> None:
    labels = [{"id": f"l{number}", "name": f"Label {number}"} for number in range(30)]
    page = opened(open_page, make_project([TEXT], labels=labels))
    drag(page, "Berlin")
    press(page, "/")
    page.keyboard.type("label 27")
    press(page, "Enter")
    assert marked(page) == ["Label 27: Berlin"]
    tree = [LABELS[0], {"id": "town", "name": "Town", "parent": "land"}, {"id": "land", "name": "Land"}]
    page = opened(open_page, make_project([TEXT], labels=tree))
    drag(page, "Berlin")
    press(page, "2", "1")
    assert marked(page) == ["Town: Berlin"]
    expect(page.get_by_role("button", name="Land")).to_be_visible()


def test_the_preview_of_a_schema_marks_too(open_page, project) -> None:
    admin = factories.add_member(project, Role.ADMIN)
    page = open_page(admin, f"/admin/p/{project.slug}/settings/labels")
    expect(text(page)).to_have_text(TEXT)
    expect(text(page)).not_to_be_focused()
    drag(page, "Berlin")
    page.keyboard.press("2")  # no item that must be painted first
    assert marked(page) == ["Place: Berlin"]


def test_it_works_without_scripts(open_page, project) -> None:
    page = opened_plain(open_page, project)
    value = {"spans": [{"start": 0, "end": 3, "label": "person"}], "relations": []}
    page.locator("textarea[name=entities]").fill(json.dumps(value))
    page.get_by_role("button", name="Submit").click()
    expect(text(page)).to_have_text(NEXT)
    assert stored() == value


def opened_plain(open_page: Any, project: Project) -> Page:
    return open_page(factories.add_member(project), f"/p/{project.slug}/label", java_script_enabled=False)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_marks_are_readable_and_named(open_page, project, width: int, theme: Any) -> None:
    page = opened(open_page, project, width=width, color_scheme=theme)
    press(page, "ArrowRight", "1", *["ArrowRight"] * 3, "2", "End", "3", "Shift+Tab", "r", "Shift+Tab", "1")
    expect(page.locator("[data-relation-list] li")).to_have_count(1)
    for script in ("contrasts.js", "nameless.js"):
        assert page.evaluate((SCRIPTS / script).read_text("utf-8")) == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


COUNT_CHANGES = """() => {
  window.changes = 0;
  const seen = new MutationObserver((found) => { window.changes += found.length; });
  seen.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
}"""


def layouts(session: Any) -> int:
    """How often the page was laid out so far."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return int(next(one["value"] for one in metrics if one["name"] == "LayoutCount"))


def test_a_mark_in_a_long_text_leaves_the_others_alone(open_page) -> None:
    """Three hundred marks are there; the work of one more is counted, its time is in bench.keypress."""
    held = " ".join(["Ana Müller from Berlin works for Siemens."] * 480)[:20_000].strip()
    project = make_project([held], overlapping=True)
    spans = [{"start": at * 60, "end": at * 60 + 9 + at % 30, "label": "person"} for at in range(300)]
    spans = [one for one in spans if held[one["start"] : one["end"]].strip()]
    labeller = factories.make_model_labeller(project)
    item = project.items.get()
    prelabels.store(project, labeller, [(item.pk, {"entities": {"spans": spans}}, 0.9, {})])
    page = opened(open_page, project)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    page.evaluate(COUNT_CHANGES)
    for _ in range(12):
        changes, before = page.evaluate("changes"), layouts(session)
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(60)
        page.keyboard.press("1")
        page.wait_for_timeout(150)
        assert 0 < page.evaluate("changes") - changes <= 60  # painting all anew takes more than six hundred
        assert layouts(session) - before <= 12
    expect(page.locator("[data-span-list] li")).to_have_count(len(spans) + 12)
