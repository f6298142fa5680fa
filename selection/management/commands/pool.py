"""manage.py pool PROJECT: columns and index of a project; compute ahead, refresh, search."""

from __future__ import annotations

from argparse import ArgumentParser
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation.management.projects import plainly, project_named
from jobs.models import Job
from jobs.services import dispatch, jobs, running
from selection.index.choice import KINDS
from selection.selectors import pool_state
from selection.services import builds, indexing, neighbours, pool, refreshes


class Command(BaseCommand):
    help = (
        "Show the columns and the index of a project's pool; compute them, refresh the batch, search by text."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", help="the project's address (slug)")
        parser.add_argument("--embed", action="store_true", help="compute the vectors that are lacking")
        parser.add_argument("--index", action="store_true", help="build the index or bring it up to date")
        parser.add_argument(
            "--kind", choices=KINDS, default="", help="of the index; default: what fits the memory"
        )
        parser.add_argument(
            "--refresh", action="store_true", help="pick the free part of the batch again now"
        )
        parser.add_argument("--like", metavar="TEXT", help="list the items of the pool that are like a text")
        parser.add_argument("--first", type=int, default=10, help="so many of them")

    def handle(self, *_args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        with plainly():
            if options["embed"]:
                self._run(builds.ensure_embeddings, project)
                with dispatch.held():
                    jobs.drain()  # its parts
            if options["index"]:
                held = indexing.asked_for(indexing.current(project))
                self._run(partial(indexing.ensure, kind=options["kind"] or held), project)
            if options["refresh"]:
                result = self._run(refreshes.launch, project).result or {}
                self.stdout.write(result["note"])
            self._state(project)
            if options["like"] is not None:
                for one in neighbours.near_text(project, options["like"], most=options["first"]):
                    self.stdout.write(f"{one.similarity:.3f}  row {one.item.row}  {one.item.text[:100]!r}")

    def _run(self, launch: Any, project: Any) -> Job:
        with dispatch.held():
            job: Job = launch(project)
            running.run(job.pk)
        job.refresh_from_db()
        if not job.has_ended:
            raise CommandError("a worker runs it already: follow it on the page of the project's pool")
        if job.state != "done":
            raise CommandError(f"it ended as {job.state}: {job.error}")
        return job

    def _state(self, project: Any) -> None:
        state = pool_state.read(project, pool.embedding_key(project))
        self.stdout.write(f"{project.slug}: {state.items} items, {state.lacking} without a vector")
        for one in state.columns:
            self.stdout.write(f"  {one.kind} by {one.by}: {one.rows} items, {one.megabytes:.1f} MB")
        if state.index:
            held = state.index
            self.stdout.write(
                f"  index {held.factory}: {held.count} items, recall@10 {held.recall_at_10:.3f}"
            )
            if len(held.tried) > 1:
                told = [f"{one['factory']} {one['recall_at_10']:.3f}" for one in held.tried]
                self.stdout.write(f"  tried: {', '.join(told)}")
            if held.note:
                self.stdout.write(f"  {held.note}")
