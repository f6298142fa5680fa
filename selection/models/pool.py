"""Columns: what algorithms touch a million at a time, in files beside the rows."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Column(models.Model):
    """One shard of a column: values of `kind` by `model_key` for the item rows in rows.npy, in one artifact.

    An embedding column grows by a shard as items arrive; probabilities are written anew by each model.
    """

    class Kind(models.TextChoices):
        EMBEDDING = "embedding", _("embedding")
        PROBABILITY = "probability", _("probability")
        LOSS = "loss", _("loss")

    project = models.ForeignKey("annotation.Project", on_delete=models.CASCADE, related_name="columns")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    model_key = models.CharField(max_length=100)
    first_row = models.PositiveBigIntegerField()  # the smallest item row in this shard
    last_row = models.PositiveBigIntegerField()  # the largest
    count = models.PositiveBigIntegerField()
    width = models.PositiveIntegerField()
    dtype = models.CharField(max_length=16)
    file_name = models.CharField(max_length=100)
    artifact = models.ForeignKey("jobs.Artifact", on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["first_row"]
        constraints = [
            models.UniqueConstraint(fields=["project", "kind", "model_key", "first_row"], name="column_shard")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.model_key} {self.first_row}-{self.last_row}"


class ColumnBuild(models.Model):
    """Bringing a column up to date in shards, each a job of its own. It holds no worker while it waits for them.

    `rows` is an artifact with rows.npy, what the column lacked when this was planned; job number i computes the
    i-th part of it. `origin` is an opaque key of what asked for it (a round's station), so that asking twice
    gives one.
    """

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("annotation.Project", on_delete=models.CASCADE, related_name="column_builds")
    kind = models.CharField(max_length=16, choices=Column.Kind.choices)
    model_key = models.CharField(max_length=100)
    model = models.ForeignKey(
        "training.ModelVersion", null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )  # null: the encoder
    origin = models.CharField(max_length=120, unique=True)
    rows = models.ForeignKey("jobs.Artifact", on_delete=models.PROTECT, related_name="+")
    count = models.PositiveBigIntegerField()  # rows in all
    part_rows = models.PositiveIntegerField()  # rows a part; the last one may have fewer
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING)
    error = models.TextField(blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [
            models.Index(
                fields=["project"], condition=models.Q(state="running"), name="columnbuild_open_of_project"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.model_key}: {self.count}"

    @property
    def parts(self) -> int:
        return -(-self.count // self.part_rows)
