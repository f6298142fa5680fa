"""Slots that measure the person and decide nothing: gold, qualification and self-consistency items.

They are made while work is handed out, each behind an ordinary slot, and nothing tells them apart: the same
payload, the lease and rank of the slot before, an explanation lent from its batch. What is drawn depends on the
person and that slot alone, by hash, so a page that is loaded again draws nothing anew, and whoever does not know
the project's seed cannot foresee it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef

from accounts.models import User
from annotation.models import Cursor, GoldItem, Item, Project, Review, Slot
from annotation.quality.spot_checks import is_drawn

SELF_AFTER = 20  # own answers between an answer and being asked the same again
SELF_AMONG = 200  # the answers behind those, of which one is asked again
QUALIFICATION_SHARE = 0.5  # of a newcomer's slots bring a qualification item, until there were enough
LENDERS = 50
_PURPOSE, _STATE = Slot.Purpose, Slot.State


def mixed_in(project: Project, user: User, cursor: Cursor, fresh: Sequence[Slot]) -> list[Slot]:
    """The slots just leased, in order, each followed by the one that is drawn with it, if any: at most one.

    No query where nothing is drawn; a few for each slot that is. The caller holds the person's cursor.
    """
    found: list[Slot] = []
    for slot in fresh:
        found.append(slot)
        purpose, item = _drawn(project, user, cursor, slot)
        made = _made(slot, user, purpose, item) if item is not None else None
        if made is not None:
            found.append(made)
    return found


def _drawn(project: Project, user: User, cursor: Cursor, slot: Slot) -> tuple[str, Item | None]:
    def lucky(purpose: str, share: float) -> bool:
        return share > 0 and is_drawn(f"{user.uuid} {slot.uuid}", share, salt=f"{purpose} {project.seed}")

    wanted = project.qualification_items if not cursor.is_qualified else 0
    if wanted and lucky(_PURPOSE.QUALIFICATION, QUALIFICATION_SHARE) and _is_new(project, user, cursor):
        item = _known_answer(project, user, GoldItem.Kind.QUALIFICATION)
        if item is not None:
            return _PURPOSE.QUALIFICATION, item
    if lucky(_PURPOSE.GOLD, project.gold_share):
        item = _known_answer(project, user, GoldItem.Kind.GOLD)
        if item is not None:
            return _PURPOSE.GOLD, item
    if lucky(_PURPOSE.SELF_CONSISTENCY, project.self_consistency_share):
        return _PURPOSE.SELF_CONSISTENCY, _own_again(project, user)
    return "", None


def _is_new(project: Project, user: User, cursor: Cursor) -> bool:
    """Whether the person lacks qualification items; noted on the cursor once they have done enough."""
    mine = Slot.objects.filter(project=project, person=user, purpose=_PURPOSE.QUALIFICATION)
    states = list(mine.exclude(state=_STATE.SKIPPED).values_list("state", flat=True))
    if states.count(_STATE.DONE) >= project.qualification_items:
        cursor.is_qualified = True
        cursor.save(update_fields=["is_qualified"])
    return len(states) < project.qualification_items


def _known_answer(project: Project, user: User, kind: str) -> Item | None:
    """An item of that kind that the person has not looked at, drawn by hash."""
    seen = Slot.objects.filter(item=OuterRef("item"), person=user)
    known = GoldItem.objects.filter(project=project, kind=kind, is_active=True, item__held_back="")
    ids = list(known.exclude(Exists(seen)).values_list("item_id", flat=True))
    return _one_of(ids, user)


def _own_again(project: Project, user: User) -> Item | None:
    """An item that the person answered a while ago, was never asked again, and was told nothing about."""
    own = Slot.objects.filter(project=project, person=user, state=_STATE.DONE)
    again = Slot.objects.filter(item=OuterRef("item"), person=user, purpose=_PURPOSE.SELF_CONSISTENCY)
    told = Review.objects.filter(annotation__slot=OuterRef("pk"), state=Review.State.DONE)
    old = own.order_by("-done_at").values_list("pk", flat=True)[SELF_AFTER : SELF_AFTER + SELF_AMONG]
    fitting = Slot.objects.filter(pk__in=list(old)).exclude(purpose__in=Slot.MEASURING)
    ids = list(fitting.exclude(Exists(again)).exclude(Exists(told)).values_list("item_id", flat=True))
    return _one_of(ids, user)


def _one_of(item_ids: Sequence[int], user: User) -> Item | None:
    if not item_ids:
        return None
    chosen = min(item_ids, key=lambda item: hashlib.blake2b(f"{user.uuid} {item}".encode()).digest())
    return Item.objects.get(pk=chosen)


def _made(beside: Slot, user: User, purpose: str, item: Item) -> Slot | None:
    """A slot that is the person's already; None where they got the item another way in this moment."""
    slot = Slot(
        project_id=beside.project_id,
        batch_id=beside.batch_id,
        item=item,
        purpose=purpose,
        rank=beside.rank,
        place=1,
        state=_STATE.LEASED,
        person=user,
        lease_expires_at=beside.lease_expires_at,
        design=purpose,
        explanation=_lent(beside, user),
    )
    try:
        with transaction.atomic():
            slot.save(force_insert=True)
    except IntegrityError:
        return None
    return slot


def _lent(beside: Slot, user: User) -> dict[str, Any]:
    """The explanation of some slot of the same batch that is not the person's: what they might read anywhere.
    None that they read beside another item now: twice the same scores would tell.
    """
    batch = Slot.objects.filter(batch=beside.batch_id)
    own = list(batch.filter(person=user, state=_STATE.LEASED).values_list("explanation", flat=True))
    # In the order of an index: by key SQLite would read and sort the whole batch, under the one write lock.
    others = batch.exclude(person=user).exclude(purpose__in=Slot.MEASURING).order_by("state", "item")
    found = others.values_list("uuid", "explanation")[:LENDERS]
    lenders = [(uuid, explanation) for uuid, explanation in found if explanation not in own]
    if not lenders:
        return dict(beside.explanation)
    return dict(min(lenders, key=lambda one: one[0].int ^ beside.uuid.int)[1])


def withdraw(slot_ids: Iterable[int]) -> int:
    """Withdraw those of these leased slots that measure a person; how many."""
    leased = Slot.objects.filter(pk__in=list(slot_ids), state=_STATE.LEASED, purpose__in=Slot.MEASURING)
    return leased.update(state=_STATE.WITHDRAWN, person=None, lease_expires_at=None)


def may_return(slot: Slot, user: User) -> bool:
    """Whether a withdrawn slot may take a late answer of this person: only they know its name, and they have
    not looked at the item otherwise, or not for the second time."""
    if not slot.is_measuring or slot.state != _STATE.WITHDRAWN:
        return False
    looks = Slot.objects.filter(item=slot.item_id, person=user)
    if slot.purpose == _PURPOSE.SELF_CONSISTENCY:
        return not looks.filter(purpose=slot.purpose).exists() and looks.exists()
    return not looks.exists()
