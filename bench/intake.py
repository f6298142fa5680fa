"""Rows a second and memory of an import: a CSV of a million rows goes through the product's own job.

The naive twin stores one model instance a row, with the same checks, beside it in the same process.

    python -m bench.intake [--quick] [--json FILE]
"""

from __future__ import annotations

import csv
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from bench._report import Figure, main

ROWS, QUICK_ROWS = 1_000_000, 50_000
TWIN_ROWS = 2_000
WORDS = 20_000
SEED = 1


def write_file(path: Path, count: int) -> None:
    """Sentences of 6 to 16 made-up words, a third of them with a comma, one in fifty a duplicate."""
    rng = random.Random(SEED)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 9))) for _ in range(WORDS)]
    last = "first of all"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text", "channel"])
        for number in range(count):
            if rng.random() >= 0.02:
                last = " ".join(rng.choices(words, k=rng.randint(6, 16)))
                last += ", please" if number % 3 == 0 else ""
            writer.writerow([number, last, "mail"])


@contextmanager
def peak_memory() -> Iterator[list[float]]:
    """The largest private memory (resident less shared pages) of this process meanwhile, in MB, as the list's
    one entry; empty where /proc is not there.
    """
    found: list[float] = []
    ended = threading.Event()
    page = os.sysconf("SC_PAGE_SIZE") / 1e6

    def watch() -> None:
        while not ended.wait(0.02):
            try:
                fields = Path("/proc/self/statm").read_text().split()
            except OSError:
                return
            now = (int(fields[1]) - int(fields[2])) * page
            found[:] = [max(now, *found)] if found else [now]

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        ended.set()
        watcher.join()


def import_file(path: Path) -> tuple[Any, float]:
    """(the finished import, seconds) of `path`, run as the worker would."""
    from annotation.services import imports, projects
    from jobs.services import dispatch, jobs

    project = projects.create("Bench", labels=["a", "b"])
    with path.open("rb") as stream, dispatch.held():
        import_run = imports.upload(project, stream, path.name)
        job = imports.start(import_run, {"text": "text", "external_id": "id"})
        started = time.perf_counter()
        jobs.run(job.pk)
    seconds = time.perf_counter() - started
    import_run.refresh_from_db()
    assert import_run.state == "done", import_run.error
    return import_run, seconds


def twin(path: Path) -> float:
    """Rows a second of the plain way: a row, a look-up of its text, a model instance, a save."""
    from annotation.intake.normalise import content_hash, normalise
    from annotation.intake.split import assign_split
    from annotation.models import Item, Source
    from annotation.services import projects

    project = projects.create("Twin", labels=["a", "b"])
    source = Source.objects.create(project=project, name=path.name)
    with path.open(newline="", encoding="utf-8") as file:
        started = time.perf_counter()
        for row, fields in enumerate(islice(csv.DictReader(file), TWIN_ROWS)):
            normalised = normalise(fields["text"])
            key = content_hash(normalised)
            first = Item.objects.filter(project=project, content_hash=key, duplicate_of=None).first()
            Item.objects.create(
                project=project,
                row=row,
                text=fields["text"],
                normalised=normalised,
                content_hash=key,
                normaliser_version=1,
                duplicate_of=first,
                cluster=first.cluster if first else row,
                split=first.split if first else assign_split(key, project.seed, 0.1, 0.2),
                external_id=fields["id"],
                source=source,
            )
        return TWIN_ROWS / (time.perf_counter() - started)


def figures(quick: bool) -> Iterator[Figure]:
    count = QUICK_ROWS if quick else ROWS
    with tempfile.TemporaryDirectory(prefix="gyre-bench-") as folder:
        os.environ.setdefault("DATA_DIR", folder)
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        os.environ["LOG_LEVEL"] = "WARNING"
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        from annotation.signals import import_finished

        import_finished.receivers.clear()  # the first round would begin beside the measurement
        call_command("migrate", verbosity=0)
        path = Path(folder) / "rows.csv"
        write_file(path, count)
        with peak_memory() as peak:
            import_run, seconds = import_file(path)
        assert import_run.added + import_run.duplicates == count
        assert import_run.project.items.count() == count
        rate, plain = count / seconds, twin(path)
        vendor = "sqlite" if connection.vendor == "sqlite" else "postgresql"
        against = f"one model instance a row ({TWIN_ROWS:,} rows): {plain:,.0f} rows/s"
        yield Figure(f"intake.rows_per_s.{vendor}", round(rate), "1/s", against, round(rate / plain, 1))
        if peak:
            yield Figure("intake.peak_mb", round(peak[0]), "MB")
        else:
            yield Figure("intake.peak_mb", None, "MB", skipped="needs /proc, which this system lacks")
        connection.close()


if __name__ == "__main__":
    sys.exit(main(figures))
