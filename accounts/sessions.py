"""Sessions in the database, as Django's own; reading one is a prepared statement, since each request does it,
and what was signed is checked once a process.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.core import signing
from django.db.models import DateTimeField, QuerySet
from django.utils import timezone

from accounts.selectors.prepared import given, prepared


@prepared
def _living() -> QuerySet[Session]:
    living = Session.objects.filter(session_key=given("key"), expire_date__gt=given("now", DateTimeField()))
    return living.only("session_data")


class _Bytes:
    """A serializer that leaves what it is given as it is."""

    def loads(self, data: bytes) -> bytes:
        return data


@lru_cache(maxsize=1000)
def _unsigned(signed: str, salt: str, secret: str) -> bytes:
    """The content of what we signed, unread, so that each request gets an object of its own.

    `secret` is that of the installation: with another one nothing that is kept here is valid.
    """
    content: bytes = signing.loads(signed, key=secret, salt=salt, serializer=_Bytes)
    return content


class SessionStore(db.SessionStore):
    def decode(self, session_data: str) -> dict[str, Any]:
        if settings.SECRET_KEY_FALLBACKS:
            return dict(super().decode(session_data))
        try:
            content = _unsigned(session_data, self.key_salt, settings.SECRET_KEY)
        except signing.BadSignature:
            return dict(super().decode(session_data))  # which says so in the log
        return dict(self.serializer().loads(content))

    def _get_session_from_db(self) -> Session | None:
        found = _living().first(key=self.session_key, now=timezone.now())
        if found is None:
            self._session_key = None
        return found
