"""An item: one text to be labelled, its place in the project's columns, and its split."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from .project import Project
from .source import Import, Source


class Item(models.Model):
    """One text.

    `row` is dense per project and never reused: it is the item's position in every column file; within a
    project ids rise with rows, so that any table with an index on its item can be walked by row. `split` is
    drawn from the content hash at intake, is shared by a whole duplicate cluster, and never changes. An exact
    duplicate points to the first item of its text; it is neither picked nor queued, and takes the first one's
    label on export. A deleted item is a tombstone: the row stays, without text, held back as `DELETED`.
    """

    DELETED = "deleted"  # what `held_back` says of a tombstone

    class Split(models.TextChoices):
        TRAIN = "train", _("train")
        VALIDATION = "validation", _("validation")
        TEST = "test", _("test")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # No index of their own on project, source and import: nothing looks items up by the last two, the unique
    # rows serve the first, and every index costs an import of a million rows several seconds.
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="items", db_index=False)
    row = models.PositiveBigIntegerField()
    text = models.TextField()
    normalised = models.TextField()
    content_hash = models.CharField(max_length=32)
    normaliser_version = models.PositiveSmallIntegerField()
    duplicate_of = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="duplicates", db_index=False
    )
    cluster = models.PositiveBigIntegerField()  # the row of the cluster's first item
    split = models.CharField(max_length=10, choices=Split.choices)
    held_back = models.CharField(max_length=200, blank=True)  # why it must not be used; empty: it may
    external_id = models.CharField(max_length=200, blank=True)
    # The hash of what a model is asked alone, where that is less than the content (responses, a dialogue beside
    # a text): items that share it have one split. Empty where the content hash says the same.
    prompt = models.CharField(max_length=32, blank=True, default="")
    meta = models.JSONField(default=dict, blank=True)
    data = models.JSONField(default=dict, blank=True)  # messages, responses, draft: task_types.content
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="items", db_index=False)
    import_run = models.ForeignKey(
        Import, null=True, on_delete=models.PROTECT, related_name="items", db_index=False
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "row"], name="item_row"),
            models.UniqueConstraint(
                fields=["project", "content_hash"],
                condition=models.Q(duplicate_of__isnull=True),
                name="item_content_once",
            ),
        ]
        indexes = [
            models.Index(fields=["project", "split", "row"], name="item_split_row"),
            models.Index(fields=["project", "source", "row"], name="item_source_row"),
            models.Index(
                fields=["project", "row"], condition=~models.Q(held_back=""), name="item_held_back_row"
            ),
            models.Index(
                fields=["project", "row"],
                condition=models.Q(duplicate_of__isnull=False),
                name="item_duplicate_row",
            ),
            models.Index(fields=["project", "prompt"], condition=models.Q(prompt__gt=""), name="item_prompt"),
            models.Index(
                fields=["duplicate_of"],
                condition=models.Q(duplicate_of__isnull=False),
                name="item_duplicate_of",
            ),
        ]

    def __str__(self) -> str:
        return self.text[:80]
