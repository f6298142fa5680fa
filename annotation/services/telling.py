"""Who is told what: of new work, of work given by hand, of answers that came back, of pauses."""

from __future__ import annotations

from collections.abc import Iterable

from django.urls import reverse

from accounts.models import User
from accounts.services import notices
from annotation import notice_kinds as kinds
from annotation.models import Project, Review, Role


def members(project: Project, *roles: str) -> list[User]:
    """The active members, of these roles or of any."""
    found = User.objects.filter(memberships__project=project, memberships__is_active=True, is_active=True)
    return list(found.filter(memberships__role__in=roles) if roles else found)


def _about(project: Project) -> dict[str, str]:
    return {"key": str(project.uuid), "project": project.name}


def work_available(project: Project, *, by: User | None = None) -> int:
    """There is new work in the queue; whoever put it there knows."""
    url = reverse("annotation:label", args=[project.slug])
    others = [user for user in members(project, Role.ANNOTATOR, Role.REVIEWER) if user != by]
    return notices.tell(others, kinds.AVAILABLE, url=url, **_about(project))


def work_assigned(project: Project, users: Iterable[User], count: int) -> int:
    """`count` items were given to each of `users` by hand."""
    url = reverse("annotation:label", args=[project.slug])
    return notices.tell(users, kinds.ASSIGNED, url=url, count=count, **_about(project))


def answer_reviewed(review: Review) -> int:
    """A spot check changed an answer or left a note: its labeller is told, without the reviewer's name."""
    author = review.annotation.labeller.user if review.annotation is not None else None
    if author is None or not (review.correction_id or review.note):
        return 0
    return notices.tell([author], kinds.CORRECTED, url=reverse("annotation:me"), **_about(review.project))


def state_changed(project: Project, *, by: User | None) -> int:
    """The project was paused or goes on; whoever did it knows."""
    kind = kinds.RESUMED if project.is_active else kinds.PAUSED
    others = [user for user in members(project) if by is None or user.pk != by.pk]
    return notices.tell(others, kind, url=reverse("annotation:home"), **_about(project))
