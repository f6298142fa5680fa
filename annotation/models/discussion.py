"""A thread on an item: somebody flagged it, others answer."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from .item import Item
from .project import Project


class Discussion(models.Model):
    """One thread; an item has at most one that is open. It says nothing of labels: answers stay independent."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="discussions")
    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="discussions")
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="discussions"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["item"], condition=models.Q(closed_at=None), name="discussion_one_open"
            )
        ]
        indexes = [models.Index(fields=["project", "closed_at", "id"], name="discussion_project_closed")]

    def __str__(self) -> str:
        return f"{self.item_id} {'closed' if self.closed_at else 'open'}"


class Comment(models.Model):
    """One message of a thread, as plain text."""

    discussion = models.ForeignKey(Discussion, on_delete=models.CASCADE, related_name="comments")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="comments")
    text = models.TextField()
    client_key = models.CharField(max_length=64, blank=True)  # made by the client: sending twice stores once
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["author", "client_key"],
                condition=~models.Q(client_key=""),
                name="comment_client_key",
            )
        ]

    def __str__(self) -> str:
        return self.text[:80]
