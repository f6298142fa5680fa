"""The final label of an item, as decided so far. Append-only: the current one is flagged, older ones stay."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .item import Item
from .labeller import Labeller
from .project import Project
from .schema import SchemaVersion


class Resolution(models.Model):
    """`posterior`: field -> label or option -> share of belief (vote shares, until a model of the labellers
    refines them)."""

    class Method(models.TextChoices):
        SINGLE = "single", _("one labeller")
        MAJORITY = "majority", _("majority")
        POSTERIOR = "posterior", _("weighted by how right people are")
        REVIEW = "review", _("reviewer")
        BULK = "bulk", _("suggestion accepted in bulk")
        IMPORT = "import", _("import")

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="resolutions")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="resolutions")
    value = models.JSONField()
    posterior = models.JSONField(default=dict)
    method = models.CharField(max_length=10, choices=Method.choices)
    votes = models.PositiveIntegerField(default=1)
    schema_version = models.ForeignKey(SchemaVersion, on_delete=models.PROTECT, related_name="+")
    decided_by = models.ForeignKey(
        Labeller, null=True, blank=True, on_delete=models.PROTECT, related_name="resolutions"
    )
    is_current = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["item"], condition=models.Q(is_current=True), name="resolution_current"
            )
        ]
        indexes = [
            models.Index(
                fields=["project", "id"],
                condition=models.Q(is_current=True),
                name="resolution_project_current",
            ),
            models.Index(
                fields=["project", "item"],
                condition=models.Q(is_current=True),
                name="resolution_project_item",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.item_id}: {self.value}"
