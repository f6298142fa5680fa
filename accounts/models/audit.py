from __future__ import annotations

from typing import Any, NoReturn

from django.conf import settings
from django.db import models


class AppendOnlyError(TypeError):
    """Somebody tried to change or delete a row of an append-only table."""


def _refuse(action: str) -> NoReturn:
    raise AppendOnlyError(f"the audit log cannot be {action}: record a further entry that corrects it")


class AppendOnlyQuerySet(models.QuerySet["AuditEntry"]):
    def update(self, **kwargs: Any) -> int:
        _refuse("changed")

    def bulk_update(self, *args: Any, **kwargs: Any) -> int:
        _refuse("changed")

    def delete(self) -> tuple[int, dict[str, int]]:
        _refuse("deleted")


class AuditEntry(models.Model):
    """Who did what, when, to which thing. Rows are added and never touched again."""

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    # PROTECT: an entry without its actor would be a changed entry.
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="audit_entries",
    )
    verb = models.CharField(max_length=64)
    scope = models.UUIDField(
        null=True, blank=True, db_index=True
    )  # the project, which this app does not know
    target_type = models.CharField(max_length=64, blank=True)
    target_id = models.CharField(max_length=64, blank=True)
    data = models.JSONField(default=dict, blank=True)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        verbose_name_plural = "audit entries"
        indexes = [models.Index(fields=["target_type", "target_id"], name="accounts_audit_target")]

    def __str__(self) -> str:
        return f"{self.verb} {self.target_type} {self.target_id}".strip()

    # The rule is the table's, so it stands here and not in a service that somebody could walk around.
    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            _refuse("changed")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        _refuse("deleted")
