"""Replacing what is still free of a batch by better picks, while people work on it.

The new slots are written beside the old ones, withdrawn. Then they are switched in by a few hundred, best first,
each time in one short transaction: as many become free as old ones are withdrawn, and the batch keeps its size.
A slot that somebody holds, has done or has skipped, the control arm, second looks at looked-at items,
evaluation slots and what a person queued by hand stay.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, QuerySet

from accounts.selectors.prepared import given, insert_many, prepared_update
from annotation.models import Batch, Item, Resolution, Slot
from annotation.services import batches
from annotation.services.archive import guard_writable
from annotation.services.batches import Pick, lock_ranks, next_rank

AT_ONCE = 200  # items a switch, each of which looks at the whole batch
_FREE, _WITHDRAWN = Slot.State.FREE, Slot.State.WITHDRAWN
_SEEN = (Slot.State.LEASED, Slot.State.DONE, Slot.State.SKIPPED)


@dataclass(frozen=True, kw_only=True)
class Refilled:
    """What a refill has done, in items: `replaced` by others, `kept` at a new place in the order; and the
    seconds of the longest transaction, for which nobody else could write.
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
    meanwhile is left out. Of picks, and of what waits beside them, a transaction moves at most `AT_ONCE`.

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
    order, by_item = [ids[pick.row] for pick in picks], _uuids(made)
    others = _others(batch, old)
    turns = math.ceil(max(len(order), len(others)) / AT_ONCE)
    gone: set[int] = set()
    kept, longest = 0, 0.0
    for turn in range(turns):
        group, between = _share(order, turn, turns), _share(others, turn, turns)
        begun = time.monotonic()
        coming, staying = _switch(batch, group, set(order), by_item, between)
        longest = max(longest, time.monotonic() - begun)
        gone |= set(coming)
        kept += len(staying)
    kept += _put_behind(batch, set(order))
    # What was not needed was never in anybody's queue: it is no fact worth keeping.
    for start in range(0, len(made), AT_ONCE):
        uuids = [slot.uuid for slot in made[start : start + AT_ONCE]]
        Slot.objects.filter(uuid__in=uuids, state=_WITHDRAWN, person=None).exclude(item_id__in=gone).delete()
    return Refilled(replaced=len(gone), kept=kept, switch_s=round(longest, 4))


@transaction.atomic
def _lay_beside(batch: Batch, slots: Sequence[Slot]) -> None:
    lock_ranks(batch.project)
    for rank, slot in enumerate(slots, next_rank(batch.project)):
        slot.rank = rank
    insert_many(slots)


def _uuids(made: Sequence[Slot]) -> dict[int, list[UUID]]:
    """The new slots of each item."""
    found: dict[int, list[UUID]] = {}
    for slot in made:
        found.setdefault(slot.item_id, []).append(slot.uuid)
    return found


def _others(batch: Batch, old: set[int]) -> list[int]:
    """What else waits in the project and is not there by hand, in order of rank."""
    free = Slot.objects.filter(project=batch.project, state=_FREE, is_by_hand=False).order_by("rank")
    return [pk for pk, item in free.values_list("pk", "item_id") if item not in old]


def _share(items: Sequence[int], turn: int, turns: int) -> Sequence[int]:
    """What one of so many turns takes of a list: even parts, in order."""
    return items[len(items) * turn // turns : len(items) * (turn + 1) // turns]


@transaction.atomic
def _switch(
    batch: Batch,
    group: Sequence[int],
    picked: set[int],
    made: Mapping[int, list[UUID]],
    others: Sequence[int],
) -> tuple[list[int], list[int]]:
    """One moment: the items that come in, and those that get a new place. `group`: item ids, best first."""
    lock_ranks(batch.project)
    free = {slot.pk: slot.item_id for slot in _locked(replaceable(batch)).only("pk", "item")}
    taken = _looked_at([item for item in group if item in made])
    leaving = [item for item in dict.fromkeys(free.values()) if item not in picked]
    coming = [item for item in group if item in made and item not in taken][: len(leaving)]
    out = set(_least_wanted(leaving, len(coming)))
    Slot.objects.filter(pk__in=[pk for pk, item in free.items() if item in out]).update(state=_WITHDRAWN)
    held = set(free.values())
    staying = [item for item in group if item in held]
    place = {*coming, *staying}
    uuids = [uuid for item in coming for uuid in made[item]]
    _queue(batch, [item for item in group if item in place], uuids, others)
    return coming, staying


def _put_behind(batch: Batch, picked: set[int]) -> int:
    """Queue what stays without having been picked again behind the picks, in its order; how many items."""
    every = replaceable(batch).order_by("rank").values_list("item_id", flat=True)
    rest = [item for item in dict.fromkeys(every) if item not in picked]
    for start in range(0, len(rest), AT_ONCE):
        with transaction.atomic():
            lock_ranks(batch.project)
            _queue(batch, rest[start : start + AT_ONCE], [], [])
    return len(rest)


def _least_wanted(items: list[int], count: int) -> list[int]:
    """The last ones: what stands first in the queue was wanted most."""
    return items[len(items) - count :]


def _looked_at(items: Sequence[int]) -> set[int]:
    """Those of `items` that are no longer for a first look: seen or decided meanwhile, or queued otherwise."""
    slots = Slot.objects.filter(item__in=items, state__in=[*_SEEN, _FREE])
    decided = Resolution.objects.filter(item__in=items, is_current=True)
    return {*slots.values_list("item_id", flat=True), *decided.values_list("item_id", flat=True)}


def _locked(slots: QuerySet[Slot]) -> QuerySet[Slot]:
    """In order of rank. Slots that somebody is taking at this moment are theirs."""
    if connection.features.has_select_for_update_skip_locked:
        slots = slots.select_for_update(of=("self",), skip_locked=True, no_key=True)
    return slots.order_by("rank")


def _queue(batch: Batch, items: Sequence[int], made: Sequence[UUID], others: Sequence[int]) -> None:
    """Give `items` new ranks at the end in this order, with the slots `others` spread between them."""
    every = Slot.objects.filter(project=batch.project, is_by_hand=False).only("pk", "item", "state", "rank")
    free = _locked(every.filter(state=_FREE, item__in=items))
    by_item: dict[int, list[Slot]] = {item: [] for item in items}
    for slot in [*free, *every.filter(uuid__in=made).order_by("rank")]:
        by_item[slot.item_id].append(slot)
    main = [slot for item in items for slot in by_item[item]]
    between = list(_locked(every.filter(state=_FREE, pk__in=others))) if others else []
    for rank, slot in enumerate(batches.interleave(main, between), next_rank(batch.project)):
        _place().run(pk=slot.pk, rank=rank)


@prepared_update(rank=given("rank"), state=_FREE)
def _place() -> QuerySet[Slot]:
    return Slot.objects.filter(pk=given("pk"))
