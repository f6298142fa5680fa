"""What may be answered (schema) and how to decide (guideline), each in numbered versions that never change."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .project import Project


class Version(models.Model):
    """A numbered, frozen version of something a project owns; the highest number is the current one."""

    number = models.PositiveIntegerField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"v{self.number}"


class SchemaVersion(Version):
    """`definition`: {"fields": [{"name", "type", ...}], "show": {...}}; see annotation.task_types.registry."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="schemas")
    definition = models.JSONField()

    class Meta(Version.Meta):
        verbose_name = _("schema version")
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="schemaversion_number")]


class GuidelineVersion(Version):
    """`text` is Markdown. `change_note` says in a sentence what is new."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="guidelines")
    text = models.TextField(_("text"), blank=True)
    change_note = models.CharField(_("what changed"), max_length=300, blank=True)

    class Meta(Version.Meta):
        verbose_name = _("guideline version")
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="guidelineversion_number")]
