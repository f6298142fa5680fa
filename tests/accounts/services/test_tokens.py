from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.errors import AccountsError, TokenUnknown
from accounts.models import ApiToken
from accounts.services import tokens, users

pytestmark = pytest.mark.django_db


def test_it_keeps_no_secret():
    token, secret = tokens.create(users.create_user("ana"), "script")
    assert secret.startswith(f"gyre_{token.prefix}_")
    stored = ApiToken.objects.values().get()
    assert not any(secret in str(value) or secret.split("_", 2)[2] in str(value) for value in stored.values())


def test_it_knows_the_person_by_the_secret():
    user = users.create_user("ana")
    token, secret = tokens.create(user, "script")
    found = tokens.authenticate(secret)
    assert found == token
    assert found.user == user
    assert ApiToken.objects.get().last_used_at is not None


@pytest.mark.parametrize(
    "spoil", [lambda s: s[:-1], lambda s: s + "x", lambda s: s.upper(), lambda s: "", lambda s: "a_b"]
)
def test_it_knows_nobody_by_another_secret(spoil):
    _token, secret = tokens.create(users.create_user("ana"), "script")
    assert tokens.authenticate(spoil(secret)) is None


def test_it_forgets_expired_tokens_and_those_of_deactivated_people():
    user = users.create_user("ana")
    _token, old = tokens.create(user, "old", expires_at=timezone.now() - timedelta(seconds=1))
    _token, good = tokens.create(user, "good", expires_at=timezone.now() + timedelta(days=1))
    assert tokens.authenticate(old) is None
    assert tokens.authenticate(good) is not None
    user.is_active = False
    user.save(update_fields=["is_active"])
    assert tokens.authenticate(good) is None


def test_it_writes_the_last_use_at_most_once_a_minute(django_assert_num_queries):
    _token, secret = tokens.create(users.create_user("ana"), "script")
    tokens.authenticate(secret)
    first = ApiToken.objects.get().last_used_at
    tokens.authenticate(secret)
    assert ApiToken.objects.get().last_used_at == first


def test_it_revokes_own_tokens_only():
    ana, bob = users.create_user("ana"), users.create_user("bob")
    token, secret = tokens.create(ana, "script")
    with pytest.raises(TokenUnknown, match="may have been revoked already"):
        tokens.revoke(bob, token.pk)
    tokens.revoke(ana, token.pk)
    assert tokens.authenticate(secret) is None


def test_it_needs_a_name():
    with pytest.raises(AccountsError, match="A token needs a name"):
        tokens.create(users.create_user("ana"), "  ")
