"""How people look at the items: saved views, and the columns that a person chose last."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .project import Project


class SavedView(models.Model):
    """`query`: the parameters of the page's address (filters, sort, columns), name to value."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="saved_views", db_index=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    name = models.CharField(_("name"), max_length=80)
    query = models.JSONField(default=dict)
    is_shared = models.BooleanField(_("for everybody who may see the items"), default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["project", "owner", "name"], name="savedview_name")]

    def __str__(self) -> str:
        return self.name


class ColumnChoice(models.Model):
    """The columns that a person sees where the address names none."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    columns = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="columnchoice_once")]

    def __str__(self) -> str:
        return ", ".join(self.columns)
