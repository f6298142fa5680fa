"""Numbers that count up within a project."""

from __future__ import annotations

from django.db import models
from django.db.models import Max

from annotation.models import Project


def next_number(model: type[models.Model], project: Project) -> int:
    """One more than the project's highest. Call it inside a transaction.

    The project's row is locked until its end, so that two callers cannot draw the same number (on SQLite the
    transaction itself is exclusive).
    """
    Project.objects.select_for_update(of=("self",), no_key=True).only("pk").get(pk=project.pk)
    highest: int | None = model._default_manager.filter(project=project).aggregate(top=Max("number"))["top"]
    return (highest or 0) + 1
