"""manage.py simulate: does picking pay on this data? The product's own rounds, with a labelled file as the
oracle.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.errors import GyreError
from selection.services import examples, simulate
from selection.services.simulate import Course, SimulationSpec
from selection.services.simulation_report import plot, summary, table
from selection.strategies.registry import STRATEGIES
from training.learners import learners_for

EMPTY = "empty"  # folder of the database that workers begin with


class Command(BaseCommand):
    help = (
        "Replay labelling on a labelled file: every strategy, several seeds, the learning curve of each. "
        "Runs the product's own services in a temporary database and folder; your projects are not touched."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data", help="labelled file: CSV, TSV, JSONL (also .gz) or Parquet")
        parser.add_argument(
            "--test", default="", help="labelled test file; without it a fifth of the data is held out"
        )
        parser.add_argument("--text", default="text", help="column of the text")
        parser.add_argument("--label", default="label", help="column of the label")
        parser.add_argument(
            "--strategy", default="default,random", help=f"comma-separated, or all: {', '.join(STRATEGIES)}"
        )
        parser.add_argument("--batch", type=int, default=25, help="labels a batch")
        parser.add_argument("--rounds", type=int, default=20, help="batches")
        parser.add_argument(
            "--seeds", type=int, default=3, help="repetitions, each with its own split and draws"
        )
        parser.add_argument(
            "--model", choices=[one.name for one in learners_for("classification")], default="probe"
        )
        parser.add_argument("--model-settings", type=json.loads, default={}, help="as JSON")
        parser.add_argument("--control-share", type=float, default=0.1, help="random share of each batch")
        parser.add_argument("--workers", type=int, default=0, help="seeds run at once; default: one a core")
        parser.add_argument("--json", default="", help="write the curves to this file")
        parser.add_argument("--plot", default="", help="draw them into this SVG file")
        parser.add_argument("--inside", default="", help="used by the command itself")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["inside"]:
                self._inside(Path(options["inside"]))
            else:
                self._outside(_spec(options), options)
        except GyreError as error:
            raise CommandError(str(error)) from error

    def _outside(self, spec: SimulationSpec, options: dict[str, Any]) -> None:
        """Read and embed once, then give every worker a database of its own and some of the seeds."""
        found = examples.read_examples(spec)
        with tempfile.TemporaryDirectory(prefix="gyre-simulate-") as folder:
            self.stderr.write(f"embedding {len(found.rows)} texts")
            with _migrating(Path(folder)):
                examples.embed_ahead(found, Path(folder) / "embeddings", on_event=lambda event: None)
            spec = replace(spec, embeddings=str(Path(folder) / "embeddings"))
            workers = max(1, min(options["workers"] or os.cpu_count() or 1, spec.seeds))
            parts = [spec.seeds // workers + (number < spec.seeds % workers) for number in range(workers)]
            firsts = [spec.first_seed + sum(parts[:number]) for number in range(workers)]
            specs = [
                replace(spec, seeds=count, first_seed=first)
                for count, first in zip(parts, firsts, strict=True)
            ]
            with ThreadPoolExecutor(workers) as threads:
                jobs = [
                    threads.submit(self._worker, one, Path(folder) / f"worker-{number}", workers)
                    for number, one in enumerate(specs)
                ]
                courses = [course for job in jobs for course in job.result()]
        report = summary(replace(spec, embeddings=""), courses)
        for line in table(report):
            self.stdout.write(line)
        if options["json"]:
            Path(options["json"]).write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
        if options["plot"]:
            Path(options["plot"]).write_text(plot(report))

    def _worker(self, spec: SimulationSpec, folder: Path, workers: int) -> list[Course]:
        shutil.copytree(folder.parent / EMPTY, folder)
        (folder / "spec.json").write_text(json.dumps(spec.to_json()))
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "simulate", "--inside", str(folder)]
        with subprocess.Popen(
            command,
            env=_environment(folder, workers),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as child:
            assert child.stdout is not None and child.stderr is not None
            for line in child.stdout:
                self.stderr.write(line.rstrip())
            said = child.stderr.read().strip()
        if child.returncode:
            raise CommandError(
                said.splitlines()[-1].removeprefix("CommandError: ") if said else "a worker died"
            )
        return [Course(**course) for course in json.loads((folder / "courses.json").read_text())]

    def _inside(self, folder: Path) -> None:
        """In the worker, whose database is empty: all rounds."""
        spec = SimulationSpec.from_json(json.loads((folder / "spec.json").read_text()))
        courses = simulate.measure(spec, on_progress=lambda line: self.stdout.write(line))
        (folder / "courses.json").write_text(json.dumps([asdict(course) for course in courses]))


@contextmanager
def _migrating(folder: Path) -> Iterator[None]:
    """Have an empty database of the newest schema made for all workers to copy, beside what is done inside."""
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "migrate", "--verbosity", "0"]
    environment = _environment(folder / EMPTY, 1)
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as child:
        yield
        _out, said = child.communicate()
    if child.returncode:
        raise CommandError(f"no database could be made in {folder}: {said.strip().splitlines()[-1]}")


def _spec(options: dict[str, Any]) -> SimulationSpec:
    if not options["data"]:
        raise CommandError("--data is missing: name a labelled file")
    names = list(STRATEGIES) if options["strategy"] == "all" else options["strategy"].split(",")
    names = [name.strip() for name in names if name.strip()]
    if unknown := [name for name in names if name not in STRATEGIES]:
        raise CommandError(
            f"there is no strategy {unknown[0]!r}: use all, or some of {', '.join(STRATEGIES)}"
        )
    if "random" not in names:
        names.append("random")  # a curve says little without the one to hold it against
    return SimulationSpec(
        data=str(Path(options["data"]).resolve()),
        test=str(Path(options["test"]).resolve()) if options["test"] else "",
        text=options["text"],
        label=options["label"],
        strategies=tuple(dict.fromkeys(names)),
        batch=options["batch"],
        rounds=options["rounds"],
        seeds=options["seeds"],
        learner=options["model"],
        learner_settings=options["model_settings"],
        control_share=options["control_share"],
    )


def _environment(folder: Path, workers: int) -> dict[str, str]:
    """A data folder and database of the worker's own, whatever the installation's settings are."""
    data = folder / "data"
    threads = max(1, (os.cpu_count() or 1) // workers)
    return {
        **os.environ,
        "DATA_DIR": str(data),
        "TEST_DATA_DIR": str(data),  # under pytest the settings take this one
        "DATABASE_URL": f"sqlite:///{data / 'simulate.sqlite3'}",
        "CELERY_BROKER_URL": "memory://",
        "SQLITE_SYNCHRONOUS": "OFF",  # nothing here outlives the process
        "OMP_NUM_THREADS": str(threads),
        "PYTHONUNBUFFERED": "1",
    }
