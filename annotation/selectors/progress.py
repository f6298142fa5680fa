"""How far one is today. No count over a whole project: each reads an index range."""

from __future__ import annotations

import datetime
from zoneinfo import ZoneInfo

from django.utils import timezone

from accounts.models import User
from annotation.models import Project, Slot


def start_of_today(project: Project) -> datetime.datetime:
    """Midnight in the project's own time zone: a team shares its days."""
    local = timezone.now().astimezone(ZoneInfo(project.time_zone))
    return local.replace(hour=0, minute=0, second=0, microsecond=0)


def today(project: Project, user: User) -> dict[str, int]:
    """Items labelled today, and the goal for a day."""
    done = Slot.objects.filter(
        project=project, person=user, done_at__gte=start_of_today(project), state=Slot.State.DONE
    ).count()
    return {"today": done, "goal": project.daily_goal}
