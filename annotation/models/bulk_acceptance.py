"""Suggestions that a reviewer accepted many at once: what was known then, and what came of it."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from .fields import ShareField, share_between
from .labeller import Labeller
from .project import Project


class BulkAcceptance(models.Model):
    """The suggestions of one labeller from a confidence on. Its answers refer to it; counts are taken from them.

    `estimate`: accuracy above the threshold as it was known: {"value", "low", "high", "n"}.
    `newest_prelabel`: no suggestion that came later belongs to it, so what is accepted is what was looked
    at.
    """

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        UNDOING = "undoing", _("being undone")
        UNDONE = "undone", _("undone")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="bulk_acceptances")
    labeller = models.ForeignKey(Labeller, on_delete=models.PROTECT, related_name="bulk_acceptances")
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING)
    threshold = models.FloatField()
    target = ShareField()
    estimate = models.JSONField()
    expected = models.PositiveIntegerField()  # how many lay above the threshold when it was started
    check_share = ShareField()
    newest_prelabel = models.BigIntegerField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="bulk_acceptances"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name = _("bulk acceptance")
        constraints = [
            share_between("bulkacceptance", "threshold", 0, 1),
            share_between("bulkacceptance", "check_share", 0.05, 0.1),
            # two at once would both count on the same open items
            models.UniqueConstraint(
                fields=["project"],
                condition=models.Q(state__in=["running", "undoing"]),
                name="bulkacceptance_one_running",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.labeller} ≥ {self.threshold:.2f}"

    def get_absolute_url(self) -> str:
        return reverse("annotation:accepted", args=[self.project.slug, self.uuid])

    @property
    def is_moving(self) -> bool:
        return self.state in (self.State.RUNNING, self.State.UNDOING)
