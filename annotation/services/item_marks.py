"""Tags on items, items that are held back, items that are deleted. Block functions of `item_actions`."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from django.db import transaction
from django.db.models import CharField, Value
from django.db.models.functions import Cast, Concat
from django.utils.translation import gettext as _

from accounts.models import User
from annotation.errors import ActionRefused
from annotation.models import Item, ItemTag, Project, Review, Slot, Tag
from annotation.services import search_index
from annotation.services.action_outcome import Outcome
from annotation.services.archive import guard_writable
from annotation.services.batches import lock_ranks
from annotation.services.schemas import COLOURS

LONGEST_TAG = 60
LONGEST_REASON = 200
MOST_TAGS = 500
_OPEN = (Slot.State.FREE, Slot.State.LEASED)


def tag_named(project: Project, name: str) -> Tag:
    """The project's tag of this name, in any case; made if there is none.

    Raises:
        ActionRefused: the name is empty or too long, or the project has too many tags.
    """
    name = " ".join(name.split())
    if not 0 < len(name) <= LONGEST_TAG:
        raise ActionRefused(
            _("The tag has %(found)s characters: give it 1 to %(most)s.")
            % {"found": len(name), "most": LONGEST_TAG}
        )
    known = Tag.objects.filter(project=project, name__iexact=name).first()
    if known is not None:
        return known
    if Tag.objects.filter(project=project).count() >= MOST_TAGS:
        raise ActionRefused(
            _("This project has %(most)s tags already: use one of them.") % {"most": MOST_TAGS}
        )
    colour = COLOURS[zlib.crc32(name.encode()) % len(COLOURS)]
    return Tag.objects.get_or_create(project=project, name=name, defaults={"colour": colour})[0]


@transaction.atomic
def tag(project: Project, item_ids: Sequence[int], mark: Tag, *, by: User, key: str) -> Outcome:
    """Put a tag on items; those that have it keep it."""
    guard_writable(project)
    outcome = Outcome()
    having = set(ItemTag.objects.filter(tag=mark, item_id__in=item_ids).values_list("item_id", flat=True))
    fresh = []
    for item in Item.objects.filter(project=project, pk__in=item_ids).order_by("row"):
        if item.held_back == Item.DELETED:
            outcome.leave("deleted")
        elif item.pk in having:
            outcome.leave("tagged")
        else:
            fresh.append(ItemTag(tag=mark, item=item))
            outcome.rows.append(item.row)
    ItemTag.objects.bulk_create(fresh, batch_size=500, ignore_conflicts=True)
    return outcome


@transaction.atomic
def untag(project: Project, item_ids: Sequence[int], mark: Tag, *, by: User, key: str) -> Outcome:
    """Take a tag off items."""
    guard_writable(project)
    having = ItemTag.objects.filter(tag=mark, item__project=project, item_id__in=item_ids)
    rows = sorted(having.values_list("item__row", flat=True))
    having.delete()
    outcome = Outcome(rows=rows)
    outcome.left["not_tagged"] = len(item_ids) - len(rows)
    return outcome


@transaction.atomic
def hold_back(project: Project, item_ids: Sequence[int], reason: str, *, by: User, key: str) -> Outcome:
    """Take items out of use: not picked, not frozen, free slots withdrawn. Labels stay."""
    guard_writable(project)
    lock_ranks(project)
    outcome = Outcome()
    held = []
    for item in _locked(project, item_ids):
        if item.held_back:
            outcome.leave("deleted" if item.held_back == Item.DELETED else "held_back")
        else:
            held.append(item.pk)
            outcome.rows.append(item.row)
    Item.objects.filter(pk__in=held).update(held_back=reason)
    Slot.objects.filter(item_id__in=held, state=Slot.State.FREE).update(state=Slot.State.WITHDRAWN)
    return outcome


@transaction.atomic
def release(project: Project, item_ids: Sequence[int], *, by: User, key: str) -> Outcome:
    """Let items be used again. Slots that were withdrawn do not come back: a round picks them, or people do."""
    guard_writable(project)
    outcome = Outcome()
    freed = []
    for item in _locked(project, item_ids):
        if not item.held_back or item.held_back == Item.DELETED:
            outcome.leave("deleted" if item.held_back else "not_held_back")
        else:
            freed.append(item.pk)
            outcome.rows.append(item.row)
    Item.objects.filter(pk__in=freed).update(held_back="")
    return outcome


@transaction.atomic
def delete(project: Project, item_ids: Sequence[int], *, by: User, key: str) -> Outcome:
    """Make tombstones of items and of all their exact duplicates: no text, no metadata, never used again.

    The rows stay, since column files count on them, and so do answers, which are append-only. Slots in hand are
    withdrawn too: nobody labels a text that is gone.
    """
    guard_writable(project)
    lock_ranks(project)
    outcome = Outcome()
    twins = Item.objects.filter(project=project, duplicate_of_id__in=item_ids).values_list("pk", flat=True)
    ids = []
    for item in _locked(project, [*item_ids, *twins]):
        if item.held_back == Item.DELETED:
            outcome.leave("deleted")
        else:
            ids.append(item.pk)
            outcome.rows.append(item.row)
    search_index.forget(project, ids)
    Item.objects.filter(pk__in=ids).update(
        text="",
        normalised="",
        external_id="",
        meta={},
        data={},
        held_back=Item.DELETED,
        # the same text may come in again, as a new item
        content_hash=Concat(Value("deleted-"), Cast("pk", CharField())),
    )
    Slot.objects.filter(item_id__in=ids, state__in=_OPEN).update(
        state=Slot.State.WITHDRAWN, person=None, lease_expires_at=None
    )
    Review.objects.filter(item_id__in=ids, state=Review.State.PENDING).update(state=Review.State.WITHDRAWN)
    ItemTag.objects.filter(item_id__in=ids).delete()
    return outcome


def _locked(project: Project, item_ids: Sequence[int]) -> list[Item]:
    items = Item.objects.select_for_update(of=("self",), no_key=True)
    return list(items.filter(project=project, pk__in=item_ids).order_by("pk"))
