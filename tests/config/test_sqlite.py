"""Waiting for SQLite's write lock: looked for each millisecond, given up at the timeout."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import OperationalError, connection, transaction

from accounts.models import User
from config.sqlite.base import with_question_marks
from tests.factories import make_user

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL has no such lock"),
]


@pytest.fixture
def holder():
    """Start a thread that holds the write lock for so many seconds."""
    threads: list[threading.Thread] = []

    def hold(seconds: float) -> list[float]:
        held, released = threading.Event(), []

        def write() -> None:
            with transaction.atomic():
                held.set()
                time.sleep(seconds)
                released.append(time.perf_counter())
            connection.close()

        threads.append(threading.Thread(target=write))
        threads[-1].start()
        assert held.wait(10)
        return released

    yield hold
    for thread in threads:
        thread.join()


def test_it_begins_soon_after_the_lock_is_free(holder) -> None:
    make_user()
    waits = []
    for _turn in range(5):
        released = holder(0.15)
        with transaction.atomic():
            waits.append(time.perf_counter() - released[0])
    # SQLite's own waiting looks again after 1, 2, 5, 10, 15, 20, 25, 25, 25, 50 ms: after 150 ms it is asleep
    assert sorted(waits)[1] < 0.02


def test_it_gives_up_at_the_timeout(holder, monkeypatch) -> None:
    connection.ensure_connection()
    monkeypatch.setattr(connection, "patience_s", 0.1)
    holder(0.6)
    started = time.perf_counter()
    with pytest.raises(OperationalError, match="locked"), transaction.atomic():
        pass
    assert 0.1 <= time.perf_counter() - started < 0.5


def test_it_still_waits_for_a_statement_outside_a_transaction(holder) -> None:
    user = make_user()
    holder(0.1)
    assert User.objects.filter(pk=user.pk).update(first_name="Ana") == 1


def test_a_statement_is_turned_into_sqlites_form_once() -> None:
    with_question_marks.cache_clear()
    for number in (1, 2):
        with connection.cursor() as cursor:
            cursor.execute("SELECT %s, '100 %%'", [number])
            assert cursor.fetchone() == (number, "100 %")
    assert with_question_marks.cache_info()[:2] == (1, 1), "one hit, one miss"


def test_named_values_still_work() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %(word)s", {"word": "here"})
        assert cursor.fetchone() == ("here",)
