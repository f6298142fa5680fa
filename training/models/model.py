"""A model that came out of a run, and which one serves."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .run import TrainingRun


class ModelVersion(models.Model):
    """`labels`: label ids in the order of the model's outputs. `figures`: what the program wrote to
    result.json.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("annotation.Project", on_delete=models.CASCADE, related_name="model_versions")
    number = models.PositiveIntegerField()
    run = models.OneToOneField(TrainingRun, on_delete=models.PROTECT, related_name="model_version")
    artifact = models.ForeignKey("jobs.Artifact", on_delete=models.PROTECT, related_name="+")
    labels = models.JSONField()
    figures = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-number"]
        verbose_name = _("model version")
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="modelversion_number")]

    def __str__(self) -> str:
        return f"m{self.number}"


class Deployment(models.Model):
    """Which model suggests and scores in a project, since when. The newest row without an end is the deployed
    one.
    """

    project = models.ForeignKey("annotation.Project", on_delete=models.CASCADE, related_name="deployments")
    model = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="deployments")
    started_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )  # null: by the rule

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project"], condition=models.Q(ended_at__isnull=True), name="deployment_one_live"
            )
        ]

    def __str__(self) -> str:
        return f"{self.project} · {self.model}"
