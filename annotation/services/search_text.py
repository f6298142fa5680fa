"""Writing the table that texts are searched in: see selectors/search_text.py for what it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module

from django.db import connection

from annotation.intake.words import words
from annotation.selectors.search_text import TABLE, key

Cut = tuple[int, str]  # item id, its words as the database takes them


def create() -> None:
    """Make the table anew, as the migration that made it first."""
    statements = import_module("annotation.migrations.0004_search_text").CREATE[connection.vendor]
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def cut(normalised: str) -> str:
    """The words of a text as the database takes them; empty where there are none."""
    found = words(normalised)
    if connection.vendor == "sqlite":
        return " ".join(found)
    places: dict[str, list[int]] = {}
    for place, word in enumerate(found, 1):
        places.setdefault(word, []).append(place)
    # PostgreSQL keeps 256 places of a word at most
    return " ".join(f"'{word}':{','.join(map(str, at[:255]))}" for word, at in places.items())


def store(project_id: int, texts: Sequence[Cut]) -> None:
    """Put texts in, over what stood there of the same items."""
    if connection.vendor == "sqlite":
        statement = f"INSERT OR REPLACE INTO {TABLE} (rowid, words) VALUES (%s, %s)"
    else:
        statement = (
            f"INSERT INTO {TABLE} (key, words) VALUES (%s, %s::tsvector) "
            "ON CONFLICT (key) DO UPDATE SET words = excluded.words"
        )
    with connection.cursor() as cursor:
        cursor.executemany(statement, [(key(project_id, item_id), text) for item_id, text in texts])


def remove(project_id: int, item_ids: Iterable[int]) -> None:
    column = "rowid" if connection.vendor == "sqlite" else "key"
    with connection.cursor() as cursor:
        cursor.executemany(
            f"DELETE FROM {TABLE} WHERE {column} = %s", [(key(project_id, item_id),) for item_id in item_ids]
        )


def clear(project_id: int) -> None:
    """Take a whole project out."""
    column = "rowid" if connection.vendor == "sqlite" else "key"
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM {TABLE} WHERE {column} BETWEEN %s AND %s",
            [key(project_id, 0), key(project_id + 1, 0) - 1],
        )
