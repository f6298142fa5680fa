"""Pages of jobs: the list, one job with its progress and log, cancel and retry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from jobs import permissions, registry
from jobs.models import Job, State
from jobs.selectors import jobs as selected
from jobs.selectors import logs
from jobs.services import jobs

_PER_PAGE = 50
BADGES = {State.RUNNING: "running", State.DONE: "good", State.FAILED: "bad"}


@dataclass(frozen=True)
class JobCard:
    """What the templates show of a job."""

    job: Job
    label: str
    badge: str
    can_cancel: bool
    can_retry: bool


def card(request: HttpRequest, job: Job) -> JobCard:
    kind = registry.KINDS.get(job.kind)
    may = permissions.can_cancel(request.user, job)
    return JobCard(
        job=job,
        label=str(kind.label) if kind is not None else job.kind,
        badge=BADGES.get(State(job.state), ""),
        can_cancel=may and not job.has_ended and job.cancel_requested_at is None,
        can_retry=may and job.state in (State.FAILED, State.CANCELLED),
    )


@login_required
@require_GET
def list_(request: HttpRequest) -> HttpResponse:
    """Jobs the person may see."""
    return listing(request, selected.visible_to(request.user))


def listing(request: HttpRequest, found: QuerySet[Job]) -> HttpResponse:
    """A page of these jobs, newest first, by keyset: `?before=` the last number of the page before.

    Apps that know what a scope is show the jobs of one with it.
    """
    before = request.GET.get("before", "")
    if before.isdigit():
        found = found.filter(pk__lt=int(before))
    rows = list(found[: _PER_PAGE + 1])
    shown = rows[:_PER_PAGE]
    context = {
        "cards": [card(request, job) for job in shown],
        "older_url": f"?before={shown[-1].pk}" if len(rows) > _PER_PAGE else "",
        "newer_url": request.path if before.isdigit() else "",
    }
    return render(request, "jobs/job/list.html", context)


@login_required
@require_GET
def detail(request: HttpRequest, uuid: UUID) -> HttpResponse:
    return render(request, "jobs/job/detail.html", _context(request, uuid))


@login_required
@require_GET
def status(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The part of the page that renews itself while the job runs."""
    return render(request, "jobs/job/_status.html", _context(request, uuid))


@login_required
@require_POST
def cancel(request: HttpRequest, uuid: UUID) -> HttpResponse:
    job = permissions.get_job_to_change(request.user, uuid)
    jobs.cancel(job, request.user)
    messages.success(request, _("Cancelled.") if job.has_ended else _("The job is told to stop."))
    return redirect(job)


@login_required
@require_POST
def retry(request: HttpRequest, uuid: UUID) -> HttpResponse:
    job = permissions.get_job_to_change(request.user, uuid)
    jobs.retry(job, request.user)
    messages.success(request, _("The job waits for a worker again."))
    return redirect(job)


def _context(request: HttpRequest, uuid: UUID) -> dict[str, Any]:
    job = permissions.get_job(request.user, uuid)
    before = request.GET.get("before", "")
    log = logs.page(job, before=int(before) if before.isdigit() else None)
    return {
        "card": card(request, job),
        "job": job,
        "log": log,
        "live": not job.has_ended and not before,
        "polled": request.headers.get("X-Requested-With") == "poll",  # static/js/poll.js
    }
