"""The Celery application. A message only says "look at this job": the job row is the truth
(jobs/services/jobs.py).
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_init, worker_ready, worker_shutting_down

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("gyre")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def _keep_django_logging(**kwargs: Any) -> None:
    """Django has set up logging already; without a receiver Celery would do it again."""


@worker_init.connect
def _hold_leash(**kwargs: Any) -> None:
    """Under the supervisor, end with it, even when it was killed with -9."""
    if os.environ.get("GYRE_LEASH"):
        from jobs.program import hold_leash

        hold_leash()


@worker_init.connect
def _give_way(**kwargs: Any) -> None:
    """People who label come first: jobs, and the programs they start, take what the web server leaves."""
    from django.conf import settings

    os.nice(settings.WORKER_NICE)


@worker_ready.connect
def _look_around(**kwargs: Any) -> None:
    """Take up what waits: messages may have been lost with the worker before."""
    from jobs.services import jobs

    jobs.sweep()


@worker_shutting_down.connect
def _stop_jobs(**kwargs: Any) -> None:
    """Running jobs stop their programs and go back to the queue, instead of holding the worker for hours."""
    from jobs.services.pulse import shutting_down

    shutting_down.set()
