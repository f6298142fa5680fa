"""A model that an engineer has registered to be trained: a folder on this machine."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class BaseModel(models.Model):
    """`fingerprint`: what the folder held then; a run refuses it once it has changed. The default one of its
    kind is trained where a run names none.
    """

    class Kind(models.TextChoices):
        LANGUAGE = "language", _("language model")
        ENCODER = "encoder", _("encoder")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey("annotation.Project", on_delete=models.CASCADE, related_name="base_models")
    name = models.SlugField(max_length=60)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.LANGUAGE)
    folder = models.CharField(max_length=1000)
    architecture = models.CharField(max_length=100)
    parameters = models.PositiveBigIntegerField()
    context = models.PositiveIntegerField()  # tokens; 0: not said
    fingerprint = models.CharField(max_length=64)
    is_default = models.BooleanField(default=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        verbose_name = _("base model")
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="basemodel_name"),
            models.UniqueConstraint(
                fields=["project", "kind"],
                condition=models.Q(is_default=True),
                name="basemodel_one_default_of_kind",
            ),
        ]

    def __str__(self) -> str:
        return self.name
