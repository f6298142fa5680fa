"""The items of a project as a table, page by page: filtered, sorted, with what is known of each.

Pages follow a key of an index, so page 10,000 costs what the first does; nothing is counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from annotation.models import Item, Project
from annotation.selectors.item_filters import Filters
from annotation.selectors.item_rows import ItemRow, described
from annotation.selectors.item_walk import MOST_EXAMINED, walk

PAGE = 50
MOST_SELECTED = 10_000  # items that one action may take together
MOST_EXAMINED_TO_SELECT = 300_000


@dataclass(frozen=True)
class Page:
    """`before` and `after` are tokens to go on from; None at an end. `stopped`: so many items were looked at
    and the page is not full; there may be more behind `after`.
    """

    rows: list[ItemRow]
    before: str | None
    after: str | None
    stopped: int | None = None


@dataclass(frozen=True)
class Selection:
    """Items by id, in order. `is_whole`: all that match are in it."""

    ids: list[int]
    is_whole: bool


def page(
    project: Project,
    filters: Filters,
    *,
    sort: str = "row",
    after: str | None = None,
    before: str | None = None,
    size: int = PAGE,
    most: int = MOST_EXAMINED,
) -> Page:
    """The items behind the token `after` (or before the token `before`, the last `size` of them)."""
    reverse = before is not None
    token = before if reverse else after
    walked = walk(project, filters, sort, token=token, size=size, reverse=reverse, most=most)
    ids = walked.ids[::-1] if reverse else walked.ids
    rows = described(project, ids)
    tokens = [walked.tokens.get(row.pk, str(row.row)) for row in rows]
    first, last = (tokens[0], tokens[-1]) if tokens else (token, token)
    if reverse:
        return Page(
            rows=rows,
            before=(walked.stopped or first) if walked.more else None,
            after=last,
            stopped=walked.examined if walked.stopped else None,
        )
    return Page(
        rows=rows,
        before=first if token is not None else None,
        after=(walked.stopped or last) if walked.more else None,
        stopped=walked.examined if walked.stopped else None,
    )


def select(project: Project, filters: Filters, *, most: int = MOST_SELECTED) -> Selection:
    """All items that match, up to so many, by row."""
    walked = walk(project, filters, "row", token=None, size=most, most=max(most, MOST_EXAMINED_TO_SELECT))
    return Selection(ids=walked.ids, is_whole=not walked.more)


def neighbours(project: Project, filters: Filters, sort: str, token: str) -> tuple[int | None, int | None]:
    """Rows of the items just before and just behind a token, among those that match."""
    found = []
    for reverse in (True, False):
        ids = walk(project, filters, sort, token=token, size=1, reverse=reverse).ids
        found.append(Item.objects.values_list("row", flat=True).get(pk=ids[0]) if ids else None)
    return found[0], found[1]


def by_rows(project: Project, rows: Iterable[int]) -> list[int]:
    """Ids of items by their rows, in order; unknown ones are left out."""
    found = Item.objects.filter(project=project, row__in=list(rows)).order_by("row")
    return list(found.values_list("pk", flat=True))


def uuids(item_ids: Iterable[int]) -> dict[int, UUID]:
    """Public names of items, by id."""
    return dict(Item.objects.filter(pk__in=list(item_ids)).values_list("pk", "uuid"))


def ids(project: Project, wanted: Iterable[UUID]) -> dict[UUID, int]:
    """Ids by public name, of those that are in the project."""
    return dict(Item.objects.filter(project=project, uuid__in=list(wanted)).values_list("uuid", "pk"))
