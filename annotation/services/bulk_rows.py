"""Many rows at once by plain `executemany`: a million model instances would cost more than the import's other
stations together.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection, models

Rows = Iterable[tuple[Any, ...]]


def uuids(count: int) -> list[str]:
    """Version 7 UUIDs in hex: 48 bits of time, then random ones, so that new rows stand at the end of their
    index.

    With random ones an import of a million rows would touch every page of it.
    """
    stamp = f"{time.time_ns() // 1_000_000:012x}7"
    random = os.urandom(10 * count).hex()
    return [
        f"{stamp}{random[at : at + 3]}{'89ab'[int(random[at + 3], 16) & 3]}{random[at + 4 : at + 19]}"
        for at in range(0, 20 * count, 20)
    ]


def take_ids(model: type[models.Model], count: int) -> Sequence[int]:
    """So many ids for new rows of a table, rising; nobody else is given them.

    The caller is in a transaction. On SQLite that one is the only writer, so the next ids are free; each must
    be used before ids are taken again.
    """
    table, column = model._meta.db_table, model._meta.pk.column
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
            first = (cursor.fetchone() or (0,))[0] + 1
            return range(first, first + count)
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)",
            [table, column, count],
        )
        return sorted(pk for (pk,) in cursor.fetchall())


def insert(model: type[models.Model], names: Sequence[str], rows: Rows, **same: Any) -> None:
    """Insert rows of database-ready values in the order of `names`; the id only where it is named.

    `same` are columns that have one value in all rows; those named nowhere get their field's default.
    """
    fields = {f.name: f for f in model._meta.concrete_fields if not f.primary_key or f.name in names}
    others = {
        name: same[name] if name in same else f.get_db_prep_save(f.get_default(), connection)
        for name, f in fields.items()
        if name not in names
    }
    assert same.keys() <= others.keys(), "a column is named twice, or the model has none of that name"
    quoted = ", ".join(connection.ops.quote_name(fields[name].column) for name in (*names, *others))
    marks = ", ".join(["%s"] * (len(names) + len(others)))
    rest = tuple(others.values())
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {connection.ops.quote_name(model._meta.db_table)} ({quoted}) VALUES ({marks})",
            [row + rest for row in rows],
        )
