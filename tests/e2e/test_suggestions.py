"""Suggestions in a real browser: the quick pass by keys, and accepting in bulk with its way back."""

from __future__ import annotations

from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from annotation.models import Annotation, BulkAcceptance, Prelabel, Project, Rejection, Resolution, Role
from annotation.services import batches, prelabels
from jobs.services import jobs
from jobs.services.context import JobContext
from tests import factories
from tests.annotation.services.test_bulk_acceptance import Scene
from training.services import suggestions

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
SCRIPTS = Path(__file__).parent
APART = 200  # ms between two presses of one key; sooner is a bounce


@pytest.fixture
def project() -> Project:
    made = factories.make_project(
        overlap_share=0.0, evaluation_items=0, spot_check_share=0.0, self_consistency_share=0.0
    )
    items = factories.make_items(made, [f"message {n}" for n in range(6)], split="train")
    rows = [(item.pk, {"label": "refund"}, 0.8, {}) for item in items]
    prelabels.store(made, factories.make_model_labeller(made), rows)
    batches.publish(made, [batches.Pick(row=item.row) for item in items], origin="test", title="First")
    return made


def press(page: Any, key: str) -> None:
    page.wait_for_timeout(APART)
    page.keyboard.press(key)


def test_yes_no_undo_and_labelling_it_myself_by_keys(open_page: Any, project: Project) -> None:
    page = open_page(factories.add_member(project), f"/p/{project.slug}/check")
    text = page.locator("[data-part=text]")
    expect(text).to_have_text("message 0")
    press(page, "y")
    expect(text).to_have_text("message 1")
    press(page, "ArrowRight")
    expect(text).to_have_text("message 2")
    press(page, "n")
    expect(text).to_have_text("message 3")
    press(page, "Enter")
    expect(text).to_have_text("message 4")
    expect(page.locator("[data-part=saved]")).to_have_text("saved ✓")
    assert Annotation.objects.filter(accepted_prelabel=True, is_retraction=False).count() == 3
    assert [one.slot.item.text for one in Rejection.objects.all()] == ["message 2"]
    press(page, "u")
    expect(text).to_have_text("message 3")
    press(page, "u")
    expect(text).to_have_text("message 2")
    expect(page.locator("[data-part=saved]")).to_have_text("saved ✓")
    assert Rejection.objects.get().is_taken_back
    assert Annotation.objects.filter(is_retraction=True).count() == 1
    press(page, "e")
    page.wait_for_url("**/label?slot=*")
    expect(page.locator("[data-part=text]")).to_have_text("message 2")


def test_the_pass_ends_in_a_sentence_and_fits_a_phone(open_page: Any, project: Project) -> None:
    page = open_page(
        factories.add_member(project), f"/p/{project.slug}/check", width=390, height=780, has_touch=True
    )
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    mine = page.get_by_role("link", name="Label it myself")
    for turn in range(6):
        slot = mine.get_attribute("href") or ""
        page.wait_for_timeout(APART)
        page.get_by_role("button", name="Yes").tap()
        if turn < 5:  # a tap soon after the next is shown counts as a bounce
            expect(mine).not_to_have_attribute("href", slot)
    expect(page.get_by_role("heading", name="No suggestion is waiting for a yes or no")).to_be_visible()
    expect(page.locator("[data-part=saved]")).to_have_text("saved ✓")
    assert Annotation.objects.filter(accepted_prelabel=True).count() == 6


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_reviewer_accepts_in_bulk_and_undoes_it(open_page: Any, theme: str) -> None:
    scene = Scene(opened=12)
    page = open_page(scene.rita, f"/p/{scene.project.slug}/accept", color_scheme=theme)
    for script in ("contrasts.js", "nameless.js"):
        assert page.evaluate((SCRIPTS / script).read_text("utf-8")) == []
    page.get_by_role("button", name="Accept 12 suggestions").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("you can undo it as a whole")
    dialog.get_by_role("button", name="Accept 12 suggestions").click()
    expect(page.get_by_role("heading", name="Accepted in bulk: Model")).to_be_visible()
    jobs.drain()
    undo = page.get_by_role("button", name="Undo this acceptance")
    expect(undo).to_be_visible()
    assert Resolution.objects.filter(method="bulk", is_current=True).count() == 12
    undo.click()
    page.get_by_role("dialog").get_by_role("button", name="Undo this acceptance").click()
    expect(page.locator("#acceptance-state progress")).to_be_visible()
    jobs.drain()
    expect(page.get_by_text("Undone by")).to_be_visible()
    assert not Resolution.objects.filter(method="bulk", is_current=True).exists()
    assert BulkAcceptance.objects.get().state == "undone"


def test_an_engineer_reads_what_suggestions_do(open_page: Any) -> None:
    scene = Scene(opened=1)
    engineer = factories.add_member(scene.project, Role.ENGINEER)
    page = open_page(engineer, f"/admin/p/{scene.project.slug}/agreement")
    expect(page.get_by_role("heading", name="What showing suggestions does")).to_be_visible()
    expect(page.get_by_text("So far 0 answers saw a suggestion and 90 had it hidden")).to_be_visible()


def test_an_engineer_has_the_language_model_suggest_and_reads_how_right_it_is(
    open_page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suggestions, "PROGRAM", "tests.stand_in_suggest")
    monkeypatch.setattr(JobContext, "run_program", partialmethod(JobContext.run_program, in_process=True))
    project = factories.make_project(overlap_share=0.0, evaluation_items=0)
    known = factories.make_items(project, ["the refund", "a card lost", "refund or not"], split="train")
    factories.make_labels(project, known, ["Refund", "Card lost", "Other"])
    factories.make_items(project, ["my card is lost", "refund me"], split="train")
    page = open_page(
        factories.add_member(project, Role.ENGINEER), f"/admin/p/{project.slug}/suggestions", width=390
    )
    expect(page.get_by_label("SmolLM2-135M")).to_be_checked()
    page.get_by_label("How many items").fill("10")
    page.get_by_label("Which items").select_option(label="at random")  # nothing is published yet
    page.get_by_role("button", name="Suggest").click()
    runs = page.locator("#suggestion-runs")
    expect(runs).to_contain_text("waiting")
    jobs.drain()
    expect(runs).to_contain_text("done")
    expect(page.locator("section[aria-labelledby=measured]")).to_contain_text("n = 3")
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    found = Prelabel.objects.order_by("item__row").values_list("item__text", "value__label")
    assert list(found) == [("my card is lost", "card-lost"), ("refund me", "refund")]
    page.get_by_role("button", name="Take them back").click()
    page.get_by_role("dialog").get_by_role("button", name="Take them back").click()
    expect(page.get_by_text("They are taken back")).to_be_visible()
    jobs.drain()
    assert not Prelabel.objects.exists()
