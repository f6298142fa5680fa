"""The index over a project's embedding column, with what it was worth when it was built."""

from __future__ import annotations

from django.db import models


class PoolIndex(models.Model):
    """One built index; the newest of a project's encoder is in use. Replaced as a whole, never changed."""

    project = models.ForeignKey("annotation.Project", on_delete=models.CASCADE, related_name="indexes")
    model_key = models.CharField(max_length=100)  # of the encoder
    artifact = models.ForeignKey("jobs.Artifact", on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=16)
    factory = models.CharField(max_length=60)
    count = models.PositiveBigIntegerField()
    lists = models.PositiveIntegerField()
    probes = models.PositiveIntegerField()
    recall_at_10 = models.FloatField()  # measured on vectors of its own, against the exact neighbours
    queries = models.PositiveIntegerField()
    seconds = models.FloatField()
    tried = models.JSONField(default=list)  # the kinds that were measured (index.stored.Tried)
    note = models.TextField(blank=True)  # what was unusual, in a sentence for people
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        indexes = [models.Index(fields=["project", "model_key", "-id"], name="poolindex_newest")]

    def __str__(self) -> str:
        return f"{self.project}: {self.factory}"
