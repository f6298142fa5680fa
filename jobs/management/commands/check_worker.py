"""`manage.py check_worker`: does a job reach a worker, and how fast?"""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from jobs.models import State
from jobs.services import jobs


class Command(BaseCommand):
    help = "Send a small job through broker and worker and say how long it took."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seconds", type=float, default=0.1, help="how long the job works (default 0.1)")
        parser.add_argument(
            "--wait", type=float, default=30.0, help="how long to wait for its end (default 30)"
        )

    def handle(self, *args: Any, seconds: float, wait: float, **options: Any) -> None:
        started = time.monotonic()
        job = jobs.enqueue("jobs.check_worker", params={"seconds": seconds})
        while time.monotonic() - started < wait:
            job.refresh_from_db()
            if job.has_ended:
                break
            time.sleep(0.05)
        if job.state == State.DONE:
            self.stdout.write(f"the worker works: done after {time.monotonic() - started:.1f} s")
            return
        if job.state == State.QUEUED:
            jobs.cancel(job, None)
            raise CommandError(
                f"no worker took the job within {wait:g} s: start one (`make run`, or "
                "`celery -A config worker -Q cpu,gpu`) and check that it uses the same CELERY_BROKER_URL"
            )
        raise CommandError(
            f"the job is {job.state} after {wait:g} s: {job.error or 'see its log on the jobs page'}"
        )
