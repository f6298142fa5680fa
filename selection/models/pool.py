"""Columns: what algorithms touch a million at a time, in files beside the rows."""

from __future__ import annotations

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
