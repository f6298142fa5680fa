"""manage.py value PROJECT: what the labels are worth, and which to look at again."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation.management.projects import plainly, project_named
from jobs.services import dispatch, running
from selection.selectors import values as reads
from selection.services import values


class Command(BaseCommand):
    help = "Work out what each label of a project is worth; list those to look at again, and the sources."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", help="the project's address (slug)")
        parser.add_argument("--first", type=int, default=20, help="so many suspect labels are listed")
        parser.add_argument("--row", type=int, help="take the prediction for this item apart")

        parser.add_argument(
            "--retrain", action="store_true", help="work out data Shapley too, which retrains small models"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        with plainly():
            with dispatch.held():
                job = values.launch(project, retrain=options["retrain"])
            running.run(job.pk)
            job.refresh_from_db()
            if not job.has_ended:
                raise CommandError("a worker runs it already: follow it on the page of the project's jobs")
            if job.state != "done":
                raise CommandError(f"the valuation ended as {job.state}: {job.error}")
            summary = reads.read_summary(reads.folder(job))
            count = summary["validation"]
            held = f"{count} validation items" if count else "each other, in folds"
            self.stdout.write(
                f"{summary['items']} labels of {project.slug}, measured by {held}; {summary['harmful']} mislead"
            )
            for one in summary["sources"]:
                wide = "" if one["low"] is None else f" [{one['low']:+.5f}, {one['high']:+.5f}]"
                self.stdout.write(
                    f"  source {one['source']}: {one['mean']:+.5f}{wide} an item, n = {one['n']}"
                )
            self._suspects(project, job, options["first"])
            if options["row"] is not None:
                self._attribution(project, job, options["row"])

    def _suspects(self, project: Any, job: Any, first: int) -> None:
        if first > 0:
            for one in reads.suspects(project, job, per_page=first).rows:
                why = " ".join(one.reasons) or "nothing speaks against it"
                self.stdout.write(f"{one.rank:>5}  row {one.row}  {one.label}  {one.text[:60]!r}  {why}")

    def _attribution(self, project: Any, job: Any, row: int) -> None:
        found = reads.attribution(project, job, row)
        if found is None:
            raise CommandError(
                f"there is no item at row {row}, or it has no vector: use a row of the project"
            )
        self.stdout.write(f"row {row}: {found.label} ({found.probability:.0%})")
        for sign, taught in (("for", found.for_it), ("against", found.against)):
            for one in taught:
                text = one.text[:60]
                self.stdout.write(f"  {sign:<8} {one.amount:+.3f}  row {one.row}  {one.label}  {text!r}")
