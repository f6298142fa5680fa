"""A session as the browser sees it, with our own storage and backend."""

from __future__ import annotations

import datetime

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.services import users
from accounts.sessions import SessionStore
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def logged_in(client: Client) -> bool:
    return client.get("/").status_code == 200


def test_it_knows_a_person_by_their_session() -> None:
    client = Client()
    assert not logged_in(client)
    client.force_login(make_user())
    assert logged_in(client)
    client.logout()
    assert not logged_in(client)


def test_it_ends_a_session_at_its_time() -> None:
    client = Client()
    client.force_login(make_user())
    Session.objects.update(expire_date=timezone.now() - datetime.timedelta(seconds=1))
    assert not logged_in(client)


def test_it_forgets_a_deactivated_person_at_once() -> None:
    ana, client = make_user(), Client()
    client.force_login(ana)
    users.deactivate(ana)
    assert not logged_in(client)


def test_it_takes_nothing_that_it_has_not_signed() -> None:
    client = Client()
    client.force_login(make_user())
    assert logged_in(client)
    stored = Session.objects.get()
    assert SessionStore().decode(stored.session_data)["_auth_user_id"]
    assert SessionStore().decode(stored.session_data[:-1]) == {}
    with override_settings(SECRET_KEY="another"):
        assert SessionStore().decode(stored.session_data) == {}


def test_what_it_has_read_is_each_readers_own() -> None:
    signed = SessionStore().encode({"seen": [1]})
    SessionStore().decode(signed)["seen"].append(2)
    assert SessionStore().decode(signed) == {"seen": [1]}


def test_it_reads_session_and_person_once_each() -> None:
    client = Client()
    client.force_login(make_user())
    logged_in(client)
    with CaptureQueriesContext(connection) as asked:
        client.get("/api/v1/jobs")
    tables = [query["sql"].split(" FROM ")[1].split()[0] for query in asked if " FROM " in query["sql"]]
    assert tables.count('"django_session"') == tables.count('"accounts_user"') == 1
