"""Handing out work. A slot is one person's one look at one item; a lease keeps it theirs for a while.

The walk starts at the person's cursor, the highest rank that they were handed, because what lies below was
theirs or is not for them (an overlap slot of an item they have seen). A slot that comes back gets a new rank
at the end, so no cursor has passed it. What a person puts first, or assigns, may lie below cursors: those are
moved back in the same transaction (services/ranks.py). A slot that is assigned to a person or a group is passed
over by everybody else.

Slots that measure a person (gold, qualification, self-consistency) are made while work is handed out and shown
like all others (services/hidden_checks.py). They never return to the queue: what is given back is withdrawn.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterable, Sequence

from django.db import connection, transaction
from django.db.models import (
    BooleanField,
    DateTimeField,
    Exists,
    ExpressionWrapper,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    UUIDField,
)
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.selectors.prepared import given, numbered, numbered_places, prepared, prepared_update
from annotation.errors import LabelRefused, SlotTaken, SlotUnknown
from annotation.models import Annotation, Cursor, Group, Project, Slot
from annotation.models.queue import LOWEST_RANK
from annotation.services import disputes, hidden_checks
from annotation.services.archive import guard_writable
from annotation.services.batches import lock_ranks, next_rank

MAXIMUM_HELD = 200  # slots one person may hold at once; a page holds three
MAXIMUM_SKIPS = 3  # so many skips of an item, and a reviewer looks at it instead
RELEASED_A_TICK = 1000
_FREE, _LEASED = Slot.State.FREE, Slot.State.LEASED
# Neither shown nor needed to store an answer: read when asked for.
_UNREAD = (
    *("created_at", "skip_reason", "item__row", "item__normalised", "item__content_hash"),
    *("item__normaliser_version", "item__duplicate_of", "item__cluster", "item__external_id"),
    *("item__prompt", "item__source", "item__import_run", "item__created_at"),
)


@transaction.atomic
def lease(project: Project, user: User, *, count: int = 3) -> list[Slot]:
    """The slots that `user` holds, topped up to `count` from the queue; each with its item.

    In order of rank, whether held before or new, so a page that is loaded again shows the same items: what is
    new may lie before what is held, where a late answer was taken back, or a slot below the cursor came free.
    A paused or archived project hands out nothing new. Cost: one indexed walk over the free slots after the
    person's cursor.
    """
    now = timezone.now()
    cursor = _cursor(project, user)
    mine = _held().all(project=project.pk, person=user.pk, now=now)
    missing = min(count, MAXIMUM_HELD) - len(mine)
    if missing <= 0 or not project.is_active:
        return mine[:count]
    fresh = _claim(project, user, cursor.rank, missing, now)
    if not fresh and cursor.rank > LOWEST_RANK:
        # Rare: a slot below the cursor was locked by somebody who then gave it up. Looked for only when
        # nothing is left.
        fresh = _claim(project, user, LOWEST_RANK, missing, now)
    if fresh and fresh[-1].rank > cursor.rank:
        _move_cursor().run(pk=cursor.pk, rank=fresh[-1].rank)
    both = mine + hidden_checks.mixed_in(project, user, cursor, fresh)
    return sorted(both, key=lambda slot: (slot.rank, slot.place))[:count]


def held(project: Project, user: User) -> QuerySet[Slot]:
    """All slots that `user` holds now, each with its item, in order of rank."""
    mine = Slot.objects.filter(project=project, person=user, state=_LEASED)
    living = mine.filter(lease_expires_at__gt=timezone.now())
    return living.select_related("item").order_by("rank", "place")


@transaction.atomic
def claim(project: Project, user: User, slots: Sequence[Slot]) -> list[Slot]:
    """Lease these slots, found by a walk over `free_slots`; those that somebody else has by now are left
    out. The cursor stays: what lies before them is for later.
    """
    _cursor(project, user)  # two windows of one person wait for each other
    free = free_slots(project.pk, user.pk, LOWEST_RANK).filter(pk__in=[slot.pk for slot in slots])
    if connection.features.has_select_for_update_skip_locked:
        free = free.select_for_update(of=("self",), skip_locked=True, no_key=True)
    room = max(0, MAXIMUM_HELD - held(project, user).count())
    still = list(free.select_related("item")[:room])
    expires = timezone.now() + datetime.timedelta(seconds=project.lease_seconds)
    Slot.objects.filter(pk__in=[slot.pk for slot in still], state=_FREE).update(
        state=_LEASED, person=user, lease_expires_at=expires
    )
    for slot in still:
        slot.state, slot.person, slot.lease_expires_at = _LEASED, user, expires
    return still


@prepared
def _held() -> QuerySet[Slot]:
    mine = Slot.objects.filter(project=given("project"), person=given("person"), state=_LEASED)
    living = mine.filter(lease_expires_at__gt=given("now", DateTimeField()))
    in_order = living.select_related("item").order_by("rank", "place")
    return in_order.defer(*_UNREAD)[:MAXIMUM_HELD]


def _cursor(project: Project, user: User) -> Cursor:
    """The person's cursor, held until the transaction ends: two windows of one person wait for each other."""
    cursor = _own_cursor().first(project=project.pk, person=user.pk)
    return cursor or _locked_cursors().get_or_create(project=project, person=user)[0]


def _locked_cursors() -> QuerySet[Cursor]:
    return Cursor.objects.select_for_update(of=("self",), no_key=True)


@prepared
def _own_cursor() -> QuerySet[Cursor]:
    return _locked_cursors().filter(project=given("project"), person=given("person"))


@prepared_update(rank=given("rank"))
def _move_cursor() -> QuerySet[Cursor]:
    return Cursor.objects.filter(pk=given("pk"))


def free_slots(project: object, person: object, after: object) -> QuerySet[Slot]:
    """Free slots behind rank `after` of items that `person` has not looked at, in order of rank: those for
    everybody, and those assigned to them or to a group of theirs.

    "Not looked at" is asked of each slot on the way by a value, not by EXISTS: PostgreSQL would turn that into a
    join with all that the person ever did, though the walk ends after a few slots.
    """
    seen = Slot.objects.filter(item=OuterRef("item"), person=person).order_by().values("pk")[:1]
    free = Slot.objects.filter(_open_to(person), project=project, state=_FREE, rank__gt=after)
    return free.alias(seen=Subquery(seen)).filter(seen=None).order_by("rank")


def _open_to(person: object) -> Q:
    groups = Group.members.through.objects.filter(user=person).values("group")
    return (
        Q(assigned_to__isnull=True, assigned_group__isnull=True)
        | Q(assigned_to=person)
        | Q(assigned_group__in=groups)
    )


@prepared
def _first_free(limit: int) -> QuerySet[Slot]:
    walk = free_slots(given("project"), given("person"), given("after"))
    said = Annotation.objects.filter(slot=OuterRef("pk")).order_by().values("pk")[:1]  # as in free_slots
    is_fresh = ExpressionWrapper(Q(said=None), output_field=BooleanField())
    free = walk.alias(said=Subquery(said)).annotate(is_fresh=is_fresh)
    free = free.select_related("item").defer(*_UNREAD)
    if connection.features.has_select_for_update_skip_locked:
        free = free.select_for_update(of=("self",), skip_locked=True, no_key=True)
    return free[:limit]


def _claim(project: Project, user: User, after: int, count: int, now: datetime.datetime) -> list[Slot]:
    chosen: dict[int, Slot] = {}
    # twice as many, since an item and its second look may stand side by side
    for slot in _first_free(2 * count).all(project=project.pk, person=user.pk, after=after):
        if len(chosen) < count:
            chosen.setdefault(slot.item_id, slot)
    slots = list(chosen.values())
    expires = now + datetime.timedelta(seconds=project.lease_seconds)
    if slots:
        ids = numbered(slot.pk for slot in slots)
        _lease_free(len(slots)).run(person=user.pk, expires=expires, **ids)
    for slot in slots:
        slot.state, slot.person, slot.lease_expires_at = _LEASED, user, expires
    return slots


@prepared_update(state=_LEASED, person=given("person"), lease_expires_at=given("expires", DateTimeField()))
def _lease_free(count: int) -> QuerySet[Slot]:
    return Slot.objects.filter(pk__in=numbered_places(count), state=_FREE)


def renew(project: Project, user: User, slot_uuids: Iterable[uuid.UUID]) -> list[Slot]:
    """Extend one's leases; those that are still one's own come back, with their new end."""
    mine = Slot.objects.filter(project=project, person=user, state=_LEASED, uuid__in=list(slot_uuids))
    mine.update(lease_expires_at=timezone.now() + datetime.timedelta(seconds=project.lease_seconds))
    return list(mine.order_by("rank"))


@transaction.atomic
def release(project: Project, user: User, slot_uuids: Iterable[uuid.UUID]) -> int:
    """Give held slots back; the number that were one's own."""
    mine = Slot.objects.filter(project=project, person=user, state=_LEASED, uuid__in=list(slot_uuids))
    return _free(project, list(mine.values_list("pk", flat=True)))


def release_expired() -> int:
    """Free every slot whose lease has run out; how many. Called by the tick; safe to call at any time."""
    gone = Slot.objects.filter(state=_LEASED, lease_expires_at__lte=timezone.now())
    freed = 0
    for project in Project.objects.filter(pk__in=gone.values("project").distinct()):
        with transaction.atomic():
            freed += _free(
                project, list(gone.filter(project=project).values_list("pk", flat=True)[:RELEASED_A_TICK])
            )
    return freed


def _free(project: Project, slot_ids: list[int]) -> int:
    """Put leased slots at the end of the queue, one by one, since each needs a rank of its own. Those made to
    measure a person are withdrawn instead."""
    lock_ranks(project)
    freed = hidden_checks.withdraw(slot_ids)
    rank = next_rank(project)
    for pk in slot_ids:
        freed += Slot.objects.filter(pk=pk, state=_LEASED).update(
            state=_FREE, person=None, lease_expires_at=None, rank=rank + freed
        )
    return freed


@transaction.atomic
def skip(project: Project, user: User, slot_uuid: uuid.UUID, reason: str) -> Slot:
    """Pass an item on, with a reason. The look stays as a fact; a fresh slot goes to somebody else.

    After `MAXIMUM_SKIPS` skips the item goes to a reviewer instead. Skipping the same slot again changes
    nothing.

    Raises:
        SlotUnknown, SlotTaken: as `take`.
        LabelRefused: no reason was given.
    """
    guard_writable(project)
    reason = " ".join(reason.split())
    if not reason:
        raise LabelRefused(_("A skip needs a reason: choose one, or write a few words."))
    lock_ranks(project)  # before the slot, as everywhere
    slot = take(project, user, slot_uuid)
    if slot.state == Slot.State.SKIPPED:
        return slot
    if slot.state == Slot.State.DONE:
        raise SlotTaken(_("You have labelled this item already: undo that first, then skip it."))
    slot.state, slot.skip_reason, slot.done_at = Slot.State.SKIPPED, reason[:300], timezone.now()
    slot.lease_expires_at = None
    slot.save(update_fields=["state", "skip_reason", "done_at", "lease_expires_at"])
    if slot.is_measuring:
        return slot
    skips = Slot.objects.filter(item=slot.item_id, state=Slot.State.SKIPPED)
    if skips.exclude(purpose__in=Slot.MEASURING).count() >= MAXIMUM_SKIPS:
        disputes.open_for(slot.item)
        return slot
    Slot.objects.create(
        project=project,
        batch_id=slot.batch_id,
        item_id=slot.item_id,
        purpose=slot.purpose,
        rank=next_rank(project),
        design=slot.design,
        inclusion_probability=slot.inclusion_probability,
        explanation=slot.explanation,
        # Assigned to a person: they have had their look. To a group: somebody else of it has the next one.
        assigned_group_id=slot.assigned_group_id,
        is_by_hand=slot.is_by_hand,
    )
    return slot


def take(project: Project, user: User, slot_uuid: uuid.UUID, *, value: object = None) -> Slot:
    """The slot, locked with its item, where it is `user`'s to act on: leased to them (even if the time is
    up), done or skipped by them, or free again with the item still unseen by them, when it becomes theirs.
    One that was made to measure them and was given back is theirs alone.

    Raises:
        SlotUnknown: no such slot in this project.
        SlotTaken: somebody else has it, or it was withdrawn; `value` is kept in the details.
    """
    slot = _locked_slot().first(project=project.pk, uuid=slot_uuid)
    if slot is None:
        raise SlotUnknown(_("This item is not in the queue of this project: load the page again."))
    if slot.person_id == user.pk:
        return slot
    if (slot.state == _FREE and _is_open_to(slot, user)) or hidden_checks.may_return(slot, user):
        expires = timezone.now() + datetime.timedelta(seconds=project.lease_seconds)
        slot.state, slot.person, slot.lease_expires_at = _LEASED, user, expires
        slot.save(update_fields=["state", "person", "lease_expires_at"])
        return slot
    raise SlotTaken(
        _(
            "Your time for this item ran out and it has gone to somebody else: this answer was not stored. "
            "Go on with the next one."
        ),
        details={"value": value},
    )


@prepared
def _locked_slot() -> QuerySet[Slot]:
    locked = Slot.objects.select_for_update(of=("self", "item"), no_key=True).select_related("item")
    return locked.filter(project=given("project"), uuid=given("uuid", UUIDField())).defer(*_UNREAD)


def _is_open_to(slot: Slot, user: User) -> bool:
    """Whether the walk over the free slots would hand this one to the person."""
    seen = Slot.objects.filter(item=slot.item_id, person=user)
    return Slot.objects.filter(_open_to(user), pk=slot.pk).exclude(Exists(seen)).exists()
