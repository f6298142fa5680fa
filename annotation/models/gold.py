"""Items whose right answer is known, by which people are measured."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .item import Item
from .project import Project


class GoldItem(models.Model):
    """`value` may answer some of the fields only. A changed value is a new row; the old one is not active.

    Gold items are mixed into everybody's work now and then; qualification items into that of newcomers.
    """

    class Kind(models.TextChoices):
        GOLD = "gold", _("gold")
        QUALIFICATION = "qualification", _("qualification")

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="gold_items", db_index=False)
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="gold_items", db_index=False)
    value = models.JSONField()
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.GOLD)
    note = models.CharField(max_length=500, blank=True)  # why this is right; shown with the feedback
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["item"], condition=models.Q(is_active=True), name="golditem_active_once"
            )
        ]
        indexes = [
            models.Index(
                fields=["project", "kind"], condition=models.Q(is_active=True), name="golditem_active"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.item_id}: {self.value}"
