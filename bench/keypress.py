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

from bench import _long_spans
from bench._report import Figure, main

LABELS = 77
PRESSES, QUICK_PRESSES = 300, 30
OTHER_ITEMS = 100  # of every other type
LATENCY_MS = 50
OPENINGS = 5
BETWEEN_KEYS_MS = 60
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


# One field of every type besides, and the keys that answer an item of it; the last key brings the next one.
TYPES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "multilabel": (
        {"type": "multilabel", "labels": [{"id": f"t{i}", "name": f"Topic {i}"} for i in range(12)]},
        ("1", "3", "Enter"),
    ),
    "spans": ({"type": "spans", "labels": [{"id": "person", "name": "Person"}]}, ("Enter",)),
    "rating": (
        {"type": "rating", "dimensions": [{"id": f"d{i}", "name": f"Dimension {i}"} for i in range(3)]},
        ("4", "3", "5", "Enter"),
    ),
    "preference": ({"type": "preference"}, ("1", "Enter")),
    "response": ({"type": "response"}, ("Enter",)),
}


def seed(presses: int, others: int) -> tuple[dict[str, str], str]:
    """Projects of every type with published items and one person; the pages' paths by type, a session key."""
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    from accounts.services import users

    person = users.create_user("ana", password=None)
    labels = [{"id": f"i{number}", "name": f"Intent number {number}"} for number in range(LABELS)]
    fields = {"classification": {"type": "classification", "labels": labels}}
    fields |= {name: field for name, (field, _keys) in TYPES.items()}
    paths = {}
    for name, field in fields.items():
        paths[name] = _project(person, name, field, presses if name == "classification" else others)
    paths["long_spans"] = _long_spans.seed(person)
    client = Client()
    client.force_login(person)
    return paths, client.cookies[settings.SESSION_COOKIE_NAME].value


def _project(person: Any, name: str, field: dict[str, Any], count: int) -> str:
    from annotation.models import Item
    from annotation.services import batches, items, projects

    definition = {"fields": [{"name": "answer", **field}]}
    project = projects.create(
        name, created_by=person, definition=definition, overlap_share=0, evaluation_items=0
    )
    data = {"responses": ["It comes back in three days.", "Please wait."], "draft": "Please wait."}
    records = [
        items.Record(
            text=f"Message {i}: my card was charged twice, how do I get the money back?",
            split="train",
            data=data if name in ("preference", "response") else {},
        )
        for i in range(count + 20)
    ]
    added = items.add_items(project, records, source="bench")
    rows = Item.objects.filter(pk__in=added.item_ids).order_by("row").values_list("row", flat=True)
    picks = [batches.Pick(row=row, explanation={"parts": {"margin": 0.7}}) for row in rows]
    batches.publish(project, picks, origin="bench", title="Bench")
    return f"/p/{project.slug}/label"


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


class Visitor:
    """A browser at the bench's server, signed in."""

    def __init__(self, browser: Any, address: str, session: str) -> None:
        self.browser, self.address = browser, address
        self.cookie: Any = {"name": "sessionid", "value": session, "url": address}

    def open(self, *, scripts: bool = True) -> Any:
        context = self.browser.new_context(
            viewport={"width": 1440, "height": 900}, base_url=self.address, java_script_enabled=scripts
        )
        context.add_cookies([self.cookie])
        context.add_init_script(MEASURE)
        return context.new_page()

    def press(self, path: str, items: int, keys: tuple[str, ...], *, latency_ms: int = 0) -> list[float]:
        """Milliseconds from the key press that answers until the next item is painted, for so many items."""
        page = self.open()
        if latency_ms:
            network = page.context.new_cdp_session(page)
            network.send("Network.enable")
            network.send(
                "Network.emulateNetworkConditions",
                {"offline": False, "latency": latency_ms, "downloadThroughput": -1, "uploadThroughput": -1},
            )
        page.goto(path, wait_until="networkidle")
        for number in range(items):
            page.wait_for_timeout(BETWEEN_MS)
            for key in keys:
                page.wait_for_timeout(BETWEEN_KEYS_MS)  # each key is painted by itself
                page.keyboard.press(key if key != "LABEL" else "12"[number % 2])
        page.wait_for_timeout(500)
        times = page.evaluate("gyreTimes")
        page.context.close()
        return times

    def opening(self, path: str) -> tuple[int, int, float]:
        """Requests, bytes as sent (compressed), ms until labels are painted: a browser's first visit."""
        page = self.open()
        requests: list[Any] = []
        page.on("requestfinished", lambda request: requests.append(request))
        page.goto(path, wait_until="networkidle")
        size = sum(one.sizes()["responseBodySize"] for one in requests)
        painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        page.context.close()
        return len(requests), size, painted

    def page_loads(self, path: str, count: int) -> list[float]:
        """The twin: the page without scripts, milliseconds from a click on a label to the next page."""
        page = self.open(scripts=False)
        page.goto(path)
        times = []
        for _ in range(count):
            start = time.perf_counter()
            with page.expect_navigation():
                page.get_by_role("button", name="Intent number 0", exact=False).first.click()
            times.append(1000 * (time.perf_counter() - start))
        page.context.close()
        return times


def figures(quick: bool) -> Iterator[Figure]:
    from playwright.sync_api import sync_playwright

    presses, others = (QUICK_PRESSES, 15) if quick else (PRESSES, OTHER_ITEMS)
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory(prefix="gyre-bench-") as folder:
        os.environ.update(DATA_DIR=folder, DJANGO_SETTINGS_MODULE="config.settings", OMP_NUM_THREADS="1")
        paths, session = seed(2 * presses + 20, 2 * others)
        with served() as address, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            visitor = Visitor(browser, address, session)
            visitor.opening(paths["classification"])  # the server's own first page costs it its imports
            found = [visitor.opening(paths["classification"]) for _ in range(OPENINGS)]
            requests, size = found[-1][:2]
            painted = float(np.median([one[2] for one in found]))
            yield Figure("keypress.requests", requests, "count")
            yield Figure("keypress.bytes", size, "bytes")
            yield Figure("keypress.labels_visible", round(painted, 1), "ms")
            twin = float(np.median(visitor.page_loads(paths["classification"], 10)))
            yield from _pressed(visitor, "classification", paths, presses, ("LABEL",), twin)
            for name, (_field, keys) in TYPES.items():
                yield from _pressed(visitor, name, paths, others, keys, twin)
            times = _long_spans.marked(visitor.open(), paths["long_spans"])
            yield Figure("keypress.long_spans", round(float(np.median(times)), 1), "ms of the page's thread")
            browser.close()


def _pressed(
    visitor: Visitor, name: str, paths: dict[str, str], items: int, keys: tuple[str, ...], twin: float
) -> Iterator[Figure]:
    """One type, on a fast line and on one with 50 ms of latency."""
    against = f"the page without scripts, a load a label: median {twin:.0f} ms"
    for latency, suffix in ((0, ""), (LATENCY_MS, f".latency_{LATENCY_MS}")):
        times = visitor.press(paths[name], items, keys, latency_ms=latency)
        if len(times) < items / 2:
            yield Figure(
                f"keypress.p99.{name}{suffix}", skipped=f"{len(times)} of {items} items were painted"
            )
            continue
        p50, p99 = (float(value) for value in np.percentile(times, [50, 99]))
        yield Figure(f"keypress.p50.{name}{suffix}", round(p50, 2), "ms")
        yield Figure(f"keypress.p99.{name}{suffix}", round(p99, 2), "ms", against, round(twin / p99, 1))
        yield Figure(f"keypress.painted.{name}{suffix}", round(len(times) / items, 3), "share")


if __name__ == "__main__":
    sys.exit(main(figures))
