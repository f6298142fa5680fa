"""A training run: one frozen dataset version, one spec, one attempt-proof job."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class TrainingRun(models.Model):
    """`spec` is the whole spec of its program as it was given to the program, paths left out."""

    class State(models.TextChoices):
        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    class Learner(models.TextChoices):
        FINETUNE = "finetune", _("fine-tune")
        PROBE = "probe", _("probe (linear head on frozen embeddings)")
        TUNE = "tune", _("tuned language model")
        REINFORCE = "reinforce", _("language model taught by rewards")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("annotation.Project", on_delete=models.CASCADE, related_name="training_runs")
    number = models.PositiveIntegerField()
    dataset = models.ForeignKey(
        "annotation.DatasetVersion", on_delete=models.PROTECT, related_name="training_runs"
    )
    learner = models.CharField(max_length=10, choices=Learner.choices)
    spec = models.JSONField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    job = models.ForeignKey("jobs.Job", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    error = models.TextField(blank=True)
    origin = models.CharField(max_length=100, blank=True)  # opaque key of what asked for it (a round)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-number"]
        verbose_name = _("training run")
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="trainingrun_number"),
            models.UniqueConstraint(
                fields=["project", "origin"], condition=~models.Q(origin=""), name="trainingrun_origin"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project} · {self.number}"
