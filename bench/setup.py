"""How long a stranger waits: `make run` from a clean clone to the first page, and `make test`.

The clone holds what is committed. Packages come from pip's cache where it has them, so the figures are the
machine's, not the network's; run it twice on a new machine.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench._report import Figure, main

HERE = Path(__file__).resolve().parent.parent
READY = "Gyre is ready"
LONGEST_S = 3600.0


def figures(quick: bool) -> Iterator[Figure]:
    """setup.make_run_s, setup.second_start_s, setup.make_test_s; all need minutes, so `--quick` measures
    none.
    """
    if quick:
        for name in ("setup.make_run_s", "setup.second_start_s", "setup.make_test_s"):
            yield Figure(name, unit="s", skipped="takes minutes: run it without --quick")
        return
    with tempfile.TemporaryDirectory(prefix="gyre-setup-") as folder:
        clone = Path(folder) / "gyre"
        subprocess.run(["git", "clone", "--quiet", str(HERE), str(clone)], check=True)
        yield Figure("setup.make_run_s", until_ready(clone), "s", "clean clone to first page, demo made")
        yield Figure("setup.second_start_s", until_ready(clone), "s", "all is there")
        yield Figure("setup.make_test_s", whole_suite(clone), "s", "browser tests included")


def until_ready(clone: Path) -> float:
    """Seconds from `make run` to the line that says the page answers; everything is stopped again afterwards."""
    started = time.perf_counter()
    process = subprocess.Popen(
        ["make", "run"],
        cwd=clone,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    said: list[str] = []
    try:
        for line in process.stdout:
            said.append(line)
            if READY in line:
                return time.perf_counter() - started
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=60)
    raise RuntimeError("make run ended before the page answered:\n" + "".join(said[-20:]))


def whole_suite(clone: Path) -> float:
    """Seconds of `make test` in a clone that is set up already.

    Raises:
        RuntimeError: a test failed: then the time means nothing.
    """
    started = time.perf_counter()
    ended = subprocess.run(
        ["make", "test"], cwd=clone, env=_environment(), capture_output=True, text=True, timeout=LONGEST_S
    )
    if ended.returncode:
        raise RuntimeError("make test failed:\n" + ended.stdout[-4000:])
    return time.perf_counter() - started


def _environment() -> dict[str, str]:
    """This process's, less what would lead the clone to somebody else's data, and with a free port."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DATA_DIR", "DATABASE_URL", "CELERY_BROKER_URL", "MAKEFLAGS", "MAKELEVEL")
    }
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return {**kept, "PORT": str(probe.getsockname()[1]), "PYTHONUNBUFFERED": "1"}


if __name__ == "__main__":
    sys.exit(main(figures))
