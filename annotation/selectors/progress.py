"""How far one is today. No count over a whole project: each reads an index range."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

from django.db.models import Count, DateTimeField, QuerySet
from django.utils import timezone

from accounts.models import User
from accounts.selectors.prepared import given, prepared
from annotation.models import Project, Slot


def start_of_today(project: Project) -> datetime.datetime:
    """Midnight in the project's own time zone: a team shares its days."""
    local = timezone.now().astimezone(ZoneInfo(project.time_zone))
    return local.replace(hour=0, minute=0, second=0, microsecond=0)


def today(project: Project, user: User) -> dict[str, int]:
    """Items labelled today, and the goal for a day."""
    done = _done_since().first(project=project.pk, person=user.pk, since=start_of_today(project))
    return {"today": done or 0, "goal": project.daily_goal}


@prepared
def _done_since() -> QuerySet[Slot]:
    mine = Slot.objects.filter(project=given("project"), person=given("person"), state=Slot.State.DONE)
    since = mine.filter(done_at__gte=given("since", DateTimeField()))
    return since.order_by().values("person").annotate(n=Count("pk")).values_list("n", flat=True)
