"""Labels in to next batch published: one whole round of the product, seconds by station.

A pool of 10,000 texts with 1,000 labels and 300 test labels, the fine-tune as learner; the pool was embedded
by an earlier round. Jobs run in this process, their programs in processes of their own, as under a worker.

    python -m bench.round_turnaround [--quick] [--json FILE]
"""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import _site
from bench._report import Figure, main

NAME = "round_turnaround"
POOL, LABELS, TEST = 10_000, 1_000, 300
QUICK_POOL, QUICK_LABELS, QUICK_TEST = 600, 60, 60
BATCH = 100


def figures(quick: bool) -> Iterator[Figure]:
    pool, labels, test = (QUICK_POOL, QUICK_LABELS, QUICK_TEST) if quick else (POOL, LABELS, TEST)
    texts = _texts(pool + labels + test)
    if texts is None:
        yield Figure(f"{NAME}.total", skipped="the snips texts are not on this machine: set GYRE_DATA")
        return
    with tempfile.TemporaryDirectory(prefix="gyre-bench-") as folder:
        _site.set_up(Path(folder))
        yield from _measure(texts, labels, test, settings={"epochs": 1.0} if quick else {})


def _texts(count: int) -> list[tuple[str, str]] | None:
    from bench._sets import data_folder

    path = data_folder() / "snips" / "train.jsonl.gz"
    if not path.is_file():
        return None
    found: dict[str, str] = {}
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        for line in stream:
            row = json.loads(line)
            found.setdefault(row["text"].strip(), row["label"])
    return list(found.items())[:count]


def _measure(
    texts: list[tuple[str, str]], labels: int, test: int, settings: dict[str, Any]
) -> Iterator[Figure]:
    from jobs.services import dispatch, jobs
    from selection.models import Round
    from selection.round_spec import RoundSpec
    from selection.selectors import rounds as reads
    from selection.services import builds, rounds

    project = _project(texts, labels, test)
    with dispatch.held():
        builds.ensure_embeddings(project)
        jobs.drain()
        with arithmetic() as computed:
            started = time.perf_counter()
            spec = RoundSpec(batch_size=BATCH, learner="finetune", learner_settings=settings, seed=1)
            round_ = rounds.run_to_end(rounds.launch(project, spec))
            total = time.perf_counter() - started
        if round_.state != Round.State.DONE:
            yield Figure(f"{NAME}.total", skipped=f"the round ended as {round_.state}: {round_.error}")
            return
    yield Figure(f"{NAME}.total", value=round(total, 2), unit="s")
    yield Figure(f"{NAME}.overhead_s", value=round(total - sum(computed), 2), unit="s", against="aim <= 20")
    for name, seconds in reads.station_seconds(reads.get_round(project, round_.number)).items():
        yield Figure(f"{NAME}.station.{name}", value=round(seconds, 2), unit="s")


def _project(texts: list[tuple[str, str]], labels: int, test: int) -> Any:
    from annotation.services import items, projects

    names = sorted({label for _text, label in texts})
    project = projects.create("Bench", labels=names, evaluation_items=0, seed=1)
    records = []
    for number, (text, label) in enumerate(texts):
        known = label if number < labels + test else None
        records.append(items.Record(text=text, label=known, split="test" if number < test else "train"))
    items.add_items(project, records, source="snips")
    return project


@contextmanager
def arithmetic() -> Iterator[list[float]]:
    """Inside, the seconds that each program has spent on training, embedding or predicting proper, as it says
    in its result: process start, imports, reading the model and writing the result are none of them.
    """
    from jobs.services import processes

    seconds: list[float] = []
    plain = processes.run

    def run(module: str, spec: dict[str, Any], **options: Any) -> Path:
        folder = plain(module, spec, **options)
        result = (
            json.loads((folder / "result.json").read_text()) if (folder / "result.json").is_file() else {}
        )
        seconds.append(sum(float(result.get(name) or 0.0) for name in ("computed_s", "head_s", "trained_s")))
        return folder

    processes.run = run
    try:
        yield seconds
    finally:
        processes.run = plain


if __name__ == "__main__":
    sys.exit(main(figures))
