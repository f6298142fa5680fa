"""A session as the browser sees it, with our own storage and backend."""

from __future__ import annotations

import datetime

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.services import users
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


def test_it_reads_session_and_person_once_each() -> None:
    client = Client()
    client.force_login(make_user())
    logged_in(client)
    with CaptureQueriesContext(connection) as asked:
        client.get("/api/v1/jobs")
    tables = [query["sql"].split(" FROM ")[1].split()[0] for query in asked if " FROM " in query["sql"]]
    assert tables.count('"django_session"') == tables.count('"accounts_user"') == 1
