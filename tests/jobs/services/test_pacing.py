"""Background work that gives way on SQLite, and its log that is copied back."""

from __future__ import annotations

import sqlite3
import threading
import time

import pytest
from django.db import connection, transaction

from accounts.models import User
from jobs.services import pacing
from tests.factories import make_user

pytestmark = pytest.mark.django_db(transaction=True)
only_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has many writers")


def write() -> None:
    with transaction.atomic():
        User.objects.update(first_name="seen")


@pytest.fixture
def pauses(monkeypatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(pacing.time, "sleep", found.append)
    return found


def test_alone_it_does_not_pause(pauses) -> None:
    with pacing.giving_way() as way:
        write()
    assert (way.given, pauses) == (False, [])


@only_sqlite
def test_it_pauses_as_long_as_it_held_the_lock_where_others_write(monkeypatch) -> None:
    make_user()
    held, go_on = threading.Event(), threading.Event()

    def others() -> None:
        with transaction.atomic():
            held.set()
            go_on.wait(10)
        connection.close()

    other = threading.Thread(target=others)
    other.start()
    assert held.wait(10)
    threading.Timer(0.1, go_on.set).start()
    found: list[float] = []
    with pacing.giving_way() as way:
        write()
        time.sleep(0.05)
        monkeypatch.setattr(pacing.time, "sleep", found.append)
    other.join()
    assert way.given
    [pause] = found
    assert 0.05 <= pause <= pacing.LONGEST_PAUSE_S


@only_sqlite
def test_it_pauses_where_the_caller_knows_of_people(pauses) -> None:
    with pacing.giving_way(in_company=True) as way:
        write()
    assert way.given
    assert len(pauses) == 1


@only_sqlite
def test_it_never_pauses_while_it_holds_the_lock(pauses) -> None:
    with transaction.atomic(), pacing.giving_way(in_company=True):
        User.objects.update(first_name="seen")
    assert pauses == []


@only_sqlite
def test_it_looks_for_the_lock_less_often_than_people_do() -> None:
    usual = connection.longest_pause_s
    with pytest.raises(ZeroDivisionError), pacing.giving_way():
        assert connection.longest_pause_s == pacing.UNHURRIED_S > usual
        raise ZeroDivisionError
    assert connection.longest_pause_s == usual


@only_sqlite
def test_a_long_log_begins_anew(monkeypatch) -> None:
    monkeypatch.setattr(pacing, "LONG_LOG_PAGES", 0)
    make_user()
    with connection.cursor() as cursor:
        before = cursor.execute("PRAGMA busy_timeout").fetchall()
        pacing.copy_back()
        assert cursor.execute("PRAGMA busy_timeout").fetchall() == before
        write()
        _busy, pages, _copied = cursor.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    assert pages < 10, "only what was written since"


def test_an_error_inside_is_not_swallowed(pauses) -> None:
    with pytest.raises(ZeroDivisionError), pacing.giving_way():
        raise ZeroDivisionError
    assert pauses == []


@only_sqlite
def test_the_log_is_copied_into_the_file() -> None:
    make_user(username="copied")
    pacing.copy_back()
    path = connection.settings_dict["NAME"]
    # read as if there were no log
    other = sqlite3.connect(f"file:{path}?immutable=1", uri=True)
    names = [row[0] for row in other.execute("SELECT username FROM accounts_user")]
    other.close()
    assert "copied" in names
