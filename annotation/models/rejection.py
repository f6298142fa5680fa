"""A suggestion that somebody called wrong in the quick pass, before anybody gave the right answer."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from .annotation import Prelabel
from .project import Project
from .queue import Slot


class Rejection(models.Model):
    """One person's no to one suggestion. Its item waits in the ordinary queue; the suggestion is not asked about
    again. Taken back, it counts no more.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="rejections")
    prelabel = models.ForeignKey(Prelabel, on_delete=models.CASCADE, related_name="rejections")
    slot = models.ForeignKey(Slot, on_delete=models.CASCADE, related_name="+")
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="rejections", db_index=False
    )
    is_taken_back = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["person", "project", "id"], name="rejection_person_project")]
        constraints = [
            models.UniqueConstraint(
                fields=["prelabel", "person"],
                condition=models.Q(is_taken_back=False),
                name="rejection_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.person_id}: not {self.prelabel_id}"
