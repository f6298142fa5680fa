from __future__ import annotations

from django.db import models


class TickLease(models.Model):
    """Who does the periodic work. A row, so that a second scheduler waits and does not do all twice."""

    name = models.CharField(max_length=32, unique=True)
    token = models.CharField(max_length=32)
    heartbeat_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
