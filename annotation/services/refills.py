"""Replacing what is still free of a batch by better picks, while people work on it.

The new slots are written beside the old ones, withdrawn and in short transactions, and then one transaction
switches: what is still free of the old ones is withdrawn, as many of the new ones become free, and what stays is
put between them. A slot that somebody holds, has done or has skipped, the control arm, second looks at looked-at
items, evaluation slots and what a person queued by hand keep their place in the batch.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from accounts.selectors.prepared import given, insert_many, prepared_update
from annotation.models import Batch, Item, Resolution, Slot
from annotation.services import batches
from annotation.services.archive import guard_writable
from annotation.services.batches import AT_ONCE, Pick, lock_ranks, next_rank

_FREE, _WITHDRAWN = Slot.State.FREE, Slot.State.WITHDRAWN
_SEEN = (Slot.State.LEASED, Slot.State.DONE, Slot.State.SKIPPED)


@dataclass(frozen=True, kw_only=True)
class Refilled:
    """What a refill has done, in items: `replaced` by others, `kept` at a new place in the order; and the
    seconds for which nobody else could write.
    """

    replaced: int
    kept: int
    switch_s: float


def replaceable(batch: Batch) -> QuerySet[Slot]:
    """Free slots that a refill may take back: picks of the strategy and their second looks, never the control
    arm.
    """
    control = Slot.objects.filter(batch=batch, item=OuterRef("item"), purpose=Slot.Purpose.CONTROL)
    return batches.outdated(batch.project).filter(batch=batch).exclude(Exists(control))


def refill(batch: Batch, picks: Sequence[Pick]) -> Refilled:
    """Let `picks`, best first, take the place of what is replaceable of the batch.

    A pick that is in the batch already keeps its slot and gets its new place. As many items are withdrawn as
    others take their place, however many people took meanwhile; a pick that somebody has looked at or decided
    meanwhile is left out.

    Raises:
        ProjectArchived: nothing may be written any more.
        ValueError: a picked row does not exist in this project.
    """
    guard_writable(batch.project)
    rows = [pick.row for pick in picks]
    ids = dict(Item.objects.filter(project=batch.project, row__in=rows).values_list("row", "pk"))
    if missing := [row for row in rows if row not in ids]:
        raise ValueError(f"row {missing[0]} is not in {batch.project}: pick among its items")
    old = set(replaceable(batch).values_list("item_id", flat=True))
    if not old:
        return Refilled(replaced=0, kept=0, switch_s=0.0)
    fresh = [pick for pick in picks if ids[pick.row] not in old]
    made = batches.with_second_looks(
        batch.project, [batches.slot_of(batch, ids[pick.row], pick) for pick in fresh]
    )
    for slot in made:
        slot.state = _WITHDRAWN
    for start in range(0, len(made), AT_ONCE):
        _lay_beside(batch, made[start : start + AT_ONCE])
    begun = time.monotonic()
    switched = _switch(batch, [ids[pick.row] for pick in picks], made)
    seconds = time.monotonic() - begun
    # What was not needed was never in anybody's queue: it is no fact worth keeping.
    for start in range(0, len(made), AT_ONCE):
        uuids = [slot.uuid for slot in made[start : start + AT_ONCE]]
        Slot.objects.filter(uuid__in=uuids, state=_WITHDRAWN, person=None).exclude(
            item_id__in=switched.gone
        ).delete()
    return Refilled(replaced=switched.replaced, kept=switched.kept, switch_s=round(seconds, 4))


@transaction.atomic
def _lay_beside(batch: Batch, slots: Sequence[Slot]) -> None:
    lock_ranks(batch.project)
    for rank, slot in enumerate(slots, next_rank(batch.project)):
        slot.rank = rank
    insert_many(slots)


@dataclass(frozen=True)
class _Switched:
    replaced: int
    kept: int
    gone: frozenset[int]  # items whose slots are out


@transaction.atomic
def _switch(batch: Batch, order: Sequence[int], made: Sequence[Slot]) -> _Switched:
    """The one moment. `order`: item ids of all picks, best first."""
    lock_ranks(batch.project)
    free = {slot.pk: slot.item_id for slot in _locked(replaceable(batch)).only("pk", "item")}
    taken = set(_looked_at(batch, [slot.item_id for slot in made]))
    picked = set(order)
    leaving = [item for item in dict.fromkeys(free.values()) if item not in picked]
    coming = [item for item in dict.fromkeys(slot.item_id for slot in made) if item not in taken][
        : len(leaving)
    ]
    leaving = _least_wanted(leaving, len(coming))
    out = [pk for pk, item in free.items() if item in set(leaving)]
    for start in range(0, len(out), AT_ONCE):
        Slot.objects.filter(pk__in=out[start : start + AT_ONCE]).update(state=_WITHDRAWN)
    staying = [item for item in dict.fromkeys(free.values()) if item not in set(leaving)]
    place = {item: number for number, item in enumerate(order)}
    wanted = sorted([*coming, *staying], key=lambda item: place.get(item, len(place)))
    _queue(batch, wanted, {slot.uuid for slot in made})
    return _Switched(len(coming), len(staying), frozenset(coming))


def _least_wanted(items: list[int], count: int) -> list[int]:
    """The last ones: what stands first in the queue was wanted most."""
    return items[len(items) - count :]


def _looked_at(batch: Batch, items: Sequence[int]) -> set[int]:
    """Those of `items` that are no longer for a first look: seen or decided meanwhile, or queued otherwise."""
    found: set[int] = set()
    for start in range(0, len(items), AT_ONCE):
        part = items[start : start + AT_ONCE]
        found |= set(
            Slot.objects.filter(item__in=part, state__in=[*_SEEN, _FREE]).values_list("item_id", flat=True)
        )
        found |= set(
            Resolution.objects.filter(item__in=part, is_current=True).values_list("item_id", flat=True)
        )
    return found


def _locked(slots: QuerySet[Slot]) -> QuerySet[Slot]:
    """In order of rank. Slots that somebody is taking at this moment are theirs."""
    if connection.features.has_select_for_update_skip_locked:
        slots = slots.select_for_update(of=("self",), skip_locked=True, no_key=True)
    return slots.order_by("rank")


def _queue(batch: Batch, items: Sequence[int], made: set[object]) -> None:
    """Give `items` new ranks at the end in this order; what else waits in the project is spread between."""
    by_item: dict[int, list[Slot]] = {item: [] for item in items}
    others: list[Slot] = []
    every = Slot.objects.filter(project=batch.project, is_by_hand=False).only("pk", "item", "state", "rank")
    found = [*_locked(every.filter(state=_FREE)), *every.filter(uuid__in=made).order_by("rank")]
    for slot in found:
        by_item.get(slot.item_id, others if slot.state == _FREE else []).append(slot)
    main = [slot for item in items for slot in by_item[item]]
    if not main:
        return
    for rank, slot in enumerate(batches.interleave(main, others), next_rank(batch.project)):
        _place().run(pk=slot.pk, rank=rank)


@prepared_update(rank=given("rank"), state=_FREE)
def _place() -> QuerySet[Slot]:
    return Slot.objects.filter(pk=given("pk"))
