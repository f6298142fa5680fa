"""The keys that a person chose for themselves in a project."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from .project import Project


class KeyMap(models.Model):
    """`actions`: action -> key; `labels`: field -> label id -> key. What is not named keeps its usual key."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    actions = models.JSONField(default=dict, blank=True)
    labels = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="keymap_once")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.actions}"
