from __future__ import annotations

import re

import pytest
from django.urls import reverse

from accounts.models import ApiToken, User
from accounts.services import tokens, users

pytestmark = pytest.mark.django_db
ME = "/accounts/me/"


@pytest.fixture
def ana(client):
    user = users.create_user("ana", email="ana@example.org")
    client.force_login(user)
    return user


def test_it_asks_visitors_to_sign_in(client):
    assert client.get(ME).status_code == 302


def test_it_saves_preferences_and_uses_them_at_once(client, ana):
    fields = {
        "language": "zh-hans",
        "theme": "dark",
        "time_zone": "Asia/Shanghai",
        "email": "ana@example.org",
    }
    page = client.post(ME, fields, follow=True).content.decode()
    assert 'lang="zh-hans"' in page
    assert 'data-theme="dark"' in page
    assert User.objects.get(pk=ana.pk).time_zone == "Asia/Shanghai"


def test_it_shows_an_error_beside_the_field_and_keeps_the_input(client, ana):
    users.create_user("bob", email="bob@example.org")
    page = client.post(
        ME, {"theme": "auto", "email": "bob@example.org", "first_name": "Typed"}
    ).content.decode()
    assert "exists already" in page
    assert 'value="Typed"' in page
    assert User.objects.get(pk=ana.pk).email == "ana@example.org"


def test_it_shows_a_new_token_once(client, ana):
    answer = client.post(reverse("accounts:create_token"), {"name": "script"})
    secret = re.search(r"<code data-secret>(\S+)</code>", answer.content.decode()).group(1)
    assert tokens.authenticate(secret).user == ana
    assert answer["Cache-Control"] == "no-store"
    assert secret not in client.get(ME).content.decode()


def test_it_asks_for_a_name_of_the_token(client, ana):
    answer = client.post(reverse("accounts:create_token"), {"name": ""})
    assert answer.status_code == 422
    assert "This field is required" in answer.content.decode()


def test_it_revokes_a_token(client, ana):
    token, _secret = tokens.create(ana, "script")
    page = client.post(reverse("accounts:revoke_token", args=[token.pk]), follow=True).content.decode()
    assert "The token is revoked." in page
    assert not ApiToken.objects.exists()


def test_it_shows_the_sentence_for_a_token_of_somebody_else(client, ana):
    token, _secret = tokens.create(users.create_user("bob"), "script")
    answer = client.post(reverse("accounts:revoke_token", args=[token.pk]))
    assert answer.status_code == 404
    assert "You have no such token" in answer.content.decode()


def test_it_keeps_a_visitors_language_and_theme_in_cookies(client):
    answer = client.post(
        reverse("accounts:appearance"), {"language": "zh-hans", "theme": "dark", "next": "/accounts/login/"}
    )
    assert answer.url == "/accounts/login/"
    page = client.get("/accounts/login/").content.decode()
    assert 'lang="zh-hans"' in page
    assert 'data-theme="dark"' in page


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", ""])
def test_it_goes_home_and_not_to_other_sites(client, target):
    assert client.post(reverse("accounts:appearance"), {"theme": "dark", "next": target}).url == "/"


def test_it_sets_the_reminder_to_take_a_break_and_leaves_it_where_it_is_not_asked(client, ana):
    client.post(ME, {"theme": "auto", "break_minutes": "50"})
    ana.refresh_from_db()
    assert ana.break_minutes == 50
    assert '<option value="50" selected' in client.get(ME).content.decode()
    client.post(ME, {"theme": "dark"})
    ana.refresh_from_db()
    assert (ana.theme, ana.break_minutes) == ("dark", 50)
    client.post(ME, {"theme": "auto", "break_minutes": "7"})
    ana.refresh_from_db()
    assert ana.break_minutes == 50
