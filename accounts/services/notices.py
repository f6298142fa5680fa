"""Telling people: once while it is unread, and by mail after a while where they want mail."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from smtplib import SMTPException
from typing import Any

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import F
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from accounts.models import Notice, User
from accounts.selectors.notices import told_of

logger = logging.getLogger(__name__)
MAIL_AFTER = timedelta(minutes=2)  # whoever is at the page reads it there
MAILS_A_TICK = 50
KEPT_DAYS = 90


@transaction.atomic
def tell(
    users: Iterable[User], kind: str, *, key: str = "", url: str = "", count: int = 1, **params: Any
) -> int:
    """Tell people something; how many. An unread notice of the same kind and key counts up instead of coming
    twice.

    `params` are what the kind's sentence is filled in with. Three queries, however many people.
    """
    ids = {user.pk for user in users if user.is_active}
    waiting = Notice.objects.filter(user__in=ids, kind=kind, key=key, read_at=None)
    known = set(waiting.values_list("user_id", flat=True))
    if known:
        waiting.update(
            count=F("count") + count, params=params, url=url, created_at=timezone.now(), mailed_at=None
        )
    fresh = [
        Notice(user_id=pk, kind=kind, key=key, params=params, url=url, count=count)
        for pk in sorted(ids - known)
    ]
    # two who tell at once: the second finds the row there, and the sentence stands once
    Notice.objects.bulk_create(fresh, ignore_conflicts=True)
    return len(ids)


def read(user: User, ids: Iterable[int] | None = None) -> int:
    """Mark one's own notices as read, all of them without `ids`; how many were unread."""
    mine = Notice.objects.filter(user=user, read_at=None)
    if ids is not None:
        mine = mine.filter(pk__in=list(ids))
    return mine.update(read_at=timezone.now())


def send_mails() -> int:
    """Mail what has been unread for a while to those who want mail, one mail a person; how many mails.

    Called by the tick. A mail server that fails is logged, and asked again at the next turn.
    """
    old = timezone.now() - MAIL_AFTER
    waiting = Notice.objects.filter(
        read_at=None, mailed_at=None, created_at__lte=old, user__mails_notices=True
    )
    people = User.objects.filter(pk__in=waiting.values("user"), is_active=True).exclude(email="")
    sent = 0
    for user in people[:MAILS_A_TICK]:
        notices = list(waiting.filter(user=user).order_by("pk")[:50])
        with translation.override(user.language or settings.LANGUAGE_CODE):
            lines = [f"- {told_of(notice).text}" for notice in notices]
            subject = _("Gyre: news from your projects")
            body = "\n".join(
                [
                    _("Since your last visit:"),
                    "",
                    *lines,
                    "",
                    _("You can turn these mails off in your preferences."),
                ]
            )
        try:
            send_mail(subject, body, None, [user.email])
        except (OSError, SMTPException):
            logger.exception("a notice mail to %s could not be sent", user)
            continue
        Notice.objects.filter(pk__in=[notice.pk for notice in notices]).update(mailed_at=timezone.now())
        sent += 1
    return sent


def forget_old() -> int:
    """Drop what was read long ago; called by the tick."""
    return Notice.objects.filter(read_at__lt=timezone.now() - timedelta(days=KEPT_DAYS)).delete()[0]
