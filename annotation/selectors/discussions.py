"""Threads on items, as a person may see them."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet

from annotation.models import Discussion, Project, Slot
from annotation.permissions import can_review

SHOWN = 200


def visible(project: Project, user: Any) -> QuerySet[Discussion]:
    """All threads for reviewers and above. Others see those that they opened or wrote in, and those on items
    that they have looked at: a thread may tell labels, and whoever is yet to give a second look must not read
    them.
    """
    found = Discussion.objects.filter(project=project).select_related("item", "opened_by", "project")
    if can_review(user, project):
        return found
    looked = Slot.objects.filter(
        item=OuterRef("item"), person=user, state__in=[Slot.State.DONE, Slot.State.SKIPPED]
    )
    return found.filter(Q(opened_by=user) | Q(comments__author=user) | Q(Exists(looked))).distinct()


def listed(project: Project, user: Any, *, closed: bool = False) -> list[Discussion]:
    """The newest threads that are open (or closed), with the number of messages and when the last one came."""
    found = visible(project, user).filter(closed_at__isnull=not closed)
    counted = found.annotate(messages=Count("comments", distinct=True), last_at=Max("comments__created_at"))
    return list(counted.order_by("-last_at")[:SHOWN])
