"""The annotators of bench.queue: threads that take an item and answer it, again and again, over plain
sockets.

A process of its own, so that its work does not hide in the server's: `python -m bench._queue_client SPEC
OUT`. Both are JSON: SPEC is a `Load`, OUT what was seen. A request that gets no reply is sent again, as the
labelling page does, with the same client key.
"""

from __future__ import annotations

import json
import random
import socket
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

WAIT_S = 30.0  # for a reply
AGAIN_S = 0.1  # between two tries of one request
GIVE_UP_S = 60.0


@dataclass(kw_only=True)
class Load:
    """What to do.

    Attributes:
        target: "gyre" or "label_studio".
        place: the project's slug, or its number.
        people: the request headers by which each annotator is known.
        labels: what to choose from; ids, or names for Label Studio.
        think_s: mean of the pause before each answer.
        may_break: the server is killed meanwhile: a lost connection is no error.
    """

    target: str
    host: str
    port: int
    place: str
    people: list[dict[str, str]]
    labels: list[str]
    seconds: float
    think_s: float = 0.0
    may_break: bool = False


@dataclass
class Seen:
    """What one annotator saw. Times in ms; `handed`: every item got; `answers`: (item, label, client key)
    accepted.
    """

    next_ms: list[float] = field(default_factory=list)
    submit_ms: list[float] = field(default_factory=list)
    handed: list[str] = field(default_factory=list)
    answers: list[tuple[str, str, str]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    retries: int = 0
    ran_dry: bool = False


@dataclass(frozen=True)
class Given:
    """An item to answer, and what of it goes back with the answer."""

    name: str
    more: Any = None


class Target(Protocol):
    """How one application is asked."""

    def next(self) -> tuple[str, str]: ...

    def read(self, answer: Any) -> Given | None: ...

    def submit(self, given: Given, label: str, key: str) -> tuple[str, str, Any]: ...


class Gyre:
    def __init__(self, place: str) -> None:
        self.base = f"/api/v1/projects/{place}"

    def next(self) -> tuple[str, str]:
        return "GET", f"{self.base}/next?count=1"

    def read(self, answer: Any) -> Given | None:
        slots = answer["slots"]
        return Given(slots[0]["slot"], slots[0]["prelabel"]) if slots else None

    def submit(self, given: Given, label: str, key: str) -> tuple[str, str, Any]:
        shown = given.more and given.more["uuid"]
        body = {"slot": given.name, "value": {"label": label}, "client_key": key, "count": 0}
        return "POST", f"{self.base}/submit", {**body, "prelabel": shown, "active_ms": 900}


class LabelStudio:
    def __init__(self, place: str) -> None:
        self.place = place

    def next(self) -> tuple[str, str]:
        return "GET", f"/api/projects/{self.place}/next/"

    def read(self, answer: Any) -> Given | None:
        return Given(str(answer["id"])) if "id" in answer else None

    def submit(self, given: Given, label: str, key: str) -> tuple[str, str, Any]:
        choice = {"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": [label]}}
        return "POST", f"/api/tasks/{given.name}/annotations/", {"result": [choice], "lead_time": 0.9}


TARGETS: dict[str, type[Gyre] | type[LabelStudio]] = {"gyre": Gyre, "label_studio": LabelStudio}


class Annotator:
    def __init__(self, load: Load, index: int, until: float) -> None:
        self.load, self.until, self.seen = load, until, Seen()
        self.target: Target = TARGETS[load.target](load.place)
        headers = {"Host": f"{load.host}:{load.port}", "Accept": "application/json", **load.people[index]}
        lines = [f"{name}: {value}" for name, value in headers.items()]
        self.head = "\r\n".join([*lines, "Connection: close", ""]).encode()
        self.random = random.Random(index)

    def work(self) -> None:
        time.sleep(self.load.think_s * self.random.random())  # people do not begin in the same moment
        while time.perf_counter() < self.until:
            answer, ms = self.ask(*self.target.next())
            given = None if answer is None else self.target.read(answer)
            if given is None:
                self.seen.ran_dry = self.seen.ran_dry or answer is not None
                time.sleep(0.2)
                continue
            self.seen.next_ms.append(ms)
            self.seen.handed.append(given.name)
            if self.load.think_s:
                time.sleep(self.load.think_s * self.random.uniform(0.5, 1.5))
            label, key = self.random.choice(self.load.labels), uuid.uuid4().hex
            answer, ms = self.ask(*self.target.submit(given, label, key))
            if answer is not None:
                self.seen.submit_ms.append(ms)
                self.seen.answers.append((given.name, label, key))

    def ask(self, method: str, path: str, body: Any = None) -> tuple[Any, float]:
        """(the answer or None where it was refused, milliseconds of the try that got one)."""
        data = b"" if body is None else json.dumps(body).encode()
        kind = b"" if body is None else b"Content-Type: application/json\r\n"
        size = f"Content-Length: {len(data)}\r\n\r\n".encode()
        request = f"{method} {path} HTTP/1.1\r\n".encode() + self.head + kind + size + data
        give_up = time.perf_counter() + GIVE_UP_S
        while True:
            started = time.perf_counter()
            try:
                status, answer = self.exchange(request)
                ms = 1000 * (time.perf_counter() - started)
                if status // 100 == 2:
                    return json.loads(answer), ms
                if status == 404 and self.load.target == "label_studio" and method == "GET":
                    return {}, ms  # how it says that there is nothing left
                self.seen.errors.append(f"{method} {path}: {status} {answer[:200]!r}")
                return None, ms
            except OSError as error:
                self.seen.retries += 1
                if not self.load.may_break or time.perf_counter() > give_up:
                    self.seen.errors.append(f"{method} {path}: {error!r}")
                if time.perf_counter() > give_up:
                    return None, 0.0
                time.sleep(AGAIN_S)

    def exchange(self, request: bytes) -> tuple[int, bytes]:
        """One request on a connection of its own (a synchronous worker keeps none open)."""
        with socket.create_connection((self.load.host, self.load.port), WAIT_S) as connection:
            connection.sendall(request)
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
        head, mark, body = received.partition(b"\r\n\r\n")
        if not mark:
            raise ConnectionResetError("the connection was closed before a reply")
        if b"\r\ntransfer-encoding: chunked" in head.lower():
            body = unchunked(body)
        return int(head[9:12]), body


def unchunked(body: bytes) -> bytes:
    """The content of a chunked body."""
    content = b""
    while body:
        size, _mark, rest = body.partition(b"\r\n")
        length = int(size, 16)
        content, body = content + rest[:length], rest[length + 2 :]
        if not length:
            break
    return content


def run(load: Load) -> dict[str, Any]:
    started = time.perf_counter()
    annotators = [Annotator(load, index, started + load.seconds) for index in range(len(load.people))]
    threads = [threading.Thread(target=annotator.work, daemon=True) for annotator in annotators]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "seconds": time.perf_counter() - started,
        "cpu_s": time.process_time(),
        "people": [vars(annotator.seen) for annotator in annotators],
    }


if __name__ == "__main__":
    spec, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.write_text(json.dumps(run(Load(**json.loads(spec.read_text())))))
