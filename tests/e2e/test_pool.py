"""The pool in a real browser: vectors computed, a search by text, near-duplicates labelled at once, a round."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from annotation.models import Annotation, Review, Role
from jobs.services import jobs
from selection.models import Column, Round
from tests import factories

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

TEXTS = [
    "My card was stolen yesterday, please block it.",
    "My card was stolen yesterday, please block it now.",
    "How much does a transfer to Spain cost?",
    "The app does not open on my new phone.",
]


def test_from_an_empty_pool_to_labelled_near_duplicates_and_a_round(open_page: Any) -> None:
    project = factories.make_project(overlap_share=0, evaluation_items=0, spot_check_share=0)
    factories.make_items(project, TEXTS, split="train")
    page = open_page(factories.add_member(project, Role.ADMIN), f"/admin/p/{project.slug}/pool")
    expect(page.get_by_text("Nothing is computed yet.")).to_be_visible()
    page.get_by_role("button", name="Compute vectors ahead").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    jobs.drain()  # the real encoder, in a process of its own
    expect(page.get_by_text("Every item has its vector.")).to_be_visible()
    assert Column.objects.get(project=project).count == len(TEXTS)

    page.get_by_label("Like this text").fill("somebody stole my card")
    page.get_by_role("button", name="Search").click()
    first = page.locator(".similar li").first
    expect(first).to_contain_text("My card was stolen yesterday")
    first.get_by_role("link", name="Its near-duplicates").click()
    expect(page.locator("[name=rows]:checked")).to_have_count(2)
    expect(page.get_by_label("Another reviewer looks at all of these labels")).to_be_checked()
    page.get_by_role("button", name="Card lost").click()
    expect(page.get_by_text("2 items labelled.")).to_be_visible()
    assert {one.item.text for one in Annotation.objects.all()} == set(TEXTS[:2])
    assert Review.objects.filter(drawn_share=1.0).count() == 2

    page.goto(f"/admin/p/{project.slug}/pool")
    page.get_by_role("button", name="Refresh now").click()
    expect(page.get_by_text("launch a round first")).to_be_visible()
    page.goto(f"/admin/p/{project.slug}/rounds")
    page.get_by_role("link", name="Launch a round").click()
    page.get_by_label("Strategy").select_option("blend")
    expect(page.get_by_role("img", name="Weights of the blend by round")).to_be_visible()
    page.get_by_label("Batch size").fill("2")
    page.get_by_role("button", name="Launch", exact=True).click()
    expect(page.get_by_role("heading", name="Round 1")).to_be_visible()
    assert Round.objects.get().spec["batch_size"] == 2
