"""The first page of a person: their projects, with what they did today; and the projects they run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Exists, Max, OuterRef
from django.utils import timezone

from annotation import permissions
from annotation.models import Membership, Project, Review, Role, Slot
from annotation.selectors import projects
from annotation.selectors.progress import start_of_today
from jobs import registry
from jobs.models import Job, State


@dataclass(frozen=True)
class Card:
    """One project on the first page. `has_work`: at least one slot is free, or leased to this person."""

    project: Project
    role: Role
    today: int
    has_work: bool
    reviews_waiting: bool

    @property
    def goal(self) -> int:
        return self.project.daily_goal

    @property
    def share(self) -> float:
        return min(1.0, self.today / self.goal) if self.goal else 1.0


@dataclass(frozen=True)
class RunningJob:
    label: str
    job: Job


@dataclass(frozen=True)
class Overview:
    """One project on the dashboard of whoever runs it. `size` is the number of items ever taken in."""

    project: Project
    size: int
    people: int
    done_week: int
    has_work: bool
    running: list[RunningJob]


def cards(user: Any) -> list[Card]:
    """The active and paused projects of `user`, by name; four queries however many there are."""
    free = Slot.objects.filter(project=OuterRef("pk"), state=Slot.State.FREE)
    leased = Slot.objects.filter(project=OuterRef("pk"), state=Slot.State.LEASED, person=user)
    pending = Review.objects.filter(project=OuterRef("pk"), state=Review.State.PENDING)
    found = list(
        projects.projects_of(user).annotate(
            has_work=Exists(free) | Exists(leased), reviews_waiting=Exists(pending)
        )
    )
    done = _done_today(user, found)
    roles = dict(
        Membership.objects.filter(user=user, is_active=True, project__in=found).values_list(
            "project_id", "role"
        )
    )
    return [_card(user, project, roles, done[project.pk]) for project in found]


def _done_today(user: Any, found: list[Project]) -> Counter[int]:
    """Items labelled today by project; each project has its own midnight, all within 26 hours."""
    answered = Slot.objects.filter(
        project__in=found,
        person=user,
        state=Slot.State.DONE,
        done_at__gte=timezone.now() - timedelta(hours=26),
    ).values_list("project_id", "done_at")
    since = {project.pk: start_of_today(project) for project in found}
    return Counter(project_id for project_id, moment in answered if moment >= since[project_id])


def _card(user: Any, project: Any, roles: dict[int, str], today: int) -> Card:
    role = Role.ADMIN if user.is_superuser else Role(roles[project.pk])
    may_review = permissions.RANKS[role] >= permissions.RANKS[Role.REVIEWER]
    return Card(project, role, today, project.has_work, may_review and project.reviews_waiting)


def overviews(user: Any) -> list[Overview]:
    """The projects `user` runs as engineer or admin, archived ones last."""
    week_ago = timezone.now() - timedelta(days=7)
    free = Slot.objects.filter(project=OuterRef("pk"), state=Slot.State.FREE)
    found = list(projects.run_by(user).annotate(last_row=Max("items__row"), has_work=Exists(free)))
    people = _people_of(found)
    done = Counter(
        Slot.objects.filter(project__in=found, person__isnull=False, done_at__gte=week_ago).values_list(
            "project_id", flat=True
        )
    )
    running: dict[Any, list[RunningJob]] = {}
    unfinished = Job.objects.filter(
        scope__in=[project.uuid for project in found], state__in=[State.QUEUED, State.RUNNING]
    )
    for job in unfinished.order_by("created_at"):
        kind = registry.KINDS.get(job.kind)
        running.setdefault(job.scope, []).append(RunningJob(str(kind.label) if kind else job.kind, job))
    overview = [
        Overview(
            project=project,
            size=0 if project.last_row is None else project.last_row + 1,
            people=people[project.pk],
            done_week=done[project.pk],
            has_work=project.has_work,
            running=running.get(project.uuid, []),
        )
        for project in found
    ]
    return sorted(overview, key=lambda one: one.project.state == Project.State.ARCHIVED)


def _people_of(found: list[Project]) -> Counter[int]:
    return Counter(
        Membership.objects.filter(project__in=found, is_active=True).values_list("project_id", flat=True)
    )
