"""Real processes for the tests of this folder: what needs two ranks in one group, four in another."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.forked import Ranks

Found = list[dict[str, Any]]  # by rank


def launch(ranks: Ranks, processes: int, out: Path) -> Found:
    ranks.run(processes, "tests.training.distributed.ranks:main", str(out))
    found: Found = json.loads(out.read_text())
    return found


@pytest.fixture(scope="session")
def two_ranks(tmp_path_factory: pytest.TempPathFactory, ranks: Ranks) -> Found:
    return launch(ranks, 2, tmp_path_factory.mktemp("two") / "out.json")


@pytest.fixture(scope="session")
def four_ranks(tmp_path_factory: pytest.TempPathFactory, ranks: Ranks) -> Found:
    return launch(ranks, 4, tmp_path_factory.mktemp("four") / "out.json")


@pytest.fixture
def coming_and_going() -> Iterator[Callable[[Path], None]]:
    """Have a thread make a folder with all above it, and remove it with the one above, again and again."""
    over, threads = threading.Event(), []

    def begin(folder: Path) -> None:
        def work() -> None:
            while not over.is_set():
                folder.mkdir(parents=True)
                shutil.rmtree(folder.parent)

        threads.append(threading.Thread(target=work))
        threads[-1].start()

    yield begin
    over.set()
    for thread in threads:
        thread.join()
