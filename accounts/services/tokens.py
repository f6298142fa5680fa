"""API tokens: `gyre_<prefix>_<secret>`.

The secret has 192 random bits, so a plain SHA-256 is as good as a slow hash.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import DateTimeField, Q, QuerySet
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from accounts.errors import AccountsError, TokenUnknown
from accounts.models import ApiToken, User
from accounts.selectors.prepared import given, prepared
from accounts.services import audit

_USED_EVERY = timedelta(minutes=1)  # last_used_at is written at most so often: a read must not cost a write


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


@transaction.atomic
def create(user: User, name: str, *, expires_at: datetime | None = None) -> tuple[ApiToken, str]:
    """Make a token. The second value is the secret: it is shown once and stored nowhere."""
    name = name.strip()
    if not name:
        raise AccountsError(_("A token needs a name, by which you will know it again: type one."))
    prefix = secrets.token_hex(4)
    secret = f"gyre_{prefix}_{secrets.token_urlsafe(24)}"
    token = ApiToken.objects.create(
        user=user, name=name[:100], prefix=prefix, digest=_digest(secret), expires_at=expires_at
    )
    audit.record("token.created", actor=user, target=token, name=token.name)
    return token, secret


@transaction.atomic
def revoke(user: User, token_id: int) -> None:
    """Delete one of the user's own tokens; it stops working at once."""
    token = ApiToken.objects.filter(pk=token_id, user=user).first()
    if token is None:
        raise TokenUnknown(_("You have no such token: it may have been revoked already."))
    audit.record("token.revoked", actor=user, target=token, name=token.name)
    token.delete()


def authenticate(secret: str) -> ApiToken | None:
    """The valid token with this secret, its user loaded; None if unknown, expired, or the person is
    deactivated.
    """
    parts = secret.split("_", 2)
    if len(parts) != 3 or parts[0] != "gyre":
        return None
    now = timezone.now()
    token = _valid().first(prefix=parts[1], now=now)
    if token is None or not constant_time_compare(token.digest, _digest(secret)):
        return None
    if token.last_used_at is None or token.last_used_at < now - _USED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


@prepared
def _valid() -> QuerySet[ApiToken]:
    in_time = Q(expires_at=None) | Q(expires_at__gt=given("now", DateTimeField()))
    tokens = ApiToken.objects.select_related("user").filter(in_time, user__is_active=True)
    unread = ("created_at", "expires_at", "user__last_login", "user__date_joined")
    return tokens.filter(prefix=given("prefix")).order_by().defer(*unread)
