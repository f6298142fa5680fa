"""The table that texts are searched in. No model describes it: each database has its own kind.

SQLite: FTS5, whose words are ours, cut by `intake.words` and joined by spaces. PostgreSQL: a tsvector written
word by word, so that no parser or dictionary of the server has a say. A row's key is the project's id in the
high bits and the item's in the low ones: a project is one range of keys, in order of row.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from annotation.intake.words import Term

TABLE = "annotation_searchtext"
_ITEM_BITS = 40


def key(project_id: int, item_id: int) -> int:
    return (project_id << _ITEM_BITS) | item_id


def is_there() -> bool:
    """Whether the table exists; a restored database may lack it."""
    return TABLE in _names()


def _names() -> list[str]:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name FROM sqlite_master WHERE name = %s", [TABLE])
        else:
            cursor.execute("SELECT relname FROM pg_class WHERE oid = to_regclass(%s)", [TABLE])
        return [name for (name,) in cursor.fetchall()]


def is_empty() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {TABLE} LIMIT 1")
        return cursor.fetchone() is None


def matching(
    project_id: int, wanted: Sequence[Term], *, after: int | None, size: int, reverse: bool = False
) -> list[int]:
    """Ids of up to `size` items in which all terms stand, those behind item `after` in rising order of id (or
    those before it in falling order).

    One walk along the words' own lists: what is passed over is never read.
    """
    if not wanted:
        return []
    first, last = key(project_id, 0), key(project_id + 1, 0) - 1
    if after is not None and reverse:
        last = min(last, key(project_id, after) - 1)
    elif after is not None:
        first = max(first, key(project_id, after) + 1)
    direction = "DESC" if reverse else "ASC"
    if connection.vendor == "sqlite":
        column, condition, query = "rowid", f"{TABLE} MATCH %s", _fts5(wanted)
    else:
        column, condition, query = "key", "words @@ %s::tsquery", _tsquery(wanted)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {column} FROM {TABLE} WHERE {condition} AND {column} BETWEEN %s AND %s "
            f"ORDER BY {column} {direction} LIMIT %s",
            [query, first, last, size],
        )
        return [found - key(project_id, 0) for (found,) in cursor.fetchall()]


def _fts5(wanted: Sequence[Term]) -> str:
    """Words hold letters, digits and marks only, so the quotes can never be left."""
    return " AND ".join(f'"{" ".join(term.words)}"{" *" * term.is_beginning}' for term in wanted)


def _tsquery(wanted: Sequence[Term]) -> str:
    return " & ".join(
        "(" + " <-> ".join(f"'{word}'" for word in term.words) + (":*" if term.is_beginning else "") + ")"
        for term in wanted
    )
