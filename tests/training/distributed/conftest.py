"""Real processes for the tests of this folder: what needs two ranks in one group, four in another."""

from __future__ import annotations

import json
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
