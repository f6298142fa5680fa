"""What a person was told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from accounts.models import Notice, User
from accounts.notice_kinds import sentence

SHOWN = 100


@dataclass(frozen=True)
class Told:
    id: int
    text: str
    url: str
    created_at: datetime
    is_unread: bool


def newest(user: User, *, most: int = SHOWN) -> list[Told]:
    """The newest notices, unread ones first. One query."""
    found = Notice.objects.filter(user=user).order_by("-pk")[:most]
    told = [told_of(notice) for notice in found]
    return sorted(told, key=lambda one: not one.is_unread)


def told_of(notice: Notice) -> Told:
    text = sentence(notice.kind, notice.params, notice.count)
    return Told(notice.pk, text, notice.url, notice.created_at, notice.read_at is None)


def unread_count(user: User) -> int:
    """How many are unread; one query over an index."""
    return Notice.objects.filter(user=user, read_at=None).count()
