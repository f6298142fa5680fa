"""Fixtures that every test may use. Factories of rows are in tests/factories.py."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings

# How long an example takes says how busy the machine is, not whether the code is right.
hypothesis_settings.register_profile("gyre", deadline=None)
hypothesis_settings.load_profile("gyre")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of long tests without a database first. They would come last, where one test process would run the
    longest of them while the other has nothing left to do.
    """
    long = {item.path for item in items if item.get_closest_marker("slow")}
    long -= {item.path for item in items if item.get_closest_marker("django_db")}
    items.sort(key=lambda item: item.path not in long)


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
