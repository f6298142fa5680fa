"""Real processes for the tests of this folder: what needs two ranks in one launch, four in another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.training_kit import ROOT

Found = list[dict[str, Any]]  # by rank


def launch(processes: int, out: Path) -> Found:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"),
            *(str(Path(__file__).with_name("ranks.py")), str(out)),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: Found = json.loads(out.read_text())
    return found


@pytest.fixture(scope="session")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> Found:
    return launch(2, tmp_path_factory.mktemp("two") / "out.json")


@pytest.fixture(scope="session")
def four_ranks(tmp_path_factory: pytest.TempPathFactory) -> Found:
    return launch(4, tmp_path_factory.mktemp("four") / "out.json")
