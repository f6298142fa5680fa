"""An import whose worker is killed for real, in processes of their own with a database of their own."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings

ROWS = 60_000
RESUME = """
import time, django
django.setup()
from annotation.models import Import
from annotation.selectors import imports
from jobs.services import jobs
run = Import.objects.get()
print("before", run.lines_done, run.project.items.count())
job = imports.job(run)
while jobs.sweep() == 0:
    time.sleep(0.2)
assert jobs.run(job.pk)
run.refresh_from_db()
rows = sorted(run.project.items.values_list("row", flat=True))
print("after", run.state, run.added + run.duplicates, rows == list(range(len(rows))), len(rows))
"""


@pytest.mark.slow
def test_it_goes_on_after_kill_9_without_losing_or_doubling_a_row(
    migrated: Callable[[Path], None], tmp_path: Path
) -> None:
    file = tmp_path / "texts.csv"
    file.write_text("text\n" + "".join(f"text number {number % 50_000}\n" for number in range(ROWS)))
    environment = {
        **os.environ,
        "TEST_DATA_DIR": str(tmp_path / "data"),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "JOBS_STALE_SECONDS": "3",
        "LOG_LEVEL": "ERROR",
    }

    def manage(*arguments: str) -> list[str]:
        return [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]

    migrated(tmp_path / "data")
    subprocess.run(manage("create_project", "Bank"), env=environment, check=True, capture_output=True)
    running = subprocess.Popen(manage("import_items", "bank", str(file)), env=environment)
    database = tmp_path / "data" / "db.sqlite3"
    deadline = time.monotonic() + 60
    while _lines_done(database) < 4000 and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    resumed = subprocess.run(
        [sys.executable, "-c", RESUME],
        env=environment,
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert resumed.returncode == 0, resumed.stderr
    before, after = resumed.stdout.splitlines()[-2:]
    lines_done, items = map(int, before.split()[1:])
    assert 4000 <= lines_done < ROWS and items == lines_done - 1  # whole blocks; the header is line 1
    assert after == f"after done {ROWS} True {ROWS}"


def _lines_done(database: Path) -> int:

    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            return connection.execute(
                "SELECT coalesce(max(lines_done), 0) FROM annotation_import"
            ).fetchone()[0]
    except sqlite3.OperationalError:
        return 0
