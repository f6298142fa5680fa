"""Sessions in the database, as Django's own; reading one is a prepared statement, since each request does it."""

from __future__ import annotations

from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.db.models import DateTimeField, QuerySet
from django.utils import timezone

from accounts.selectors.prepared import given, prepared


@prepared
def _living() -> QuerySet[Session]:
    return Session.objects.filter(session_key=given("key"), expire_date__gt=given("now", DateTimeField()))


class SessionStore(db.SessionStore):
    def _get_session_from_db(self) -> Session | None:
        found = _living().first(key=self.session_key, now=timezone.now())
        if found is None:
            self._session_key = None
        return found
