"""How long from a key press until the next item is painted, and what the labelling page costs to open.

A real browser labels against the real server. The naive twin is the same page without scripts: every label
posts the form and loads a page.

    python -m bench.keypress [--quick] [--json FILE]
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bench._report import Figure, main

LABELS = 77
PRESSES, QUICK_PRESSES = 400, 60
BETWEEN_MS = (
    180  # a person who labels five items a second; the same key faster than that is taken for a bounce
)
ROOT = Path(__file__).resolve().parent.parent

# Runs before the page's own scripts. A frame is on the screen once a task runs after its animation callbacks.
MEASURE = """
window.gyreTimes = [];
addEventListener("keydown", (event) => {
  const text = document.querySelector("[data-part=text]");
  const before = text && text.textContent;
  requestAnimationFrame(() => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      if (text.textContent !== before) gyreTimes.push(performance.now() - event.timeStamp);
    };
    channel.port2.postMessage(0);
  });
}, true);
"""


def seed(presses: int) -> tuple[str, str]:
    """A project with `presses` published items and one person; returns the page's path and a session key."""
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    from accounts.services import users
    from annotation.models import Item
    from annotation.services import batches, items, projects

    person = users.create_user("ana", password=None)
    labels = [f"Intent number {number}" for number in range(LABELS)]
    project = projects.create("Bench", created_by=person, labels=labels, overlap_share=0, evaluation_items=0)
    texts = [
        f"Message {i}: my card was charged twice, how do I get the money back?" for i in range(presses + 20)
    ]
    added = items.add_items(
        project, [items.Record(text=text, split="train") for text in texts], source="bench"
    )
    rows = Item.objects.filter(pk__in=added.item_ids).order_by("row").values_list("row", flat=True)
    picks = [batches.Pick(row=row, explanation={"parts": {"margin": 0.7}}) for row in rows]
    batches.publish(project, picks, origin="bench", title="Bench")
    client = Client()
    client.force_login(person)
    return f"/p/{project.slug}/label", client.cookies[settings.SESSION_COOKIE_NAME].value


@contextmanager
def served() -> Iterator[str]:
    """The web process as `make run` starts it; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "config.wsgi:application", "--bind", f"127.0.0.1:{port}"]
    server = subprocess.Popen([*command, "--workers", "2", "--log-level", "error"], cwd=ROOT)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"{address}/healthz", timeout=2)
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        server.wait(10)


def in_browser(
    address: str, path: str, session: str, presses: int
) -> tuple[list[float], list[float], int, int]:
    """(milliseconds per key press, per page load of the twin, requests and bytes of opening the page)."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    cookie: Any = {"name": "sessionid", "value": session, "url": address}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=address)
        context.add_cookies([cookie])
        context.add_init_script(MEASURE)
        page = context.new_page()
        sizes: list[int] = []
        page.on("response", lambda response: sizes.append(len(response.body())))
        page.goto(path, wait_until="networkidle")
        requests, size = len(sizes), sum(sizes)
        for number in range(presses):
            page.wait_for_timeout(BETWEEN_MS)
            page.keyboard.press("12"[number % 2])
        page.wait_for_timeout(500)
        times = page.evaluate("gyreTimes")
        twin = _page_loads(browser, address, path, cookie, 10)
        browser.close()
    return times, twin, requests, size


def _page_loads(browser: Any, address: str, path: str, cookie: Any, count: int) -> list[float]:
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, base_url=address, java_script_enabled=False
    )
    context.add_cookies([cookie])
    page = context.new_page()
    page.goto(path)
    times = []
    for _ in range(count):
        start = time.perf_counter()
        with page.expect_navigation():
            page.get_by_role("button", name="Intent number 0", exact=False).first.click()
        times.append(1000 * (time.perf_counter() - start))
    return times


def figures(quick: bool) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="gyre-bench-") as folder:
        os.environ.update(DATA_DIR=folder, DJANGO_SETTINGS_MODULE="config.settings", OMP_NUM_THREADS="1")
        presses = QUICK_PRESSES if quick else PRESSES
        path, session = seed(presses)
        with served() as address:
            times, twin, requests, size = in_browser(address, path, session, presses)
    p50, p99 = np.percentile(times, [50, 99])
    against = f"the page without scripts, a load a label: median {np.median(twin):.0f} ms"
    yield Figure("keypress.p50.classification", round(float(p50), 2), "ms")
    yield Figure(
        "keypress.p99.classification",
        round(float(p99), 2),
        "ms",
        against,
        round(float(np.median(twin) / p99), 1),
    )
    yield Figure("keypress.painted", len(times) / presses, "share")
    yield Figure("keypress.requests", requests, "count")
    yield Figure("keypress.bytes", size, "bytes")


if __name__ == "__main__":
    sys.exit(main(figures))
