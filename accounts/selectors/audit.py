"""Reading the audit log."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet

from accounts.models import AuditEntry


def for_scope(scope: UUID) -> QuerySet[AuditEntry]:
    """Entries of one scope (a project), newest first."""
    return AuditEntry.objects.filter(scope=scope).select_related("actor")
