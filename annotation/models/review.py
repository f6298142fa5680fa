"""A second pair of eyes: spot checks drawn at random, and disputes between labellers."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .annotation import Annotation
from .item import Item
from .project import Project


class Review(models.Model):
    """A spot check looks at one annotation; a dispute at an item whose labellers disagree."""

    class Kind(models.TextChoices):
        SPOT_CHECK = "spot_check", _("spot check")
        DISPUTE = "dispute", _("dispute")

    class State(models.TextChoices):
        PENDING = "pending", _("pending")
        DONE = "done", _("done")
        WITHDRAWN = "withdrawn", _("withdrawn")

    class Verdict(models.TextChoices):
        RIGHT = "right", _("right")
        WRONG = "wrong", _("wrong")
        UNSURE = "unsure", _("unsure")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="reviews")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="reviews")
    annotation = models.ForeignKey(
        Annotation, null=True, blank=True, on_delete=models.PROTECT, related_name="reviews"
    )  # what is checked; null for a dispute
    drawn_share = models.FloatField(null=True, blank=True)  # probability with which a spot check was drawn
    verdict = models.CharField(max_length=8, choices=Verdict.choices, blank=True)
    correction = models.ForeignKey(
        Annotation, null=True, blank=True, on_delete=models.PROTECT, related_name="corrects_by_review"
    )
    note = models.CharField(max_length=500, blank=True)
    reviewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="reviews"
    )
    claimed_at = models.DateTimeField(null=True, blank=True)  # by the reviewer; others get it later
    created_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["annotation"], condition=models.Q(kind="spot_check"), name="review_one_check_each"
            ),
            models.UniqueConstraint(
                fields=["item"],
                condition=models.Q(kind="dispute", state="pending"),
                name="review_one_open_dispute",
            ),
        ]
        indexes = [models.Index(fields=["project", "state", "id"], name="review_project_state")]

    def __str__(self) -> str:
        return f"{self.kind} {self.item_id} {self.verdict or self.state}"
