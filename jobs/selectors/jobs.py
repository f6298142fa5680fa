"""Reading jobs."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q, QuerySet

from accounts.models import User
from jobs import registry
from jobs.models import Job


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
