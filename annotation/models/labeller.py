"""Whoever gives labels: a person, a model version, an import, a rule."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .project import Project


class Labeller(models.Model):
    """`key` is opaque here: the user's uuid, the model version's uuid, the import's uuid."""

    class Kind(models.TextChoices):
        PERSON = "person", _("person")
        MODEL = "model", _("model")
        IMPORT = "import", _("import")
        RULE = "rule", _("rule")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="labellers")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    key = models.CharField(max_length=100)
    name = models.CharField(max_length=200)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="labellers"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "kind", "key"], name="labeller_key")]

    def __str__(self) -> str:
        return self.name
