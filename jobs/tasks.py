"""Celery's way in. A message wakes a worker for one job; the worker then goes on with whatever waits."""

from __future__ import annotations

from celery import Task, shared_task

from jobs.models import Resource
from jobs.services import jobs
from jobs.services.pulse import shutting_down


@shared_task(name="jobs.run_job", bind=True, ignore_result=True)
def run_job(self: Task, job_id: int) -> None:
    """Run this job if it still waits, then the next ones of the same resource until none waits."""
    queue = (self.request.delivery_info or {}).get("routing_key") or Resource.CPU
    jobs.run(job_id)
    while not shutting_down.is_set() and jobs.run_next([queue]):
        pass
