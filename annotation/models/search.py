"""What the search index holds beside the text: derived rows, made in blocks after the fact, never the truth.

All of it can be thrown away and made again (`manage.py index_items --rebuild`). The text itself lies in a
table of the database's own kind, which no model describes: see annotation/services/search_index.py.
"""

from __future__ import annotations

from django.db import models

from .item import Item
from .project import Project


class SearchState(models.Model):
    """How far the index of a project is: everything up to these marks is in it.

    `text_row`: the last item row; `resolution`: the last resolution id; `slot`: the last slot id.
    """

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="search_state")
    version = models.PositiveSmallIntegerField(default=0)  # of how texts are cut into words
    text_row = models.BigIntegerField(default=-1)
    resolution = models.BigIntegerField(default=0)
    slot = models.BigIntegerField(default=0)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.project_id}: row {self.text_row}"


class IndexedLabel(models.Model):
    """A final label that an item has, or had when it was indexed. `key`: "field:label id"."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=110)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "key", "item"], name="indexedlabel_once")]

    def __str__(self) -> str:
        return f"{self.item_id}: {self.key}"


class IndexedScore(models.Model):
    """A score part of the item's newest slot that had one. `name`: as the strategy calls it."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=60)
    value = models.FloatField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["item", "name"], name="indexedscore_once")]
        indexes = [models.Index(fields=["project", "name", "value", "item"], name="indexedscore_value")]

    def __str__(self) -> str:
        return f"{self.item_id}: {self.name} {self.value:.3f}"
