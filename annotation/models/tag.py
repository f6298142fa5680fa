"""Words of the team's own on items: "ask the bank", "for the guideline"."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from .item import Item
from .project import Project


class Tag(models.Model):
    """`colour` is one of the label colours of static/css/tokens.css."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="tags", db_index=False)
    name = models.CharField(_("name"), max_length=60)
    colour = models.CharField(max_length=20, default="grey")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="tag_name")]

    def __str__(self) -> str:
        return self.name


class ItemTag(models.Model):
    """One tag on one item. The unique pair is also the way from a tag to its items, in order of item."""

    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="item_tags", db_index=False)
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="item_tags")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tag", "item"], name="itemtag_once")]

    def __str__(self) -> str:
        return f"{self.item_id}: {self.tag_id}"
