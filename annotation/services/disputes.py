"""Items that people cannot settle among themselves, waiting for a reviewer."""

from __future__ import annotations

from collections.abc import Iterable

from annotation.models import Item, Review

_DISPUTE, _PENDING = Review.Kind.DISPUTE, Review.State.PENDING


def open_for(item: Item) -> Review:
    """The open dispute of an item; made if there is none."""
    review, _made = Review.objects.get_or_create(
        project_id=item.project_id, item=item, kind=_DISPUTE, state=_PENDING
    )
    return review


def withdraw(item_ids: Iterable[int]) -> None:
    """Close open disputes of items that are settled now, without a verdict."""
    open_ones = Review.objects.filter(item_id__in=list(item_ids), kind=_DISPUTE, state=_PENDING)
    open_ones.update(state=Review.State.WITHDRAWN)
