"""Groups of people inside a project, to whom work can be assigned."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .project import Project


class Group(models.Model):
    """People of one project under one name. Who is taken out of the project stays in it and gets nothing."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, related_name="work_groups", db_index=False
    )  # the unique pair below begins with it
    name = models.CharField(_("name"), max_length=80)
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="work_groups", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        verbose_name = _("group")
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="group_name")]

    def __str__(self) -> str:
        return self.name
