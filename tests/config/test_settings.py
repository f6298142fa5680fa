"""Settings are read in a process of their own: they come from the environment at its start."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
from django.conf import settings

SHOW = """
import json
from config import settings as s
print(json.dumps({name: getattr(s, name) for name in %r}, default=str))
"""


def read(folder, names, **environment):
    kept = {
        k: v
        for k, v in os.environ.items()
        if k not in ("DATABASE_URL", "CELERY_BROKER_URL", "PYTEST_VERSION")
    }
    done = subprocess.run(
        [sys.executable, "-c", SHOW % (names,)],
        cwd=settings.BASE_DIR,
        env={**kept, "TEST_DATA_DIR": str(folder), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.slow
def test_it_is_one_machine_without_any_setting(tmp_path):
    found = read(tmp_path, ["DATABASES", "CELERY_BROKER_URL", "CELERY_BROKER_TRANSPORT_OPTIONS", "DEBUG"])
    database = found["DATABASES"]["default"]
    assert database["NAME"] == str(tmp_path / "db.sqlite3")
    assert database["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in database["OPTIONS"]["init_command"]
    assert found["CELERY_BROKER_URL"] == "filesystem://"
    assert found["CELERY_BROKER_TRANSPORT_OPTIONS"]["polling_interval"] == 0.1
    assert found["DEBUG"] is False


@pytest.mark.slow
def test_it_grows_by_two_settings(tmp_path):
    found = read(
        tmp_path,
        ["DATABASES", "CELERY_BROKER_URL"],
        DATABASE_URL="postgres://ana:pw@db:5432/gyre",
        CELERY_BROKER_URL="redis://broker:6379/0",
    )
    database = found["DATABASES"]["default"]
    assert (database["ENGINE"], database["HOST"], database["NAME"]) == (
        "django.db.backends.postgresql",
        "db",
        "gyre",
    )
    assert found["CELERY_BROKER_URL"] == "redis://broker:6379/0"


def test_every_setting_from_the_environment_is_explained_in_the_example():
    code = (settings.BASE_DIR / "config" / "settings.py").read_text()
    names = set(re.findall(r'env\.\w+\(\s*"(\w+)"', code)) | {"DATA_DIR"}
    example = (settings.BASE_DIR / ".env.example").read_text()
    assert {name for name in names if not re.search(rf"^# {name}=", example, re.MULTILINE)} == set()
