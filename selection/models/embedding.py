"""Which layer of the encoder a project's vectors come from."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class EmbeddingChoice(models.Model):
    """One project's choice; without a row, the last layer."""

    class Layer(models.TextChoices):
        LAST = "last", _("last layer: by meaning")
        MIDDLE = "middle", _("middle layer: by wording and form")

    project = models.OneToOneField(
        "annotation.Project", on_delete=models.CASCADE, related_name="embedding_choice"
    )
    layer = models.CharField(max_length=8, choices=Layer.choices, default=Layer.LAST)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(layer__in=["last", "middle"]), name="embeddingchoice_layer"
            )
        ]

    def __str__(self) -> str:
        return f"{self.project}: {self.layer}"
