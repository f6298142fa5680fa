from __future__ import annotations

import pytest
from django.contrib.auth import authenticate
from django.urls import resolve

from accounts.errors import AccountsError, NameTaken, PasswordRefused
from accounts.models import AuditEntry, User
from accounts.services import tokens, users

pytestmark = pytest.mark.django_db


def test_it_makes_a_person_and_records_it():
    user = users.create_user("ana", password="correct horse battery", email="Ana@Example.org")
    assert user.check_password("correct horse battery")
    assert user.email == "Ana@example.org"
    assert AuditEntry.objects.get(verb="user.created").target_id == str(user.uuid)


def test_it_makes_nobody_who_can_log_in_without_a_password():
    assert not users.create_user("ana").has_usable_password()


@pytest.mark.parametrize("name", ["ana", "ANA", " ana "])
def test_it_refuses_a_name_that_is_taken_whatever_its_case(name):
    users.create_user("ana")
    with pytest.raises(NameTaken, match="is taken: choose another one"):
        users.create_user(name)


def test_it_refuses_an_address_that_is_taken():
    users.create_user("ana", email="a@example.org")
    with pytest.raises(NameTaken, match="with the address A@example.org exists already"):
        users.create_user("bob", email="A@example.org")


def test_it_refuses_a_weak_password():
    with pytest.raises(PasswordRefused, match="too short"):
        users.create_user("ana", password="short")


def test_it_refuses_a_name_with_strange_characters():
    with pytest.raises(AccountsError, match="valid username"):
        users.create_user("ana <b>")


def test_it_shuts_a_person_out_and_lets_them_in_again():
    user = users.create_user("ana", password="correct horse battery")
    tokens.create(user, "script")
    users.deactivate(user)
    assert not User.objects.get(username="ana").is_active
    assert user.api_tokens.count() == 0
    users.reactivate(user)
    assert User.objects.get(username="ana").is_active
    assert list(AuditEntry.objects.filter(verb__startswith="user.").values_list("verb", flat=True)) == [
        "user.reactivated",
        "user.deactivated",
        "user.created",
    ]


def test_its_reset_link_sets_a_password_once(client):
    user = users.create_user("ana", password="correct horse battery")
    link = users.reset_link(user)
    assert resolve(link).view_name == "accounts:password_reset_confirm"
    form = client.get(link, follow=True)
    new = {"new_password1": "a fresh long secret", "new_password2": "a fresh long secret"}
    assert client.post(form.request["PATH_INFO"], new).status_code == 302
    assert authenticate(form.wsgi_request, username="ana", password="a fresh long secret") == user
    assert "used already or is older than three days" in client.get(link, follow=True).content.decode()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("language", "tlh", "There is no language “tlh” here"),
        ("theme", "neon", "choose auto, light or dark"),
        ("time_zone", "Mars/Base", "is no time zone: give one such as Asia/Shanghai"),
        ("email", "bob@example.org", "exists already"),
    ],
)
def test_it_refuses_preferences_that_do_not_exist(field, value, message):
    users.create_user("bob", email="bob@example.org")
    with pytest.raises(AccountsError, match=message):
        users.set_preferences(users.create_user("ana"), **{field: value})


def test_it_changes_only_the_preferences_given():
    user = users.create_user("ana", email="a@example.org")
    users.set_preferences(user, theme="dark", time_zone="Asia/Shanghai")
    user = User.objects.get(pk=user.pk)
    assert (user.theme, user.time_zone, user.email) == ("dark", "Asia/Shanghai", "a@example.org")
