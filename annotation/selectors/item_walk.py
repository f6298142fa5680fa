"""Finding the items of a page: along one index, with the other filters checked on the way.

Where a filter is rare (fewer than `FEW` items), all its items are looked at. Otherwise the walk goes along the
index of one filter, or along the sort's own, in growing chunks, and stops after so many items even where the
page is not full: it then says how far it came, and the next page goes on from there. So no page costs more
than that, however large the project is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import and_
from typing import Any

from django.db.models import Q

from annotation.models import Item, Project
from annotation.selectors.item_conditions import Condition, conditions
from annotation.selectors.item_filters import Filters
from annotation.selectors.item_orders import Order, from_token, order_of, to_token
from annotation.selectors.item_streams import Stream, of_ids, of_items, place, row_of

FEW = 2_000
MOST_EXAMINED = 30_000
LONGEST_CHUNK = 5_000


@dataclass
class Walked:
    """`ids` in the order asked for. `more`: there may be others behind. `examined` items were looked at;
    `stopped` is the token of the last of them where the walk ended early.
    """

    ids: list[int] = field(default_factory=list)
    tokens: dict[int, str] = field(default_factory=dict)  # by id; not for an order by row
    more: bool = False
    examined: int = 0
    stopped: str | None = None


@dataclass(frozen=True)
class _Chunk:
    """Candidates in order, each with its place or key; `end` is where the next chunk begins."""

    pairs: Sequence[tuple[int, Any]]
    end: Any
    count: int
    is_last: bool


def walk(
    project: Project,
    filters: Filters,
    sort: str,
    *,
    token: str | None,
    size: int,
    reverse: bool = False,
    most: int = MOST_EXAMINED,
) -> Walked:
    """The next `size` items behind a token (with `reverse` those before it, the nearest first)."""
    asked = conditions(project, filters)
    order = order_of(project, sort)
    if order is None:
        chunks = _by_row(project, asked, token, size, down=(sort == "-row") != reverse)
    else:
        chunks = _by_order(order, asked, token, size, reverse)
    walked = Walked()
    for chunk in chunks:
        walked.examined += chunk.count
        passed = _passing([pk for pk, _key in chunk.pairs], asked)
        for pk, key in chunk.pairs:
            if pk not in passed:
                continue
            if len(walked.ids) == size:
                walked.more = True
                return walked
            walked.ids.append(pk)
            if order is not None:
                walked.tokens[pk] = to_token(key)
        if not chunk.is_last and walked.examined >= most:
            walked.more = True
            walked.stopped = str(row_of(chunk.end)) if order is None else to_token(chunk.end)
            return walked
    return walked


def _by_row(
    project: Project, asked: list[Condition], token: str | None, size: int, *, down: bool
) -> Iterator[_Chunk]:
    at = place(project, int(token)) if token and token.isdecimal() and len(token) < 19 else None
    stream = _stream(project, asked)
    length = 2 * size + 2
    while True:
        found = stream(at, length, down)
        if not found:
            return
        at = found[-1]
        pairs = [(one.pk, one) for one in found if one.pk is not None]
        yield _Chunk(pairs, at, len(found), len(found) < length)
        if len(found) < length:
            return
        length = min(4 * length, max(LONGEST_CHUNK, size))


def _stream(project: Project, asked: list[Condition]) -> Stream:
    """Along the rarest condition: all its items where they are few, else the one whose first so many items reach
    furthest. Where no condition has a way, along the rows.
    """
    streams = [one.stream for one in asked if one.stream is not None]
    if len(streams) > 1 or any(one.few for one in asked):
        few = _few(asked)
        if few is not None:
            return of_ids(few)
    if len(streams) > 1:
        return max(streams, key=lambda stream: stream(None, FEW, False)[-1].pk or 0)
    return streams[0] if streams else of_items(Item.objects.filter(project=project))


def _few(asked: list[Condition]) -> list[int] | None:
    """All items that may pass one of the conditions, where they are few."""
    for one in asked:
        if one.few is not None:
            ids = one.few(FEW)
        elif one.stream is not None:
            ids = [found.pk for found in one.stream(None, FEW, False) if found.pk is not None]
        else:
            continue
        if len(ids) < FEW:
            return ids
    return None


def _by_order(
    order: Order, asked: list[Condition], token: str | None, size: int, reverse: bool
) -> Iterator[_Chunk]:
    key = from_token(token) if token else None
    few = _few(asked)
    if few is not None:
        known = order.among(few, key, reverse)
        yield _Chunk([(one.item, one.key) for one in order.current(known)], None, len(known), True)
        return
    length = 2 * size + 2
    while True:
        found = order.next(key, length, reverse)
        if not found:
            return
        key = found[-1].key
        pairs = [(one.item, one.key) for one in order.current(found)]
        yield _Chunk(pairs, key, len(found), len(found) < length)
        if len(found) < length:
            return
        length = min(4 * length, max(LONGEST_CHUNK, size))


def _passing(ids: Sequence[int], asked: list[Condition]) -> set[int]:
    """Those of the items that pass all conditions."""
    if not ids:
        return set()
    check = reduce(and_, (one.check for one in asked), Q())
    passed = set(Item.objects.filter(check, pk__in=ids).values_list("pk", flat=True))
    for one in asked:
        if one.verify is not None and passed:
            passed = one.verify(passed)
    return passed
