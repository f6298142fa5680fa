"""`manage.py up` as a person uses it: it answers, restarts what dies, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("up")]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Up:
    child: subprocess.Popen[bytes]
    folder: Path
    port: int

    def processes(self) -> dict[int, str]:
        """Living processes that belong to this data folder, by what is in their environment."""
        mark = f"TEST_DATA_DIR={self.folder}".encode()
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
        return found

    def output(self) -> str:
        logs = "\n".join(path.read_text(errors="replace")[-2000:] for path in self.folder.glob("logs/*.log"))
        return f"{(self.folder / 'out').read_text()}{logs}\nstill there: {self.processes()}"

    def wait_until(self, condition: Callable[[], object], seconds: float = 120.0) -> None:
        until = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < until, self.output()
            time.sleep(0.1)


def launch(folder: Path, port: int) -> Up:
    folder.mkdir(exist_ok=True)
    # As a user starts it, so without pytest's mark; the demo would take a minute and is tested for itself.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "DATABASE_URL"))
    }
    environment |= {"TEST_DATA_DIR": str(folder), "PORT": str(port), "WEB_WORKERS": "1", "DEMO": "0"}
    with (folder / "out").open("wb") as out:
        child = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=settings.BASE_DIR,
            env=environment,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    return Up(child, folder, port)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data folder for all starts: the first makes it, the others begin after whatever the last one met."""
    return tmp_path_factory.mktemp("up") / "data"


@pytest.fixture
def up(data: Path) -> Iterator[Up]:
    if not Path("/proc/self/environ").exists():
        pytest.skip("looks into /proc, which this system does not have")
    running = launch(data, free_port())
    try:
        running.wait_until(lambda: "Gyre is ready" in running.output() or running.child.poll() is not None)
        assert running.child.poll() is None, running.output()
        yield running
    finally:
        for pid in running.processes():
            os.kill(pid, signal.SIGKILL)


def test_it_serves_restarts_a_killed_worker_and_stops_all_by_ctrl_c(up: Up):
    address = f"http://127.0.0.1:{up.port}/"
    assert address in up.output()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    assert opener.open(f"{address}accounts/login/", timeout=10).status == 200
    assert (up.folder / "secret_key").stat().st_mode & 0o777 == 0o600

    [worker] = [pid for pid, command in up.processes().items() if "-Q cpu,gpu" in command]
    os.kill(worker, signal.SIGKILL)
    up.wait_until(
        lambda: [pid for pid, line in up.processes().items() if "-Q cpu,gpu" in line and pid != worker]
    )

    second = launch(up.folder.parent / "second", up.port)
    assert second.child.wait(60) == 1
    assert f"port {up.port} on 127.0.0.1 is taken" in second.output()
    assert f"make run PORT={up.port + 1}" in second.output()

    up.child.send_signal(signal.SIGINT)
    assert up.child.wait(30) == 0, up.output()
    assert up.processes() == {}


def test_it_leaves_nothing_behind_when_it_is_killed(up: Up):
    up.child.kill()
    up.child.wait()
    up.wait_until(lambda: not up.processes(), 30)


def test_it_ends_and_leaves_nothing_behind_when_the_supervisor_is_killed(up: Up):
    [supervisor] = [pid for pid, command in up.processes().items() if "jobs.supervisor_main" in command]
    os.kill(supervisor, signal.SIGKILL)
    assert up.child.wait(30) == 1
    assert "the supervisor ended by itself: read" in up.output()
    up.wait_until(lambda: not up.processes(), 30)
