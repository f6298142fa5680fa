"""Fixtures that every test may use. Factories of rows are in tests/factories.py."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def data_dir(request: pytest.FixtureRequest) -> Path | None:
    """Give every test that touches the database a data folder of its own: artifacts, uploads, work."""
    asks = {"db", "transactional_db", "live_server"} & set(request.fixturenames)
    if not asks and request.node.get_closest_marker("django_db") is None:
        return None
    settings: Any = request.getfixturevalue("settings")
    folder: Path = request.getfixturevalue("tmp_path") / "data"
    for name in ("media", "artifacts", "work"):
        (folder / name).mkdir(parents=True)
    settings.DATA_DIR = folder
    settings.MEDIA_ROOT = folder / "media"
    return folder


@pytest.fixture(scope="session")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of SmolLM2-135M-Instruct, converted once a test run (half a minute), removed at its end.

    Whoever uses it takes the mark `xdist_group("smollm2")`, so that one test process alone does so.
    """
    from training.learning import language_model

    models = tmp_path_factory.mktemp("models")
    yield language_model.convert(language_model.default_path(), models)
    shutil.rmtree(models)
