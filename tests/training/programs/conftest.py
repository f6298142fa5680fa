"""Ranks for tests of programs, forked from a process that has imported them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests import training_kit as kit


class Ranks:
    """See layouts.py. Whoever uses it takes the mark `xdist_group("layouts")`, so that one is started."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, 0
        self.child = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("layouts.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / "stderr").open("w"),
            cwd=kit.ROOT,
            env={
                **os.environ,
                **{"PYTHONPATH": str(kit.ROOT), "OMP_NUM_THREADS": "1"},
                **{"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"},
            },
            text=True,
            start_new_session=True,
        )

    def run(self, ranks: int, specs: Sequence[dict[str, Any]]) -> None:
        """All of them one after the other by so many ranks, or (0) by one process without a group."""
        assert self.child.stdin is not None and self.child.stdout is not None
        self.asked += 1
        log = self.folder / f"log-{self.asked}"
        self.child.stdin.write(json.dumps({"ranks": ranks, "specs": list(specs), "log": str(log)}) + "\n")
        self.child.stdin.flush()
        answer = self.child.stdout.readline()
        told = log if log.exists() else self.folder / "stderr"
        assert answer and not any(json.loads(answer)), told.read_text()[-4000:]

    def close(self) -> None:
        os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()


@pytest.fixture(scope="session")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ranks]:
    found = Ranks(tmp_path_factory.mktemp("ranks"))
    yield found
    found.close()
