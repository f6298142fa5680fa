"""Fixtures that every test may use. Factories of rows are in tests/factories.py."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
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
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> str | None:  # noqa: ARG001
    """The test database, and a copy of it as `migrate` left it (SQLite only): see `migrated`."""
    from django.db import connection

    if connection.vendor != "sqlite":
        return None
    with django_db_blocker.unblock():
        name = f"{connection.settings_dict['NAME']}.migrated"
        Path(name).unlink(missing_ok=True)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [name])
    return name


@pytest.fixture
def migrated(db: None, django_db_setup: str | None) -> Callable[[Path], None]:  # noqa: ARG001
    """Give a data folder a database of the newest schema, for processes that a test starts: migrating there
    costs eight seconds each time.
    """
    if django_db_setup is None:
        pytest.skip("makes databases of its own, which only SQLite allows without a server's leave")

    def put(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(django_db_setup, folder / "db.sqlite3")

    return put


@pytest.fixture(scope="session")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of SmolLM2-135M-Instruct, converted once a test run (half a minute), removed at its end.

    Whoever uses it takes the mark `xdist_group("smollm2")`, so that one test process alone does so.
    """
    from training.learning import language_model

    models = tmp_path_factory.mktemp("models")
    yield language_model.convert(language_model.default_path(), models)
    shutil.rmtree(models)
