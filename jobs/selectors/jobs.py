"""Reading jobs."""

from __future__ import annotations

import re
from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.models import User
from jobs import registry
from jobs.models import Job, State


def for_scope(scope: UUID) -> QuerySet[Job]:
    """Jobs of one scope (a project), newest first."""
    return Job.objects.filter(scope=scope).select_related("created_by")


def visible_to(user: User) -> QuerySet[Job]:
    """Jobs a person may list: their own, and those of the scopes that the apps grant them; superusers see
    all.
    """
    jobs = Job.objects.select_related("created_by")
    if user.is_superuser:
        return jobs
    scopes = {scope for function in registry.SCOPES for scope in function(user)}
    return jobs.filter(Q(created_by=user) | Q(scope__in=scopes))


def listed(*, with_ended: bool) -> QuerySet[Job]:
    """All jobs of this installation, or those that wait or run, newest first."""
    jobs = Job.objects.order_by("-pk")
    return jobs if with_ended else jobs.filter(state__in=[State.QUEUED, State.RUNNING])


def beginning(identity: str, *, most: int = 5) -> list[Job]:
    """The newest jobs whose uuid begins so, dashes or not."""
    wanted = identity.replace("-", "").lower()
    if not re.fullmatch("[0-9a-f]{4,32}", wanted):
        return []
    low, high = UUID(wanted.ljust(32, "0")), UUID(wanted.ljust(32, "f"))
    return list(Job.objects.filter(uuid__range=(low, high)).order_by("-pk")[:most])
