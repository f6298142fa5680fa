"""Items that people cannot settle among themselves, waiting for a reviewer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet

from accounts.selectors.prepared import given, prepared, prepared_update
from annotation.models import Item, Review

_DISPUTE, _PENDING = Review.Kind.DISPUTE, Review.State.PENDING


def open_for(item: Item) -> Review:
    """The open dispute of an item; made if there is none."""
    known = _open_one().first(item=item.pk)
    if known is not None:
        return known
    review, _made = Review.objects.get_or_create(
        project_id=item.project_id, item=item, kind=_DISPUTE, state=_PENDING
    )
    return review


def withdraw(item_ids: Iterable[int]) -> None:
    """Close open disputes of items that are settled now, without a verdict."""
    ids = list(item_ids)
    if len(ids) == 1:
        _withdraw_one().run(item=ids[0])
    elif ids:
        _open(ids).update(state=Review.State.WITHDRAWN)


def _open(item_ids: list[Any]) -> QuerySet[Review]:
    return Review.objects.filter(item__pk__in=item_ids, kind=_DISPUTE, state=_PENDING)


@prepared
def _open_one() -> QuerySet[Review]:
    return _open([given("item")])


@prepared_update(state=Review.State.WITHDRAWN)
def _withdraw_one() -> QuerySet[Review]:
    return _open([given("item")])
