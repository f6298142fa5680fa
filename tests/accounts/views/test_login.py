from __future__ import annotations

import re

import pytest
from django.core import mail
from django.urls import reverse

from accounts.services import users

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


@pytest.fixture
def ana():
    return users.create_user("ana", password=PASSWORD, email="ana@example.org")


def sign_in(client, password, name="ana"):
    return client.post(reverse("accounts:login"), {"username": name, "password": password})


def test_it_signs_in_and_goes_where_the_person_wanted(client, ana):
    page = client.get(reverse("accounts:login") + "?next=/accounts/me/")
    assert 'name="next" value="/accounts/me/"' in page.content.decode()
    answer = client.post(
        reverse("accounts:login"), {"username": "ana", "password": PASSWORD, "next": "/accounts/me/"}
    )
    assert answer.url == "/accounts/me/"


def test_it_keeps_the_name_and_says_what_is_wrong(client, ana):
    page = sign_in(client, "wrong").content.decode()
    assert "correct username and password" in page
    assert 'value="ana"' in page


def test_it_closes_the_door_after_too_many_wrong_passwords(client, ana, settings):
    settings.AXES_FAILURE_LIMIT = 3
    for _ in range(2):
        sign_in(client, "wrong")
    locked = sign_in(client, "wrong")
    assert locked.status_code == 429
    assert "Too many attempts" in locked.content.decode()
    assert sign_in(client, PASSWORD).status_code == 429
    assert sign_in(client, "wrong", name="bob").status_code == 200  # another name is not locked


def test_it_does_not_let_deactivated_people_in(client, ana):
    users.deactivate(ana)
    assert sign_in(client, PASSWORD).status_code == 200


def test_it_ends_the_session_of_a_deactivated_person(client, ana):
    client.force_login(ana)
    users.deactivate(ana)
    assert client.get(reverse("accounts:preferences")).status_code == 302


def test_it_signs_out_by_post_only(client, ana):
    client.force_login(ana)
    assert client.get(reverse("accounts:logout")).status_code == 405
    assert client.post(reverse("accounts:logout")).url == "/accounts/login/"


def test_it_sends_a_link_by_mail(client, ana):
    client.post(reverse("accounts:password_reset"), {"email": "ana@example.org"})
    assert mail.outbox[0].subject == "A new password for Gyre"
    link = re.search(r"http://testserver(/\S+)", mail.outbox[0].body).group(1)
    form = client.get(link, follow=True)
    assert "Save the password" in form.content.decode()


def test_it_does_not_tell_which_addresses_have_an_account(client, ana):
    answer = client.post(reverse("accounts:password_reset"), {"email": "nobody@example.org"}, follow=True)
    assert "If an account has this address" in answer.content.decode()
    assert mail.outbox == []


def test_it_changes_a_password(client, ana):
    client.force_login(ana)
    new = {"old_password": PASSWORD, "new_password1": "another long one", "new_password2": "another long one"}
    answer = client.post(reverse("accounts:password_change"), new, follow=True)
    assert "Your password is changed." in answer.content.decode()
