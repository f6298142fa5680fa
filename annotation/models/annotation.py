"""What models suggested and what people said. Annotations are never changed: a later one supersedes."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from .bulk_acceptance import BulkAcceptance
from .item import Item
from .labeller import Labeller
from .project import Project
from .queue import Slot
from .schema import GuidelineVersion, SchemaVersion


class Prelabel(models.Model):
    """A machine's suggestion for one published item. `scores`: label id -> probability, the likeliest few."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # The indexes below begin with them.
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="prelabels", db_index=False)
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="prelabels", db_index=False)
    labeller = models.ForeignKey(Labeller, on_delete=models.CASCADE, related_name="prelabels")
    value = models.JSONField()
    confidence = models.FloatField()
    scores = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["item", "labeller"], name="prelabel_once")]
        indexes = [
            models.Index(fields=["project", "item"], name="prelabel_project_item"),
            models.Index(fields=["project", "confidence", "item"], name="prelabel_confidence"),
        ]

    def __str__(self) -> str:
        return f"{self.value} {self.confidence:.2f}"


class Annotation(models.Model):
    """One answer. `value`: field name -> value, labels by id. A retraction (undo) has an empty value.

    An *independent look* has a slot; a reviewer's correction has none and supersedes the look that it
    corrects. A suggestion accepted in bulk is its labeller's answer, with a `bulk_acceptance` and no slot.
    """

    class PrelabelMode(models.TextChoices):
        SHOWN = "shown", _("shown")
        HIDDEN = "hidden", _("hidden")  # by the draw that measures anchoring
        UNSEEN = "unseen", _("not seen")  # its class is labelled by hand, or it came too late
        CLAIMED = "claimed", _("said to be shown")  # by the client, against what is shown now
        NONE = "none", _("none")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="annotations")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="annotations")
    slot = models.ForeignKey(
        Slot, null=True, blank=True, on_delete=models.PROTECT, related_name="annotations"
    )
    labeller = models.ForeignKey(
        Labeller, on_delete=models.PROTECT, related_name="annotations", db_index=False
    )  # an index below begins with it
    schema_version = models.ForeignKey(SchemaVersion, on_delete=models.PROTECT, related_name="+")
    guideline_version = models.ForeignKey(
        GuidelineVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    value = models.JSONField(default=dict)
    is_retraction = models.BooleanField(default=False)
    client_key = models.CharField(max_length=64)  # made by the client: sending twice stores once
    supersedes = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="superseded_by"
    )
    prelabel = models.ForeignKey(Prelabel, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    prelabel_mode = models.CharField(max_length=8, choices=PrelabelMode.choices, default=PrelabelMode.NONE)
    accepted_prelabel = models.BooleanField(default=False)  # shown, and submitted unchanged
    bulk_acceptance = models.ForeignKey(
        BulkAcceptance,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="annotations",
        db_index=False,
    )  # a model's answer that no person has looked at; an index below begins with it
    active_ms = models.PositiveIntegerField(default=0)
    trace = models.JSONField(
        default=dict, blank=True
    )  # field -> how it came about: order shown, edit distance
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "labeller", "client_key"], name="annotation_client_key"
            )
        ]
        indexes = [
            models.Index(fields=["project", "labeller", "created_at"], name="annotation_labeller_at"),
            models.Index(fields=["labeller", "item"], name="annotation_labeller_item"),
            models.Index(
                fields=["bulk_acceptance", "id"],
                condition=models.Q(bulk_acceptance__isnull=False),
                name="annotation_bulk_acceptance",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.item_id}: {self.value}"
