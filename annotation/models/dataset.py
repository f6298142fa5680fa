"""Frozen data: what a model was trained and judged on, file by file."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .project import Project
from .schema import SchemaVersion


class DatasetVersion(models.Model):
    """train, validation and test as Parquet, and a manifest. Never changed; `artifact` is content-addressed."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="datasets")
    number = models.PositiveIntegerField()
    base = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="next_versions"
    )
    artifact = models.ForeignKey("jobs.Artifact", on_delete=models.PROTECT, related_name="+")
    schema_version = models.ForeignKey(SchemaVersion, on_delete=models.PROTECT, related_name="+")
    manifest = models.JSONField()  # the same as dataset.json in the folder
    train_count = models.PositiveIntegerField()
    validation_count = models.PositiveIntegerField()
    test_count = models.PositiveIntegerField()
    origin = models.CharField(
        max_length=100, blank=True
    )  # opaque key of what asked for it: freezing twice gives one
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        verbose_name = _("dataset version")
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="datasetversion_number"),
            models.UniqueConstraint(
                fields=["project", "origin"], condition=~models.Q(origin=""), name="datasetversion_origin"
            ),
        ]

    def __str__(self) -> str:
        return f"v{self.number}"
