"""A file is brought in by hand: upload, columns, watching it come in, rejected rows mended."""

from __future__ import annotations

import re
from typing import Any

import pytest

from annotation.models import Import, Role
from tests.factories import add_member, make_project, run_import

pytestmark = pytest.mark.e2e


def _file(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "mimeType": "text/csv", "buffer": text.encode()}


def test_it_brings_a_file_in_and_takes_its_bad_rows_back_mended(open_page: Any) -> None:
    project = make_project("Bank")
    engineer = add_member(project, Role.ENGINEER)
    page = open_page(engineer, f"/p/{project.slug}/import")
    page.get_by_label("File").set_input_files(
        _file("texts.csv", "query,intent\none,Refund\ntwo\nthree,Other\n")
    )
    page.get_by_role("button", name="Upload").click()
    assert page.get_by_label("Text", exact=True).input_value() == "query"
    page.locator("#id_label").select_option("intent")
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_text("the import goes on").wait_for()
    run_import(Import.objects.get())
    page.get_by_role("heading", name="Rejected rows").wait_for()  # the page has renewed itself
    assert page.get_by_text("line 3 has 1 of 2 cells").is_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download to mend").click()
    assert download.value.suggested_filename == "texts-rejected.csv"
    assert download.value.path().read_text() == "query,intent\ntwo\n"
    page.get_by_role("link", name="Upload the mended rows").click()
    page.get_by_label("File").set_input_files(_file("texts-rejected.csv", "query,intent\ntwo,Refund\n"))
    page.get_by_role("button", name="Upload").click()
    assert page.locator("#id_label").input_value() == "intent"
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_text("the import goes on").wait_for()
    run_import(Import.objects.latest("pk"))
    page.get_by_role("link", name="See the items").wait_for()
    assert sorted(project.items.values_list("text", flat=True)) == ["one", "three", "two"]


def test_it_shows_an_empty_file_in_place(open_page: Any, complaints: list[str]) -> None:
    project = make_project("Bank")
    page = open_page(add_member(project, Role.ENGINEER), f"/p/{project.slug}/import")
    page.get_by_label("File").set_input_files(_file("texts.csv", ""))
    page.get_by_role("button", name="Upload").click()
    page.get_by_text("This file is empty").wait_for()
    complaints[:] = [text for text in complaints if not re.search("422", text)]


def test_it_invites_somebody_who_joins_by_the_link(open_page: Any) -> None:
    project = make_project("Bank")
    page = open_page(add_member(project, Role.ADMIN), f"/admin/p/{project.slug}/people")
    page.get_by_role("button", name="Make a link").click()
    link = page.locator("#invite-link").inner_text()
    guest = open_page(None, link)
    guest.get_by_label("Name to sign in with").fill("newcomer")
    guest.get_by_label("Password").fill("correct horse battery")
    guest.get_by_role("button", name="Make the account").click()
    guest.wait_for_url(f"**/p/{project.slug}/label")
    page.reload()
    assert project.memberships.filter(user__username="newcomer").exists()
