"""The append-only log of who did what."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import models

from accounts.models import AuditEntry, User


def record(
    verb: str,
    *,
    actor: User | None = None,
    scope: UUID | None = None,
    target: models.Model | None = None,
    **data: Any,
) -> AuditEntry:
    """Add one entry. `verb` is `<noun>.<past participle>` ("token.created"); `scope` is the project's uuid.

    Call it in the transaction of the change that it records, so that neither exists without the other.
    """
    return AuditEntry.objects.create(
        verb=verb,
        actor=actor,
        scope=scope,
        target_type=target._meta.label_lower if target is not None else "",
        target_id=str(getattr(target, "uuid", None) or target.pk) if target is not None else "",
        data=data,
    )
