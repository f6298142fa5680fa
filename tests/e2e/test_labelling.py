"""Labelling in a real browser: keys, undo, skip, suggestions, search, and what happens offline."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from annotation.models import Annotation, Comment, Slot
from annotation.selectors import schemas as schema_reads
from annotation.services import batches, guidelines, prelabels
from tests import factories
from tests.e2e.messages import TEXTS, answers, saved, text
from tests.e2e.steps import eventually, press

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

UNHURRIED = 400  # ms between two presses of one key; a faster one counts as a bounce


def test_a_key_labels_and_the_next_item_is_there(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    expect(text(page)).to_have_text(TEXTS[0])
    press(page, "1")
    expect(text(page)).to_have_text(TEXTS[1])
    press(page, "2")
    expect(text(page)).to_have_text(TEXTS[2])
    expect(saved(page)).to_have_text("saved ✓")
    assert answers(project) == [(TEXTS[0], "refund"), (TEXTS[1], "card-lost")]
    expect(page.locator("[data-part=progress]")).to_have_text("2 of 60 today")


def test_all_items_can_be_labelled_and_the_page_then_says_so(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    for number in range(len(TEXTS)):
        expect(text(page)).to_have_text(TEXTS[number])
        page.wait_for_timeout(UNHURRIED)
        press(page, "3")
    expect(page.get_by_role("heading", name="Nothing is waiting for you")).to_be_visible()
    expect(saved(page)).to_have_text("saved ✓")
    assert [label for _, label in answers(project)] == ["other"] * len(TEXTS)


def test_active_time_is_measured(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    page.wait_for_timeout(500)
    press(page, "1")
    expect(saved(page)).to_have_text("saved ✓")
    eventually(lambda: Annotation.objects.exists())
    assert 400 <= Annotation.objects.get().active_ms <= 5000


def test_undo_brings_the_item_back_with_its_label_marked(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    press(page, "1")
    expect(text(page)).to_have_text(TEXTS[1])
    expect(saved(page)).to_have_text("saved ✓")
    press(page, "u")
    expect(text(page)).to_have_text(TEXTS[0])
    expect(page.get_by_role("button", name="Refund")).to_have_attribute("aria-pressed", "true")
    eventually(lambda: answers(project) == [])
    press(page, "2")
    expect(text(page)).to_have_text(TEXTS[1])
    eventually(lambda: answers(project) == [(TEXTS[0], "card-lost")])


def test_undo_right_after_loading_takes_back_the_last_one_stored(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    press(page, "1")
    expect(saved(page)).to_have_text("saved ✓")
    eventually(lambda: len(answers(project)) == 1)
    page.reload()
    expect(text(page)).to_have_text(TEXTS[1])
    press(page, "u")
    expect(text(page)).to_have_text(TEXTS[0])
    assert answers(project) == []


def test_skipping_asks_for_a_reason_and_passes_the_item_on(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    press(page, "s")
    expect(page.get_by_role("dialog")).to_be_visible()
    press(page, "2")
    expect(text(page)).to_have_text(TEXTS[1])
    eventually(lambda: Slot.objects.filter(state=Slot.State.SKIPPED).exists())
    skipped = Slot.objects.get(state=Slot.State.SKIPPED)
    assert (skipped.item.text, skipped.skip_reason) == (TEXTS[0], "No label fits")
    press(page, "s")
    page.get_by_label("Or in your own words").fill("half of it is missing")
    press(page, "Enter")
    eventually(lambda: Slot.objects.filter(skip_reason="half of it is missing").exists())
    assert answers(project) == []


def test_enter_accepts_the_suggestion(open_page, project, ana) -> None:
    labeller = factories.make_model_labeller(project)
    items = list(project.items.order_by("row"))
    prelabels.store(project, labeller, [(item.pk, {"label": "card-lost"}, 0.82, {}) for item in items[:2]])
    page = open_page(ana, f"/p/{project.slug}/label")
    expect(page.locator("[data-part=suggestion]")).to_contain_text("Card lost")
    expect(page.locator("[data-part=suggestion]")).to_contain_text("82 %")
    press(page, "Enter")
    expect(text(page)).to_have_text(TEXTS[1])
    eventually(lambda: answers(project) == [(TEXTS[0], "card-lost")])
    assert Annotation.objects.get().accepted_prelabel
    press(page, "1")
    expect(text(page)).to_have_text(TEXTS[2])
    expect(page.locator("[data-part=suggestion]")).to_be_hidden()
    press(page, "Enter")  # nothing is suggested: nothing happens
    expect(text(page)).to_have_text(TEXTS[2])
    eventually(lambda: len(answers(project)) == 2)
    assert not Annotation.objects.order_by("-pk")[0].accepted_prelabel


def test_ten_presses_a_second_label_one_item(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    expect(text(page)).to_have_text(TEXTS[0])
    # by a clock of the test's own: a busy test machine must not stretch the pauses
    page.evaluate(
        """async () => { let at = performance.now(); performance.now = () => at;
           for (let i = 0; i < 10; i++, at += 100) {
             const press = {key: "1", bubbles: true, cancelable: true};
             document.body.dispatchEvent(new KeyboardEvent("keydown", press));
             await new Promise((done) => setTimeout(done, 0)); } }"""
    )
    expect(text(page)).to_have_text(TEXTS[1])
    eventually(lambda: len(answers(project)) == 1)


def test_a_double_tap_labels_one_item(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label", width=390, height=780, has_touch=True)
    # by a clock of the test's own: a busy test machine must not stretch the pause
    page.evaluate("() => { const at = performance.now(); performance.now = () => at; }")
    page.get_by_role("button", name="Refund").dblclick(delay=5)
    expect(text(page)).to_have_text(TEXTS[1])
    eventually(lambda: len(answers(project)) == 1)


def test_a_key_held_down_labels_one_item(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    expect(text(page)).to_have_text(TEXTS[0])
    for _ in range(6):
        page.keyboard.down("1")  # without a release in between: the browser says repeat
        page.wait_for_timeout(200)
    page.keyboard.up("1")
    expect(text(page)).to_have_text(TEXTS[1])
    eventually(lambda: len(answers(project)) == 1)


def test_keys_do_nothing_with_ctrl_in_dialogs_and_in_fields(open_page, project, ana) -> None:
    guidelines.publish(project, "# Be exact")
    page = open_page(ana, f"/p/{project.slug}/label")
    press(page, "Control+1")
    press(page, "Alt+2")
    press(page, "g")
    expect(page.get_by_role("heading", name="Be exact")).to_be_visible()
    press(page, "1")
    press(page, "Escape")
    press(page, "?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    press(page, "2")
    press(page, "Escape")
    press(page, "s")
    page.get_by_label("Or in your own words").press_sequentially("u123")
    press(page, "Escape")
    expect(text(page)).to_have_text(TEXTS[0])
    assert answers(project) == []


def test_seventy_seven_labels_are_within_reach(open_page) -> None:
    project = factories.make_project(
        labels=[f"Intent {i:02}" for i in range(77)], overlap_share=0, evaluation_items=0
    )
    items = factories.make_items(project, TEXTS, split="train")
    batches.publish(project, [batches.Pick(row=item.row) for item in items], origin="test", title="First")
    page = open_page(factories.add_member(project), f"/p/{project.slug}/label")
    press(page, "a")  # the tenth label
    expect(text(page)).to_have_text(TEXTS[1])
    press(page, "/")
    page.keyboard.type("int 76")
    expect(page.locator("[data-label-id]:visible")).to_have_count(1)
    expect(text(page)).to_have_text(TEXTS[1])
    press(page, "Enter")
    expect(text(page)).to_have_text(TEXTS[2])
    expect(page.locator("[data-label-id]:visible")).to_have_count(77)
    press(page, "/")
    page.keyboard.type("nothing like it")
    expect(page.get_by_text("No label matches")).to_be_visible()
    press(page, "Enter")
    press(page, "Escape")
    expect(page.locator("[data-label-id]:visible")).to_have_count(77)
    eventually(lambda: [label for _, label in answers(project)] == ["intent-09", "intent-76"])


def test_answers_given_offline_are_kept_and_sent_later(open_page, complaints, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    expect(text(page)).to_have_text(TEXTS[0])
    page.context.set_offline(True)
    press(page, "1")
    expect(saved(page)).to_have_text("offline, 1 kept here")
    press(page, "2")
    expect(saved(page)).to_have_text("offline, 2 kept here")
    press(page, "u")  # not sent yet: taken back here
    expect(saved(page)).to_have_text("offline, 1 kept here")
    expect(text(page)).to_have_text(TEXTS[1])
    press(page, "3")
    expect(saved(page)).to_have_text("offline, 2 kept here")
    assert answers(project) == []
    page.context.set_offline(False)
    expect(saved(page)).to_have_text("saved ✓")
    assert answers(project) == [(TEXTS[0], "refund"), (TEXTS[1], "other")]
    complaints.clear()  # the browser reports each request that failed


def test_a_closed_tab_loses_no_answer(open_page, complaints, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    expect(text(page)).to_have_text(TEXTS[0])
    page.context.set_offline(True)
    press(page, "1")
    expect(saved(page)).to_have_text("offline, 1 kept here")
    page.context.set_offline(False)
    again = page.context.new_page()
    page.close()
    again.goto(f"/p/{project.slug}/label")
    expect(text(again)).to_have_text(TEXTS[1])  # the answered one is not shown a second time
    expect(saved(again)).to_have_text("saved ✓")
    assert answers(project) == [(TEXTS[0], "refund")]
    complaints.clear()


def test_a_refused_answer_is_told_with_its_reason(open_page, complaints, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    expect(text(page)).to_have_text(TEXTS[0])
    Slot.objects.filter(item__text=TEXTS[0]).update(state=Slot.State.DONE, person=factories.make_user())
    press(page, "1")
    expect(page.locator("[data-part=notice]")).to_be_visible()
    expect(saved(page)).to_have_text("saved ✓")
    expect(text(page)).to_have_text(TEXTS[1])
    assert answers(project) == []
    complaints.clear()


def test_it_works_without_scripts(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label", java_script_enabled=False)
    page.get_by_role("button", name="Card lost").click()
    expect(text(page)).to_have_text(TEXTS[1])
    assert answers(project) == [(TEXTS[0], "card-lost")]
    page.get_by_role("button", name="undo").click()
    expect(text(page)).to_have_text(TEXTS[0])
    assert answers(project) == []
    page.get_by_role("button", name="skip").click()
    page.get_by_role("button", name="Several labels fit").click()
    expect(text(page)).to_have_text(TEXTS[1])
    assert Slot.objects.get(state=Slot.State.SKIPPED).skip_reason == "Several labels fit"


def test_why_this_item_is_told(open_page) -> None:
    project = factories.make_project(overlap_share=0, evaluation_items=0)
    item = factories.make_item(project, TEXTS[0])
    explanation = {
        "parts": {"uncertainty": 0.71, "hardness": 0.352},
        "weights": {"uncertainty": 0.4},
        "tags": ["boundary"],
        "round": 4,
        "note": "Where it is unsure.",
    }
    batches.publish(project, [batches.Pick(row=item.row, explanation=explanation)], origin="t", title="t")
    page = open_page(factories.add_member(project), f"/p/{project.slug}/label")
    expect(page.locator("[data-part=parts]")).to_have_text(
        "unsure 0.71 × 0.4 · hard 0.35 · boundary · round 4"
    )
    page.get_by_text("Why this item").click()
    expect(page.get_by_text("Where it is unsure.")).to_be_visible()


def test_f_flags_the_item_and_it_stays(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label")
    expect(text(page)).to_have_text(TEXTS[0])
    page.keyboard.press("f")
    page.keyboard.type("1 or 2?")  # keys do nothing else while one types
    page.get_by_role("button", name="Flag", exact=True).click()
    expect(page.get_by_text("Flagged: reviewers are told.")).to_be_visible()
    expect(text(page)).to_have_text(TEXTS[0])
    eventually(lambda: Comment.objects.exists())
    assert Comment.objects.get().text == "1 or 2?"
    press(page, "1")
    expect(text(page)).to_have_text(TEXTS[1])
    eventually(lambda: answers(project) == [(TEXTS[0], "refund")])


@pytest.mark.parametrize("width", [1440, 390])
def test_a_long_name_without_spaces_stays_inside_its_button(open_page, width: int) -> None:
    long = "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz_und_mehr"
    project = factories.make_project(labels=[long, "Other"], overlap_share=0, evaluation_items=0)
    item = factories.make_item(project, TEXTS[0])
    label = schema_reads.label_field(schema_reads.require(project))["labels"][0]["id"]
    prelabels.store(project, factories.make_model_labeller(project), [(item.pk, {"label": label}, 0.8, {})])
    batches.publish(project, [batches.Pick(row=item.row)], origin="test", title="First")
    page = open_page(factories.add_member(project), f"/p/{project.slug}/label", width=width)
    expect(page.locator("[data-part=suggestion]")).to_contain_text(long)
    for place in (".label-button >> nth=0", ".suggestion", "html"):
        wide, shown = page.locator(place).evaluate("(one) => [one.scrollWidth, one.clientWidth]")
        assert wide == shown, place


def test_the_keys_are_explained_in_a_narrow_window_with_nothing_cut_off(open_page, project, ana) -> None:
    page = open_page(ana, f"/p/{project.slug}/label", width=390, height=780)
    press(page, "?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    box = dialog.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    assert box["y"] >= 0 and box["y"] + box["height"] <= 780
    for place in (dialog, *dialog.locator("dt, dd").all()):
        wide, shown = place.evaluate("(one) => [one.scrollWidth, one.clientWidth]")
        assert wide <= shown, place.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
