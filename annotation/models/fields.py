"""Column types and constraints that several models share."""

from __future__ import annotations

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models


class ShareField(models.FloatField):
    """A share between 0 and 1."""

    default_validators = [MinValueValidator(0.0), MaxValueValidator(1.0)]


def share_between(table: str, column: str, low: float, high: float) -> models.CheckConstraint:
    """The database's own word that `column` lies in [low, high]."""
    condition: dict[str, Any] = {f"{column}__gte": low, f"{column}__lte": high}
    return models.CheckConstraint(condition=models.Q(**condition), name=f"{table}_{column}_range")
