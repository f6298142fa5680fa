"""What a person is told: in the app, and by mail where they want it."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Notice(models.Model):
    """One sentence for one person. `kind` names the sentence (accounts.notice_kinds), `params` fill it in, so
    that it is read in the reader's language. While it is unread, the same kind and `key` do not come twice:
    `count` rises.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=60)
    key = models.CharField(max_length=100, blank=True)  # what it is about: a project, a discussion
    params = models.JSONField(default=dict, blank=True)
    url = models.CharField(max_length=300, blank=True)  # path to look at
    count = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True, blank=True)
    mailed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "kind", "key"], condition=models.Q(read_at=None), name="notice_unread_once"
            )
        ]
        indexes = [
            models.Index(fields=["user", "read_at"], name="notice_user_read"),
            models.Index(
                fields=["created_at"], condition=models.Q(mailed_at=None, read_at=None), name="notice_to_mail"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.kind} {self.key}"
