"""The background work of this app: what a job calls, who may see and stop it, and what is done periodically."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from annotation.models import Project
from annotation.permissions import can_engineer
from annotation.selectors.imports import KIND as IMPORT_ITEMS
from annotation.selectors.projects import scopes_run_by
from annotation.selectors.search_states import KIND as INDEX_ITEMS
from annotation.services import import_runs, queue, search_index
from jobs import registry
from jobs.models import Job


def may_engineer(user: Any, job: Job) -> bool:
    """Engineers and admins of the project that the job belongs to."""
    project = Project.objects.filter(uuid=job.scope).first() if job.scope else None
    return project is not None and can_engineer(user, project)


registry.register_scopes(scopes_run_by)
registry.register(
    IMPORT_ITEMS,
    import_runs.run,
    label=_("Import"),
    resource="io",
    may_see=may_engineer,
    may_cancel=may_engineer,
)
registry.register(
    INDEX_ITEMS,
    search_index.run,
    label=_("Search index"),
    resource="io",
    may_see=may_engineer,
    may_cancel=may_engineer,
)
registry.register_periodic("annotation.release_expired", 5.0, queue.release_expired)
registry.register_periodic("annotation.index_items", 3.0, search_index.tick)
