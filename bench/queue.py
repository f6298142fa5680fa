"""The queue under load: 32 annotators over HTTP against the server as `make run` starts it, on this machine.

Each annotator takes an item (GET next) and answers it (POST submit): one pair. Half of them are known by a
session, as on the labelling page, half by an API token. All rules are on: rights, second looks, evaluation
items, suggestions, spot checks, idempotency. Client, server, worker and scheduler share the machine's cores.

Counted afterwards, what the clients saw against the database, over all runs and with one kill -9 of the web
server on the way:
- queue.double: slots handed to two people, items that one person got twice, slots with two standing answers,
  answers stored under another's name, answers stored that nobody was told of;
- queue.lost: answers that were accepted and are not stored as given, slots done without an answer;
- queue.errors: answers other than 200, and lost connections where nobody killed anything.

    python -m bench.queue [--quick] [--json FILE] [--only PART...] [--data FOLDER] [--label-studio URL --token
    T]

`--data` keeps the filled databases for the next run: filling a million items takes longer than measuring.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench._queue_server import Site, finished, finished_work
from bench._report import Figure, main

PEOPLE = 32
POSTGRES = "postgres://postgres@127.0.0.1:5432/"


class Sizes(NamedTuple):
    items: int
    slots: int
    few_items: int
    few_slots: int
    seconds: float
    busy_items: int
    busy_slots: int


FULL = Sizes(1_000_000, 50_000, 10_000, 6_000, 20.0, 100_000, 5_000)
QUICK = Sizes(20_000, 6_000, 2_000, 1_200, 2.0, 5_000, 500)
PARTS = ("sqlite", "growth", "postgresql", "label_studio")
QUICK_PARTS = ("sqlite",)  # every further database costs its migrations


class Seen(NamedTuple):
    """One run: pairs a second, and percentiles in ms."""

    rate: float
    next_p50: float
    next_p99: float
    submit_p50: float
    submit_p99: float
    client_share: float


def seen(result: dict[str, Any]) -> Seen:
    takes = [ms for person in result["people"] for ms in person["next_ms"]]
    answers = [ms for person in result["people"] for ms in person["submit_ms"]]
    if any(person["ran_dry"] for person in result["people"]):
        print("note: the queue ran dry in this run", file=sys.stderr)
    seconds = result["seconds"]
    percentiles = [float(p) for ms in (takes, answers) for p in np.percentile(ms, [50, 99])]
    return Seen(len(answers) / seconds, *percentiles, result["cpu_s"] / seconds)


def told(name: str, run: Seen) -> None:
    print(
        f"{name}: {run.rate:.0f} pairs/s; next p50 {run.next_p50:.1f} p99 {run.next_p99:.1f} ms; submit p50 "
        f"{run.submit_p50:.1f} p99 {run.submit_p99:.1f} ms; the client took {run.client_share:.2f} of a core",
        file=sys.stderr,
        flush=True,
    )


def on_sqlite(site: Site, few: Site | None, sizes: Sizes) -> Iterator[Figure]:
    with site.up(SQLITE_SYNCHRONOUS="FULL"):
        full = seen(site.work(sizes.seconds))
        told("sqlite, synchronous FULL", full)
    yield Figure("queue.pairs_per_s.sqlite_full", round(full.rate), "1/s")
    small = None
    if few is not None:
        with few.up():
            small = seen(few.work(sizes.seconds / 2))
            told(f"sqlite, {sizes.few_items:,} items", small)
    else:
        yield Figure("queue.growth", skipped="a second installation is left out: --only sqlite growth")
    yield from measured("sqlite", site, sizes, small)


def measured(name: str, site: Site, sizes: Sizes, small: Seen | None = None) -> Iterator[Figure]:
    """The server as it starts: hurried, with think time, killed, and beside a round and an import."""
    with site.up():
        run = seen(site.work(sizes.seconds))
        told(f"{name}, {sizes.items:,} items", run)
        yield Figure(f"queue.pairs_per_s.{name}", round(run.rate), "1/s")
        yield Figure(f"queue.next_p50.{name}", round(run.next_p50, 1), "ms")
        yield Figure(f"queue.next_p99.{name}", round(run.next_p99, 1), "ms")
        yield Figure(f"queue.submit_p50.{name}", round(run.submit_p50, 1), "ms")
        yield Figure(f"queue.submit_p99.{name}", round(run.submit_p99, 1), "ms")
        if small is not None:
            against = f"p50 of next with {sizes.few_items:,} items: {small.next_p50:.1f} ms"
            growth = round(run.next_p50 / small.next_p50, 2)
            yield Figure("queue.growth", growth, "ratio", against, growth)
        think = seen(site.work(sizes.seconds, think_s=1.0))
        told(f"{name}, 1 s think time", think)
        yield Figure(f"queue.next_p99_think.{name}", round(think.next_p99, 1), "ms")
        yield Figure(f"queue.submit_p99_think.{name}", round(think.submit_p99, 1), "ms")
        _killed(site, sizes)
        yield from _busy("" if name == "sqlite" else f".{name}", site, sizes)


def _killed(site: Site, sizes: Sizes) -> None:
    working = site.start_work(max(5.0, sizes.seconds / 2), may_break=True)
    time.sleep(2.5)
    killed = site.kill_web()
    assert killed >= 2, "the web server was not found"
    result = finished_work(working)
    retries = sum(person["retries"] for person in result["people"])
    print(f"kill -9 of {killed} web processes: {retries} requests were sent again", file=sys.stderr)


def _busy(suffix: str, site: Site, sizes: Sizes) -> Iterator[Figure]:
    """A round publishes and an import writes, beside annotators who do not think, then beside some who do."""
    for think, think_s in (("", 0.0), ("_think", 1.0)):
        name = f"queue.next_p99_busy{think}{suffix}"
        busy = site.start_data("busy", sizes.busy_items, sizes.busy_slots, name)
        time.sleep(1.0)
        working = site.start_work(sizes.seconds * 0.75, think_s=think_s)
        run = seen(finished_work(working))
        times = finished(busy)
        told(f"{name} ({times})", run)
        against = f"published in {times['publish_s']} s, imported in {times['import_s']} s"
        yield Figure(name, round(run.next_p99, 1), "ms", against)


def postgresql_answers() -> bool:
    try:
        socket.create_connection(("127.0.0.1", 5432), 1).close()
    except OSError:
        return False
    return True


def postgresql_site(folder: Path) -> Site:
    name = "bench_queue"
    if not (folder / "seeded.json").exists():
        for statement in (f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}"):
            command = ["psql", f"{POSTGRES}postgres", "-qc", statement]
            subprocess.run(command, check=True, capture_output=True)
    return Site(folder, POSTGRES + name)


def counted(sites: list[Site]) -> Iterator[Figure]:
    sums = dict.fromkeys(("double", "lost", "errors"), 0)
    for site in sites:
        found = site.count()
        print(f"{site.database_url or site.folder}: {found}", file=sys.stderr)
        sums = {name: total + found[name] for name, total in sums.items()}
    for name, total in sums.items():
        yield Figure(f"queue.{name}", total, "count")


def figures(quick: bool) -> Iterator[Figure]:
    asked = OPTIONS.parse_known_args()[0]
    sizes = QUICK if quick else FULL
    parts = asked.only or (QUICK_PARTS if quick else PARTS)
    with tempfile.TemporaryDirectory(prefix="gyre-bench-") as temporary:
        folder = Path(temporary) if asked.data is None else asked.data / ("quick" if quick else "full")
        used: list[Site] = []
        if "sqlite" in parts:
            site = _filled(Site(folder / "sqlite"), sizes.items, sizes.slots, temporary)
            few = None
            if "growth" in parts:
                few = _filled(Site(folder / "sqlite-few"), sizes.few_items, sizes.few_slots, temporary)
            used += [site] if few is None else [site, few]
            yield from on_sqlite(site, few, sizes)
        if "postgresql" in parts and postgresql_answers():
            site = postgresql_site(folder / "postgresql")
            site.seed(sizes.items, sizes.slots, PEOPLE)
            used.append(site)
            yield from measured("postgresql", site, sizes)
        elif "postgresql" in parts:
            reason = "no PostgreSQL answers on 127.0.0.1:5432"
            yield Figure("queue.pairs_per_s.postgresql", skipped=reason)
        yield from counted(used)
        if asked.label_studio:
            from bench._label_studio import measure

            yield from measure(asked.label_studio, asked.token, Path(temporary), sizes.seconds, PEOPLE)


def _filled(site: Site, items: int, slots: int, temporary: str) -> Site:
    """The installation, filled, as a copy in a folder that goes away, so that what is kept stays as it was."""
    site.seed(items, slots, PEOPLE)
    folder = Path(temporary) / f"{site.folder.name}-work"
    shutil.copytree(site.folder, folder)
    return Site(folder, people=site.people, labels=site.labels)


OPTIONS = argparse.ArgumentParser(add_help=False)
OPTIONS.add_argument("--only", nargs="+", choices=PARTS, help="measure these parts; --quick: sqlite")
OPTIONS.add_argument("--data", type=Path, metavar="FOLDER", help="keep the filled databases there")
OPTIONS.add_argument("--label-studio", default="", metavar="URL", help="a Label Studio to measure beside")
OPTIONS.add_argument("--token", default="", help="the access token of its administrator")

if __name__ == "__main__":
    sys.exit(main(figures, options=OPTIONS))
