"""The same annotators against a Label Studio on this machine, by its own API, for the same table.

Start one in an environment of its own (requirements-bench.txt), with sign-up by anybody and legacy tokens:

    LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN=true label-studio start --port 8090 --no-browser \
        --username owner@example.org --password a-long-password --user-token TOKEN
    python -m bench.queue --only label_studio --label-studio http://127.0.0.1:8090 --token TOKEN
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

from bench._queue_client import Load
from bench._queue_server import finished_work, start_client
from bench._report import Figure

TASKS = 10_000
AT_ONCE = 2_000
LABELS = [f"Intent number {number}" for number in range(20)]
CONFIG = """<View><Text name="text" value="$text"/><Choices name="label" toName="text">{}</Choices></View>"""


class Server:
    def __init__(self, address: str, token: str) -> None:
        self.address, self.token = address.rstrip("/"), token

    def call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            self.address + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Token {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=600) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            sys.exit(f"Label Studio answered {error.code} to {method} {path}: {error.read()[:300]!r}")

    def sign_up(self) -> dict[str, str]:
        """A new person; the headers of their session."""
        jar = CookieJar()
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        page = f"{self.address}/user/signup/"
        browser.open(page, timeout=60).close()
        cookies = {cookie.name: cookie.value for cookie in jar}
        form = {"email": f"{uuid.uuid4().hex[:12]}@example.org", "password": uuid.uuid4().hex}
        form["csrfmiddlewaretoken"] = str(cookies.get("csrftoken"))
        browser.open(page, urllib.parse.urlencode(form).encode(), timeout=60).close()
        cookies = {cookie.name: cookie.value for cookie in jar}
        if "sessionid" not in cookies:
            sys.exit(
                "Label Studio let nobody sign up: start it without LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK"
            )
        pairs = "; ".join(f"{name}={value}" for name, value in cookies.items())
        return {"Cookie": pairs, "X-CSRFToken": str(cookies.get("csrftoken"))}

    def fill(self) -> int:
        """A project of `TASKS` texts to be labelled once each; its number."""
        choices = "".join(f'<Choice value="{label}"/>' for label in LABELS)
        project = self.call(
            "POST",
            "/api/projects/",
            {"title": "Bench", "label_config": CONFIG.format(choices), "maximum_annotations": 1},
        )
        for first in range(0, TASKS, AT_ONCE):
            texts = [
                {"text": f"Message {number}: my card was charged twice, how do I get the money back?"}
                for number in range(first, first + AT_ONCE)
            ]
            self.call("POST", f"/api/projects/{project['id']}/import", texts)
        return int(project["id"])


def measure(address: str, token: str, folder: Path, seconds: float, people: int) -> Iterator[Figure]:
    """Yields pairs a second, p50 and p99 of both requests, and what was handed out twice, doubled or lost."""
    from bench.queue import seen, told

    server = Server(address, token)
    number = server.fill()
    place = urllib.parse.urlsplit(server.address)
    load = Load(
        target="label_studio",
        host=str(place.hostname),
        port=place.port or 80,
        place=str(number),
        people=[server.sign_up() for _ in range(people)],
        labels=LABELS,
        seconds=seconds,
    )
    finished_work(start_client(load, folder))  # warming up
    result = finished_work(start_client(load, folder))
    run = seen(result)
    told("label studio", run)
    yield Figure("queue.label_studio.pairs_per_s", round(run.rate, 1), "1/s")
    yield Figure("queue.label_studio.next_p50", round(run.next_p50), "ms")
    yield Figure("queue.label_studio.next_p99", round(run.next_p99), "ms")
    yield Figure("queue.label_studio.submit_p99", round(run.submit_p99), "ms")
    yield from _counted(server, number, result)


def _counted(server: Server, number: int, result: dict[str, Any]) -> Iterator[Figure]:
    handed = Counter(
        task for person in result["people"] for task in set(person["handed"])
    )  # by person: a task that one person gets again is no double
    stored = {
        str(task["id"]): [one["result"][0]["value"]["choices"][0] for one in task["annotations"]]
        for task in server.call("GET", f"/api/projects/{number}/export?exportType=JSON")
    }
    accepted = [answer for person in result["people"] for answer in person["answers"]]
    lost = sum(label not in stored.get(task, ()) for task, label, _key in accepted)
    yield Figure("queue.label_studio.handed_twice", sum(count > 1 for count in handed.values()), "count")
    yield Figure("queue.label_studio.double", sum(len(labels) > 1 for labels in stored.values()), "count")
    yield Figure("queue.label_studio.lost", lost, "count")
    yield Figure(
        "queue.label_studio.errors", sum(len(person["errors"]) for person in result["people"]), "count"
    )
