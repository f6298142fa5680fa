"""Background work and the people it shares SQLite's one writer with."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection

LONGEST_PAUSE_S = 0.5


@dataclass
class Way:
    """Whether others were found writing: then the next block had better be a small one."""

    given: bool = False


@contextmanager
def giving_way() -> Iterator[Way]:
    """Around one write transaction of a long piece of background work that writes one after another.

    If it had to wait for the write lock, people are at work: then it leaves the database alone for as long as it
    held it, so that they have at least half of the time. Alone it goes at full speed. PostgreSQL has many
    writers and needs no such thing.
    """
    way = Way()
    waited, began = _waited(), time.monotonic()
    yield way
    waited = _waited() - waited
    if waited > 0:
        way.given = True
        time.sleep(min(LONGEST_PAUSE_S, max(0.0, time.monotonic() - began - waited)))


def _waited() -> float:
    return float(getattr(connection, "waited_s", 0.0))


def copy_back() -> None:
    """Bring what SQLite's log has gathered into the database file: else the next answer of an annotator would,
    and with a long import behind it that takes a second. Waits for nobody.
    """
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
