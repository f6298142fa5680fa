"""Keywords and expressions that suggest a label, and how far a project's items have been gone through with
them.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .labeller import Labeller
from .project import Project


class Pattern(models.Model):
    """One pattern for one label of one field. Its text never changes: another one is another pattern.

    `right` of `judged` matches on resolved items agreed, `matched` of `looked_at` items were matched, when
    it was last measured.
    """

    class Kind(models.TextChoices):
        KEYWORD = "keyword", _("keyword")
        REGEX = "regex", _("regular expression")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="patterns")
    field = models.CharField(max_length=40)
    label = models.CharField(max_length=64)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices, default=Kind.KEYWORD)
    pattern = models.CharField(_("pattern"), max_length=300)
    is_active = models.BooleanField(default=True)
    right = models.PositiveIntegerField(default=0)
    judged = models.PositiveIntegerField(default=0)
    matched = models.PositiveIntegerField(default=0)
    looked_at = models.PositiveIntegerField(default=0)
    measured_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "field", "label", "kind", "pattern"], name="pattern_once"
            )
        ]

    def __str__(self) -> str:
        return self.pattern


class PatternPass(models.Model):
    """How far the open items of a project were gone through with its active patterns.

    `labeller`: who suggests, one for each set of patterns and their confidences. `rows_done`: all items
    below that row. `is_stale`: the patterns have changed, and all items come anew.
    """

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="pattern_pass")
    labeller = models.ForeignKey(Labeller, null=True, on_delete=models.SET_NULL, related_name="+")
    rows_done = models.PositiveBigIntegerField(default=0)
    is_stale = models.BooleanField(default=True)

    def __str__(self) -> str:
        return f"{self.project_id}: {self.rows_done}"
