"""One installation for bench.queue: started by `manage.py up`, killed, and asked about its database."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench._queue_client import Load

ROOT = Path(__file__).resolve().parent.parent
START_S = 120


@dataclass
class Site:
    """An installation: its folder, with the files of what people have seen there, and who works there."""

    folder: Path
    database_url: str = ""
    people: list[dict[str, str]] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    port: int = 0

    def environment(self, **more: str) -> dict[str, str]:
        own = {"DATA_DIR": str(self.folder), "DJANGO_SETTINGS_MODULE": "config.settings", "DEMO": "False"}
        own |= {"HOST": "127.0.0.1", "PORT": str(self.port or 8000), "LOG_LEVEL": "WARNING"}
        if self.database_url:
            own["DATABASE_URL"] = self.database_url
        return {**os.environ, **own, **more}

    def data(self, *words: Any, **more: str) -> dict[str, Any]:
        """What `bench._queue_data` prints for these words."""
        process = self.start_data(*words, **more)
        return finished(process)

    def start_data(self, *words: Any, **more: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "bench._queue_data", *map(str, words)]
        return subprocess.Popen(
            command, cwd=ROOT, env=self.environment(**more), stdout=subprocess.PIPE, text=True
        )

    def seed(self, items: int, slots: int, people: int) -> None:
        """Fill the database, or take what an earlier run has left in the folder."""
        kept = self.folder / "seeded.json"
        if not kept.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(self.data("seed", items, slots, people)))
        found = json.loads(kept.read_text())
        self.people, self.labels = found["people"], found["labels"]

    def count(self) -> dict[str, Any]:
        """Over all runs that have used this folder: the database holds the answers of earlier ones too."""
        return self.data("count", *(path for path in self.folder.glob("seen-*.json") if path.stat().st_size))

    @contextmanager
    def up(self, **more: str) -> Iterator[None]:
        """Web, workers and scheduler, as `make run` starts them."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        log = (self.folder / "up.log").open("w")
        command = [sys.executable, "manage.py", "up"]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=self.environment(**more), stdout=log, stderr=log
        )
        try:
            self.wait()
            self.work(2.0)  # warming up; its answers are counted too
            yield
        finally:
            self.process.terminate()
            self.process.wait(60)
            log.close()

    def wait(self) -> None:
        until = time.monotonic() + START_S
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=2).close()
                return
            except OSError:
                log = self.folder / "up.log"
                assert self.process.poll() is None, f"manage.py up has ended: {log.read_text()[-2000:]}"
                assert time.monotonic() < until, f"no answer within {START_S} s: read {log}"
                time.sleep(0.1)

    def work(self, seconds: float, **how: Any) -> dict[str, Any]:
        """Let everybody label for so long; what they saw."""
        return finished_work(self.start_work(seconds, **how))

    def start_work(self, seconds: float, *, think_s: float = 0.0, may_break: bool = False) -> Working:
        load = Load(
            target="gyre",
            host="127.0.0.1",
            port=self.port,
            place="bench",
            people=self.people,
            labels=self.labels,
            seconds=seconds,
            think_s=think_s,
            may_break=may_break,
        )
        return start_client(load, self.folder)

    def kill_web(self) -> int:
        """kill -9 of the web server, its master and workers at once; how many processes."""
        listed = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True
        )
        rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
        ours, grown = {self.process.pid}, 0
        while len(ours) != grown:
            grown = len(ours)
            ours |= {int(row[0]) for row in rows if int(row[1]) in ours}
        web = [int(row[0]) for row in rows if int(row[0]) in ours and "gunicorn" in row[2]]
        for pid in web:
            os.kill(pid, signal.SIGKILL)
        return len(web)


@dataclass
class Working:
    """A client process that runs."""

    process: subprocess.Popen[bytes]
    out: Path


def start_client(load: Load, folder: Path) -> Working:
    handle, name = tempfile.mkstemp(prefix="seen-", suffix=".json", dir=folder)
    os.close(handle)
    spec = Path(f"{name}.load")
    spec.write_text(json.dumps(asdict(load)))
    command = [sys.executable, "-m", "bench._queue_client", str(spec), name]
    return Working(subprocess.Popen(command, cwd=ROOT), Path(name))


def finished_work(working: Working) -> dict[str, Any]:
    status = working.process.wait()
    assert status == 0, f"the client ended with {status}"
    return dict(json.loads(working.out.read_text()))


def finished(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, _err = process.communicate()
    assert process.returncode == 0, f"{process.args} ended with {process.returncode}"
    return dict(json.loads(out.splitlines()[-1]))
