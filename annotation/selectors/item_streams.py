"""Ways along the items of a project in order of row, each along one index.

Ids rise with rows, so a table with an index on (something, item) is such a way. A stream is asked for the next
so many places behind (or before) a place; what it costs does not depend on how far along that is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from django.db.models import QuerySet

from annotation.intake.words import Term
from annotation.models import Item, Project
from annotation.selectors import search_text


class Place(NamedTuple):
    """An item's place. Streams of items know the row, others the id; the place that one begins at has both."""

    pk: int | None
    row: int | None


Stream = Callable[[Place | None, int, bool], list[Place]]


def place(project: Project, row: int) -> Place | None:
    """The place of a row; of the last item where there is none of that row, None before the first one."""
    before = Item.objects.filter(project=project, row__lte=row).order_by("-row")
    pk = before.values_list("pk", flat=True).first()
    return None if pk is None else Place(pk, row)


def row_of(at: Place) -> int:
    if at.row is not None:
        return at.row
    return Item.objects.values_list("row", flat=True).get(pk=at.pk)


def of_items(items: QuerySet[Item]) -> Stream:
    """Items that an index (project, ..., row) leads to."""

    def walk(at: Place | None, size: int, reverse: bool) -> list[Place]:
        found = items
        if at is not None:
            found = found.filter(**{"row__lt" if reverse else "row__gt": row_of(at)})
        pairs = found.order_by("-row" if reverse else "row").values_list("pk", "row")
        return [Place(pk, row) for pk, row in pairs[:size]]

    return walk


def by_item(rows: QuerySet[Any]) -> Stream:
    """Items that the rows of another table name in their column `item`, each once."""

    def walk(at: Place | None, size: int, reverse: bool) -> list[Place]:
        found = rows
        if at is not None:
            found = found.filter(**{"item__lt" if reverse else "item__gt": at.pk})
        ids = found.order_by("-item_id" if reverse else "item_id").values_list("item_id", flat=True)
        return [Place(pk, None) for pk in ids.distinct()[:size]]

    return walk


def of_text(project: Project, wanted: list[Term]) -> Stream:
    """Items in whose text all terms stand, as far as the search index is."""

    def walk(at: Place | None, size: int, reverse: bool) -> list[Place]:
        after = at.pk if at is not None else None
        found = search_text.matching(project.pk, wanted, after=after, size=size, reverse=reverse)
        return [Place(pk, None) for pk in found]

    return walk


def of_ids(ids: Iterable[int]) -> Stream:
    """These items."""
    rising = sorted(set(ids))

    def walk(at: Place | None, size: int, reverse: bool) -> list[Place]:
        known = at.pk if at is not None else None
        if reverse:
            left = [pk for pk in reversed(rising) if known is None or pk < known]
        else:
            left = [pk for pk in rising if known is None or pk > known]
        return [Place(pk, None) for pk in left[:size]]

    return walk


def merged(first: Stream, second: Stream) -> Stream:
    """Both, in order, each item once; for streams that know ids."""

    def walk(at: Place | None, size: int, reverse: bool) -> list[Place]:
        ids = {one.pk for stream in (first, second) for one in stream(at, size, reverse)}
        ordered = sorted((pk for pk in ids if pk is not None), reverse=reverse)
        return [Place(pk, None) for pk in ordered[:size]]

    return walk
