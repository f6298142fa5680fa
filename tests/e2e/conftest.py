"""A real browser for tests: Chromium of the system, driven by Playwright, against Django's live server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from annotation.models import Project
from annotation.services import batches
from tests import factories
from tests.e2e.messages import TEXTS

# Playwright's sync API runs an event loop in this thread; Django would take our queries for async code.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OpenPage = Callable[..., Any]
PATIENCE_MS = 20_000  # beside other work on two cores Playwright's five seconds are not enough


def chromium_path() -> str:
    """The browser: CHROMIUM names it, else it is looked up on PATH. Its absence fails, and never skips."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.fail("no Chromium found: install it (apt install chromium) or set CHROMIUM to its path")
    return found


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser's console had to say: script errors and violations of the content security policy."""
    return []


@pytest.fixture
def open_page(
    browser: Any, live_server: Any, complaints: list[str], transactional_db: None
) -> Iterator[OpenPage]:
    """open_page(user, path, width=1440, **context options) -> a page of its own session, logged in as `user`.

    Every test that opens a page fails if the console has complained by its end; a test that provokes
    complaints (being offline) clears the list.
    """
    contexts = []

    def open_it(user: Any, path: str, *, width: int = 1440, height: int = 900, **options: Any) -> Any:
        options.setdefault("locale", "en-US")
        context = browser.new_context(
            viewport={"width": width, "height": height}, base_url=live_server.url, **options
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        if user is not None:
            client = Client()
            client.force_login(user)
            cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies(
                [{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}]
            )
        page = context.new_page()
        page.on("console", lambda message: _note(message, complaints))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def project(transactional_db: None) -> Project:
    """Three labels, eight items published in the order of TEXTS, each to be labelled once."""
    made = factories.make_project("Bank intents", overlap_share=0, evaluation_items=0, spot_check_share=0)
    items = factories.make_items(made, TEXTS, split="train")
    batches.publish(made, [batches.Pick(row=item.row) for item in items], origin="test", title="First")
    return made


@pytest.fixture
def ana(project: Project) -> Any:
    """Somebody who labels in it."""
    return factories.add_member(project)


def _note(message: Any, complaints: list[str]) -> None:
    if message.type in ("error", "warning"):
        complaints.append(f"{message.type}: {message.text}")
