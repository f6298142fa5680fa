"""manage.py reinforce PROJECT: GRPO with the project's own reward model; meant for GPU machines."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import fields
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation.management.projects import plainly, project_named
from jobs.management.following import follow
from jobs.models import Job, State
from jobs.services import jobs
from training.reinforcement import ReinforceSettings
from training.services import reinforcing


class Command(BaseCommand):
    help = (
        "Let a language model learn from its own replies what the project's reward model likes (GRPO). It is a "
        "model and a base model then. Meant for machines with a GPU. With the name of a run that failed or was "
        "cancelled, that one goes on."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("project", help="the project's address (slug)")
        parser.add_argument("--name", required=True, help="of the base model that is made")
        parser.add_argument("--reward", type=int, help="number of the reward model; default: the newest")
        parser.add_argument(
            "--base", default="", help="the model that learns; default: the reward model's base"
        )
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument(
            "--follow", action="store_true", help="a worker runs it: tell its log here, to its end"
        )
        parser.add_argument("--here", action="store_true", help="run it here, to its end, without a worker")
        for entry in fields(ReinforceSettings):
            option, default = f"--{entry.name.replace('_', '-')}", entry.default
            parser.add_argument(
                option, dest=entry.name, type=type(default), default=default, help=f"default {default}"
            )

    def handle(self, *args: Any, **options: Any) -> None:
        with plainly():
            run = reinforcing.launch(
                project_named(options["project"]),
                name=options["name"],
                number=options["reward"],
                base_model=options["base"],
                settings={entry.name: options[entry.name] for entry in fields(ReinforceSettings)},
                seed=options["seed"],
            )
        assert run.job is not None
        self.stdout.write(f"run {run.number} of {run.project.slug} is launched (job {run.job.uuid})")
        if options["here"]:
            jobs.run(run.job.pk)
        if options["here"] or options["follow"]:
            self._follow(run.job)

    def _follow(self, job: Job) -> None:
        """Tell how far the job is and its log, to its end.

        Raises:
            CommandError: it did not end well.
        """
        follow(job, self.stdout.write)
        if job.state != State.DONE:
            raise CommandError(f"the job is {job.state}: {job.error}")
        result = job.result or {}
        self.stdout.write(f"made model {result['number']} and the base model {result['base_model']}")
