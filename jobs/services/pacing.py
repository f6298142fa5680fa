"""Background work and the people it shares SQLite's one writer with."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection

LONGEST_PAUSE_S = 0.5
UNHURRIED_S = 0.01  # between two looks for the write lock
LONG_LOG_PAGES = 12_000  # some 50 MB
RESTART_PATIENCE_MS = 30  # somebody who reads for long must not keep all from writing


@dataclass
class Way:
    """Whether others were found writing: then the next block had better be a small one."""

    given: bool = False


@contextmanager
def giving_way(*, in_company: bool = False) -> Iterator[Way]:
    """Around one write transaction of a long piece of background work that writes one after another.

    If it had to wait for the write lock, people are at work, and so they are where the caller knows of them
    (`in_company`): then it leaves the database alone for as long as it held it, so that they have at least half
    of the time. It also looks for the lock ten times less often than they do, so that whoever of them waits has
    it first. Alone it goes at full speed. PostgreSQL has many writers and needs no such thing.
    """
    way = Way()
    if connection.vendor != "sqlite" or connection.in_atomic_block:  # no pause while the lock is held
        yield way
        return
    waited, began = connection.waited_s, time.monotonic()
    usual, connection.longest_pause_s = connection.longest_pause_s, UNHURRIED_S
    try:
        yield way
    finally:
        connection.longest_pause_s = usual
    waited = connection.waited_s - waited
    if waited > 0 or in_company:
        way.given = True
        time.sleep(min(LONGEST_PAUSE_S, max(0.0, time.monotonic() - began - waited)))


def copy_back() -> None:
    """Bring what SQLite's log has gathered into the database file: else the next answer of an annotator would,
    and with a long import behind it that takes a second. Waits for nobody.

    Under steady work the log grows all the same: it begins anew only when everything is copied, and something
    new is always there. Once it is long, the little that came meanwhile is copied while nobody writes.
    """
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        [[_busy, pages, _copied]] = cursor.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        if pages > LONG_LOG_PAGES:
            [[patience]] = cursor.execute("PRAGMA busy_timeout").fetchall()
            cursor.execute(f"PRAGMA busy_timeout = {RESTART_PATIENCE_MS}")
            try:
                cursor.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
            finally:
                cursor.execute(f"PRAGMA busy_timeout = {patience}")
