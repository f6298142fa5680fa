"""The background work of this app: what a job calls, who may see and stop it, and what is done periodically."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from annotation.models import Project
from annotation.permissions import can_engineer, can_review
from annotation.selectors import bulk_acceptance as bulk_reads
from annotation.selectors import patterns as pattern_reads
from annotation.selectors.imports import KIND as IMPORT_ITEMS
from annotation.selectors.projects import scopes_run_by
from annotation.selectors.search_states import KIND as INDEX_ITEMS
from annotation.services import (
    bulk_acceptance,
    import_runs,
    item_actions,
    overlap,
    patterns,
    queue,
    search_index,
)
from jobs import registry
from jobs.models import Job


def may_engineer(user: Any, job: Job) -> bool:
    """Engineers and admins of the project that the job belongs to."""
    project = Project.objects.filter(uuid=job.scope).first() if job.scope else None
    return project is not None and can_engineer(user, project)


def may_review(user: Any, job: Job) -> bool:
    """Reviewers too."""
    project = Project.objects.filter(uuid=job.scope).first() if job.scope else None
    return project is not None and can_review(user, project)


def own_or_engineer(user: Any, job: Job) -> bool:
    """Whoever started it as well: a reviewer changes many items by a job."""
    return registry.is_own(user, job) or may_engineer(user, job)


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
registry.register(
    item_actions.KIND,
    item_actions.run,
    label=_("Change items"),
    resource="io",
    may_see=own_or_engineer,
    may_cancel=own_or_engineer,
)
registry.register(
    bulk_reads.ACCEPT,
    bulk_acceptance.run,
    label=_("Accepting suggestions in bulk"),
    resource="io",
    may_see=may_review,
    may_cancel=may_review,
)
registry.register(
    bulk_reads.UNDO,
    bulk_acceptance.run_undo,
    label=_("Undoing a bulk acceptance"),
    resource="io",
    may_see=may_review,
    may_cancel=may_review,
)
registry.register(
    overlap.KIND,
    overlap.refit,
    label=_("How right people are"),
    resource="cpu",
    may_see=may_engineer,
    may_cancel=may_engineer,
)
registry.register(
    pattern_reads.KIND,
    patterns.run,
    label=_("Suggestions by patterns"),
    resource="cpu",
    may_see=may_engineer,
    may_cancel=may_engineer,
)
registry.register_periodic("annotation.suggest_by_patterns", 30.0, patterns.tick)
registry.register_periodic("annotation.settle_bulk", 10.0, bulk_acceptance.settle_all)
registry.register_periodic("annotation.refit_consensus", 30.0, overlap.start_due)
registry.register_periodic("annotation.release_expired", 5.0, queue.release_expired)
registry.register_periodic("annotation.index_items", 3.0, search_index.tick)
