"""manage.py suggest PROJECT: suggestions before there is a model of one's own."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation.management.projects import plainly, project_named
from annotation.quality.intervals import wilson
from jobs.models import State
from jobs.services import jobs
from training.services import suggestions
from training.suggestion_sources import DESCRIPTIONS, ORDERS, QUEUE, SOURCES


class Command(BaseCommand):
    help = (
        "Suggest labels, points or drafts for open items, by label descriptions or by a small language model."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", help="the project's address (slug)")
        parser.add_argument("--source", choices=list(SOURCES), default=DESCRIPTIONS)
        parser.add_argument("--field", default="", help="default: the first that the source can suggest for")
        parser.add_argument("--limit", type=int, default=200, help="items; 0 only measures")
        parser.add_argument("--order", choices=list(ORDERS), default=QUEUE)
        parser.add_argument("--wait", action="store_true", help="run it here, to its end, without a worker")

    def handle(self, *args: Any, **options: Any) -> None:
        given = {name: options[name] for name in ("source", "field", "limit", "order")}
        with plainly():
            job = suggestions.launch(project_named(options["project"]), **given)
        self.stdout.write(f"job {job.uuid} is launched")
        if not options["wait"]:
            return
        jobs.run(job.pk)
        job.refresh_from_db()
        if job.state != State.DONE:
            raise CommandError(f"the job is {job.state}: {job.error or 'a worker has it'}")
        result = job.result or {}
        if result["judged"]:
            right = wilson(result["right"], result["judged"])
            self.stdout.write(
                f"right on {result['right']} of {result['judged']} resolved items: {right.value:.1%} "
                f"({right.low:.1%} to {right.high:.1%}); the commonest answer alone: {result['commonest']:.1%}"
            )
        self.stdout.write(f"{result['stored']} suggestions for {result['looked_at']} items")
