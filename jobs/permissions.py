"""Who may see and who may stop a job: the rule is the kind's. People also see what their scopes show."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404

from accounts.models import User
from jobs import registry
from jobs.errors import NotAllowed
from jobs.models import Job
from jobs.selectors import jobs


def can_see(user: User, job: Job) -> bool:
    kind = registry.KINDS.get(job.kind)
    rule = kind.may_see if kind is not None else registry.is_own
    return rule(user, job) or jobs.visible_to(user).filter(pk=job.pk).exists()


def can_cancel(user: User, job: Job) -> bool:
    """Whether the user may cancel the job, or try it again."""
    kind = registry.KINDS.get(job.kind)
    rule = kind.may_cancel if kind is not None else registry.is_own
    return rule(user, job)


def get_job(user: User, uuid: UUID) -> Job:
    """The job, for somebody who may see it; to everybody else it does not exist."""
    job = Job.objects.select_related("created_by", "subject_type").filter(uuid=uuid).first()
    if job is None or not can_see(user, job):
        raise Http404
    return job


def get_job_to_change(user: User, uuid: UUID) -> Job:
    """The job, for somebody who may cancel it or try it again."""
    job = get_job(user, uuid)
    if not can_cancel(user, job):
        raise NotAllowed()
    return job
