"""`manage.py jobs`: what runs, how far it is, its log; and a way to stop it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.errors import GyreError
from jobs import registry
from jobs.management.following import follow, progress
from jobs.models import Job, State
from jobs.selectors import jobs as reads
from jobs.selectors import logs
from jobs.services import jobs


class Command(BaseCommand):
    help = "List jobs, newest first; or show, follow or cancel one of them by its ID."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="list also those that have ended")
        parser.add_argument("--limit", type=int, default=20, metavar="N", help="list at most so many")
        one = parser.add_mutually_exclusive_group()
        one.add_argument("--log", metavar="ID", help="print a job's state and the end of its log")
        one.add_argument("--follow", metavar="ID", help="print progress and log until the job ends")
        one.add_argument("--cancel", metavar="ID", help="stop a job")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["log"]:
            job = _job(options["log"])
            self._say(job)
            for line in logs.page(job).lines:
                self.stdout.write(line.text)
        elif options["follow"]:
            self._follow(_job(options["follow"]))
        elif options["cancel"]:
            self._cancel(_job(options["cancel"]))
        else:
            self._list(max(1, options["limit"]), with_ended=options["all"])

    def _list(self, limit: int, *, with_ended: bool) -> None:
        found = list(reads.listed(with_ended=with_ended)[:limit])
        for job in found:
            self._say(job)
        if not found:
            self.stdout.write(
                "no job has been started yet" if with_ended else "nothing waits and nothing runs"
            )

    def _say(self, job: Job) -> None:
        kind = registry.KINDS.get(job.kind)
        words = [f"{str(job.uuid)[:8]}  {job.get_state_display():<10}{kind.label if kind else job.kind}"]
        if job.state == State.RUNNING:
            words.append(progress(job))
        if job.cancel_requested_at is not None and not job.has_ended:
            words.append("told to stop")
        if job.state == State.FAILED:
            words.append(job.error)
        self.stdout.write("  ".join(words))

    def _follow(self, job: Job) -> None:
        follow(job, self.stdout.write)
        self._say(job)
        if job.state != State.DONE:
            raise CommandError(f"the job has {job.get_state_display()}")

    def _cancel(self, job: Job) -> None:
        try:
            jobs.cancel(job, by=None)
        except GyreError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            "cancelled" if job.has_ended else "told to stop: its programs are gone within seconds"
        )


def _job(identity: str) -> Job:
    """The one job whose ID begins so."""
    found = reads.beginning(identity)
    if len(found) != 1:
        why = "no job" if not found else f"{len(found)} jobs"
        raise CommandError(
            f"{why} with an ID that begins with {identity!r}: `manage.py jobs --all` lists them"
        )
    return found[0]
