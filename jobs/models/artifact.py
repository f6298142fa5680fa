from __future__ import annotations

import uuid

from django.db import models


class Artifact(models.Model):
    """A folder of files named by its content: a model, predictions, columns. Never changed once there."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=64)
    sha256 = models.CharField(max_length=64)  # of its manifest, which holds the hash of every file
    bytes = models.BigIntegerField()
    url = models.CharField(max_length=500)  # fsspec form; file:// now
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [models.UniqueConstraint(fields=["kind", "sha256"], name="jobs_artifact_content")]

    def __str__(self) -> str:
        return f"{self.kind} {self.sha256[:12]}"
