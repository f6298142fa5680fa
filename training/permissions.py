"""Who may see and stop this app's work: engineers of the project."""

from __future__ import annotations

from typing import Any

from accounts.models import User
from annotation.models import Project
from annotation.permissions import can_engineer
from jobs.models import Job


def may_train(user: Any, project: Project) -> bool:
    """Launch and cancel runs and rounds, overrule decisions."""
    return can_engineer(user, project)


def may_see_job(user: User, job: Job) -> bool:
    project = Project.objects.filter(uuid=job.scope).first()
    return project is not None and can_engineer(user, project)


may_cancel_job = may_see_job
