"""What goes wrong in a real browser while people label: nothing is lost or doubled, and people are told.

One key pressed ten times a second, a dead line and a closed tab stand in test_labelling.
"""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from playwright.sync_api import expect

from annotation.models import Annotation, Project, Slot
from annotation.selectors import schemas as schema_reads
from annotation.services import memberships, schemas
from tests import factories
from tests.e2e.messages import TEXTS, answers, saved, text
from tests.e2e.steps import eventually, press

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def label_page(project: Project) -> str:
    return f"/p/{project.slug}/label"


def notice(page: Any) -> Any:
    return page.locator("[data-part=notice]")


def standing(project: Project) -> int:
    return Annotation.objects.filter(project=project, is_retraction=False, superseded_by__isnull=True).count()


def test_two_windows_of_one_person_do_not_ask_the_same_twice(open_page, project, ana) -> None:
    first = open_page(ana, label_page(project))
    second = first.context.new_page()
    second.goto(label_page(project))
    expect(text(first)).to_have_text(TEXTS[0])
    expect(text(second)).to_have_text(TEXTS[0])
    press(first, "1")
    expect(text(second)).to_have_text(TEXTS[1])  # answered in the other window
    expect(saved(first)).to_have_text("saved ✓")
    press(second, "2")
    expect(text(first)).to_have_text(TEXTS[2])
    expect(saved(second)).to_have_text("saved ✓")
    eventually(lambda: answers(project) == [(TEXTS[0], "refund"), (TEXTS[1], "card-lost")])
    assert Annotation.objects.count() == 2


def test_the_back_button_brings_no_answered_item_back(open_page, project, ana) -> None:
    page = open_page(ana, label_page(project))
    press(page, "1")
    expect(saved(page)).to_have_text("saved ✓")
    page.goto("/me")
    page.go_back()
    expect(text(page)).to_have_text(TEXTS[1])
    press(page, "2")
    eventually(lambda: answers(project) == [(TEXTS[0], "refund"), (TEXTS[1], "card-lost")])
    assert standing(project) == 2


def test_a_page_that_the_browser_froze_asks_anew_what_to_show(open_page, project, ana) -> None:
    """The back-forward cache gives back a page as it was left. Here it is left, its item is answered in another
    browser of the same person, and then it is shown again as that cache does."""
    page = open_page(ana, label_page(project))
    expect(text(page)).to_have_text(TEXTS[0])
    elsewhere = open_page(ana, label_page(project))
    press(elsewhere, "1")
    expect(saved(elsewhere)).to_have_text("saved ✓")
    expect(text(page)).to_have_text(TEXTS[0])
    page.evaluate("window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    expect(text(page)).to_have_text(TEXTS[1])
    press(page, "2")
    eventually(lambda: standing(project) == 2)
    assert Annotation.objects.count() == 2


def test_an_answer_after_one_was_removed_is_kept_and_told(open_page, complaints, project, ana) -> None:
    page = open_page(ana, label_page(project))
    expect(text(page)).to_have_text(TEXTS[0])
    member = factories.membership_of(project, ana)
    memberships.deactivate(member, by=factories.add_member(project, "admin"))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "submit" in request.url else None)
    press(page, "1")
    kept = page.locator("[data-part=kept]")
    expect(kept).to_contain_text("You do not belong to this project any more")
    expect(kept).to_contain_text(TEXTS[0])
    expect(kept).to_contain_text("Refund")
    expect(saved(page)).to_have_text("not sent, 1 kept here")
    page.wait_for_timeout(3500)
    assert len(asked) == 1, "it is not tried for ever"
    assert standing(project) == 0
    member.refresh_from_db()
    memberships.reactivate(member)
    page.get_by_role("button", name="Try to send them now").click()
    expect(saved(page)).to_have_text("saved ✓")
    eventually(lambda: answers(project) == [(TEXTS[0], "refund")])
    complaints.clear()


def test_new_fields_are_shown_and_what_was_typed_stays(open_page, complaints, project, ana) -> None:
    page = open_page(ana, label_page(project))
    expect(text(page)).to_have_text(TEXTS[0])
    definition = schema_reads.require(project).definition
    labels = [{"id": "now", "name": "Right now"}, {"id": "later", "name": "Later"}]
    urgency = {"name": "urgency", "type": "classification", "labels": labels}
    schemas.publish(project, {**definition, "fields": [*definition["fields"], urgency]})
    press(page, "2")
    expect(notice(page)).to_contain_text("The fields have changed while you were labelling")
    expect(page.get_by_role("radio", name="Right now")).to_be_visible()
    expect(text(page)).to_have_text(TEXTS[0])
    expect(page.get_by_role("radio", name="Card lost")).to_be_checked()
    assert standing(project) == 0
    page.get_by_text("Right now").click()
    page.get_by_role("button", name="Submit").click()
    eventually(lambda: standing(project) == 1)
    assert Annotation.objects.get().value == {"label": "card-lost", "urgency": "now"}
    complaints.clear()


def test_a_new_label_is_offered_after_the_next_answer(open_page, project, ana) -> None:
    page = open_page(ana, label_page(project))
    expect(text(page)).to_have_text(TEXTS[0])
    schemas.publish_labels(
        project, [*schema_reads.label_field(schema_reads.require(project))["labels"], "Fees"]
    )
    press(page, "1")
    expect(page.get_by_role("button", name="Fees")).to_be_visible()
    expect(notice(page)).to_contain_text("these are the new ones")
    expect(text(page)).to_have_text(TEXTS[1])
    assert Annotation.objects.get().schema_version.number == 1
    press(page, "4")
    eventually(lambda: answers(project)[1:] == [(TEXTS[1], "fees")])


def test_a_slot_that_went_to_somebody_else_is_told(open_page, complaints, project, ana) -> None:
    page = open_page(ana, label_page(project))
    expect(text(page)).to_have_text(TEXTS[0])
    Slot.objects.filter(item__text=TEXTS[0]).update(person=factories.add_member(project))
    press(page, "1")
    expect(notice(page)).to_contain_text("has gone to somebody else")
    assert standing(project) == 0
    complaints.clear()


class OwnServer:
    """A web server in a process of its own, over a copy of the test's database, that can be killed."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "db.sqlite3"
        with sqlite3.connect(self.file) as copy:
            connection.connection.backup(copy)
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        self.url = f"http://localhost:{self.port}"
        self.env = {
            **os.environ,
            "DATA_DIR": str(folder),
            "DATABASE_URL": f"sqlite:///{self.file}",
            "SECRET_KEY": settings.SECRET_KEY,
            "DEBUG": "True",
            "DEMO": "False",
        }

    def start(self) -> None:
        command = [sys.executable, "manage.py", "runserver", "--noreload", f"localhost:{self.port}"]
        self.process = subprocess.Popen(command, env=self.env, cwd=settings.BASE_DIR)
        eventually(self.answers, seconds=60)

    def answers(self) -> bool:
        with socket.socket() as tried:
            return tried.connect_ex(("localhost", self.port)) == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def labels(self) -> list[str]:
        with sqlite3.connect(self.file) as read:
            rows = read.execute("select value from annotation_annotation order by id").fetchall()
        return [json.loads(value)["label"] for (value,) in rows]


@pytest.mark.slow
@pytest.mark.skipif(connection.vendor != "sqlite", reason="the test's database is copied as a file")
def test_an_answer_outlives_a_server_killed_between_lease_and_submit(
    open_page, complaints, project, ana, tmp_path
) -> None:
    page = open_page(ana, label_page(project))  # logs in
    server = OwnServer(tmp_path)
    server.start()
    try:
        page.goto(f"{server.url}{label_page(project)}")
        expect(text(page)).to_have_text(TEXTS[0])
        server.kill()
        press(page, "1")
        expect(saved(page)).to_have_text("offline, 1 kept here")
        press(page, "2")
        expect(saved(page)).to_have_text("offline, 2 kept here")
        server.start()
        expect(saved(page)).to_have_text("saved ✓", timeout=30000)
        expect(text(page)).to_have_text(TEXTS[2])
        page.close()
    finally:
        server.kill()
    assert server.labels() == ["refund", "card-lost"]
    complaints.clear()
