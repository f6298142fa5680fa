"""Logging in with a password, as Django does it; the person of a session is read by a prepared statement."""

from __future__ import annotations

from django.contrib.auth.backends import ModelBackend
from django.db.models import QuerySet

from accounts.models import User
from accounts.selectors.prepared import given, prepared


@prepared
def _person() -> QuerySet[User]:
    return User.objects.filter(pk=given("pk")).defer("last_login", "date_joined")


class PeopleBackend(ModelBackend):
    def get_user(self, user_id: int) -> User | None:
        user = _person().first(pk=user_id)
        return user if user is not None and self.user_can_authenticate(user) else None
