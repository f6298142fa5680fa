"""Figures of the pool for bench.selection: a batch published from a million items, the warm refresh, the
index.

The first two run the product's own jobs, with their programs in processes of their own, as under a worker:
`publish_1m` is a round's stations pick and publish (the blend, 1,000 picks, explained), `warm_refresh_100k`
the whole job from 2,000 labels to switched slots. `recall_at_10` is measured on real vectors.

    python -m bench._selection_pool [--quick] [--json FILE]
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import _selection_site as site
from bench import _site
from bench._report import Figure, main

NAME = "selection"
ITEMS, LABELS, PICKS = 1_000_000, 1_000, 1_000  # the second batch of a thousand
REFRESH_ITEMS, REFRESH_LABELS = 100_000, 2_000
QUICK_ITEMS, QUICK_REFRESH_ITEMS, QUICK_LABELS, QUICK_PICKS = 20_000, 10_000, 300, 100


def figures(quick: bool) -> Iterator[Figure]:
    from bench._selection_recall import figures as recall

    items, few = (QUICK_ITEMS, QUICK_REFRESH_ITEMS) if quick else (ITEMS, REFRESH_ITEMS)
    labels, refresh_labels = (QUICK_LABELS, QUICK_LABELS) if quick else (LABELS, REFRESH_LABELS)
    picks = QUICK_PICKS if quick else PICKS
    yield from recall(quick)
    with _folder() as folder:
        _site.set_up(folder)
        _warm()
        yield from warm_refresh(site.made("few", folder, items=few, labels=refresh_labels), picks)
        yield from published(site.made("many", folder, items=items, labels=labels), picks)


@contextmanager
def _folder() -> Iterator[Path]:
    """A new folder, or the one that GYRE_BENCH_SITE names, whose projects were made ahead
    (`python -m bench._selection_site`): making a million items takes minutes and is not measured.
    """
    if kept := os.environ.get("GYRE_BENCH_SITE"):
        yield Path(kept)
        return
    with tempfile.TemporaryDirectory(prefix="gyre-bench-") as name:
        yield Path(name)


def _warm() -> None:
    """Read the URLs, as every worker has that has run for a while: it takes a second and is not the batch's."""
    from django.urls import reverse

    reverse("admin:index")


def published(project: Any, picks: int) -> Iterator[Figure]:
    """A whole round by a probe; the seconds of its stations pick and publish."""
    from jobs.services import dispatch
    from selection.selectors import rounds as reads

    with dispatch.held(), private_memory() as peak:
        round_ = _round(project, "blend", picks)
    if round_.state != "done":
        yield Figure(
            f"{NAME}.publish_1m.seconds", skipped=f"the round ended as {round_.state}: {round_.error}"
        )
        return
    seconds = reads.station_seconds(reads.get_round(project, round_.number))
    columns = sum(column.count * column.width * 4 for column in project.columns.all()) / 1e6
    total = seconds["pick"] + seconds["publish"]
    yield Figure(f"{NAME}.publish_1m.seconds", value=round(total, 2), unit="s", against="aim <= 10")
    yield Figure(f"{NAME}.publish_1m.pick", value=round(seconds["pick"], 2), unit="s")
    yield Figure(
        f"{NAME}.publish_1m.memory_ratio",
        value=round(max(peak, default=0.0) / columns, 2),
        unit="ratio",
        against=f"the columns, {columns:.0f} MB; aim <= 1.3",
    )


def warm_refresh(project: Any, picks: int) -> Iterator[Figure]:
    """The job of a refresh, after a round of the default strategy."""
    from jobs.services import dispatch, jobs
    from selection.services import refreshes

    with dispatch.held():
        round_ = _round(project, "default", picks)
        assert round_.state == "done", round_.error
        begun = time.perf_counter()
        job = refreshes.launch(project)
        jobs.run(job.pk)
        seconds = time.perf_counter() - begun
    job.refresh_from_db()
    assert job.state == "done", job.error
    refresh = round_.refreshes.get()
    yield Figure(f"{NAME}.warm_refresh_100k.seconds", value=round(seconds, 2), unit="s", against="aim <= 5")
    yield Figure(
        f"{NAME}.warm_refresh_100k.switch_ms",
        value=round(1000 * refresh.switch_s, 1),
        unit="ms",
        against=f"{refresh.replaced} of {refresh.replaced + refresh.kept} free items replaced",
    )


def _round(project: Any, strategy: str, picks: int) -> Any:
    from selection.round_spec import RoundSpec
    from selection.services import rounds

    spec = RoundSpec(
        strategy=strategy, batch_size=picks, learner="probe", seed=1, pool_limit=10_000_000, evidence=False
    )
    return rounds.run_to_end(rounds.launch(project, spec))


@contextmanager
def private_memory() -> Iterator[list[float]]:
    """The private memory of the programs that run meanwhile, in MB, looked at four times a second; mapped
    columns are none of it. Empty where /proc is not there.
    """
    found: list[float] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.25):
            for child in _children():
                try:
                    lines = Path(f"/proc/{child}/smaps_rollup").read_text().splitlines()
                except OSError:
                    continue
                sizes = [int(line.split()[1]) for line in lines if line.startswith("Private_Dirty")]
                found.append(sum(sizes) / 1e3)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def _children() -> list[str]:
    try:
        tasks = Path(f"/proc/{os.getpid()}/task").iterdir()
        return [child for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


if __name__ == "__main__":
    sys.exit(main(figures))
