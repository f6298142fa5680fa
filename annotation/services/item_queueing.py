"""Work that people put into the queue themselves: first, again, or for somebody. Block functions of
`item_actions`.

Each takes a block of items in one transaction and says what it did, and what it left and why. None hands an
item to a person who has looked at it, and items of validation and test are queued as evaluation, so that no
suggestion is ever shown on them. What is put here no round takes back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from accounts.models import User
from annotation.models import Batch, Group, Item, Project, Resolution, Review, Slot
from annotation.services import ranks
from annotation.services.action_outcome import Outcome
from annotation.services.archive import guard_writable
from annotation.services.batches import lock_ranks, next_rank

DESIGN = "by hand"
_FREE, _LEASED = Slot.State.FREE, Slot.State.LEASED


@dataclass(frozen=True)
class Assignee:
    """One of the two, or neither: everybody."""

    person: User | None = None
    group: Group | None = None

    @property
    def people(self) -> list[int] | None:
        """Whose queue changes, by id; None: everybody's."""
        if self.person is not None:
            return [self.person.pk]
        return list(self.group.members.values_list("pk", flat=True)) if self.group is not None else None


EVERYBODY = Assignee()


class _Block:
    """What the queue knows of a block of items. The caller holds `lock_ranks`."""

    def __init__(self, project: Project, item_ids: Sequence[int]) -> None:
        self.items = list(Item.objects.filter(project=project, pk__in=item_ids).order_by("row"))
        ids = [item.pk for item in self.items]
        self.free: dict[int, list[Slot]] = defaultdict(list)
        self.leased: set[int] = set()
        for slot in Slot.objects.filter(item_id__in=ids, state__in=[_FREE, _LEASED]).order_by("rank"):
            if slot.state == _FREE:
                self.free[slot.item_id].append(slot)
            else:
                self.leased.add(slot.item_id)
        labelled = Resolution.objects.filter(item_id__in=ids, is_current=True)
        self.labelled = set(labelled.values_list("item_id", flat=True))
        disputes = Review.objects.filter(
            item_id__in=ids, kind=Review.Kind.DISPUTE, state=Review.State.PENDING
        )
        self.disputed = set(disputes.values_list("item_id", flat=True))

    def seen_by(self, person: User | None) -> set[int]:
        if person is None:
            return set()
        looks = Slot.objects.filter(item_id__in=[item.pk for item in self.items], person=person)
        return set(looks.values_list("item_id", flat=True))


@transaction.atomic
def queue_first(project: Project, item_ids: Sequence[int], *, by: User, key: str) -> Outcome:
    """Put these items before all others, in order of row; those without a slot get one.

    Of several blocks the last is done first, so that the first stands in front in the end.
    """
    guard_writable(project)
    lock_ranks(project)
    block, outcome = _Block(project, item_ids), Outcome()
    moved: list[Slot] = []
    made: list[Item] = []
    for item in block.items:
        if _is_unusable(item, outcome):
            continue
        if block.free[item.pk]:
            moved += block.free[item.pk]
        elif item.pk in block.leased:
            outcome.leave("in_hand")
            continue
        elif item.pk in block.labelled:
            outcome.leave("labelled")
            continue
        else:
            made.append(item)
        outcome.rows.append(item.row)
    slots = [*moved, *_new_slots(project, made, key, EVERYBODY)]
    slots.sort(key=lambda slot: slot.item_id)
    _place(project, slots, ranks.front_ranks(project, len(slots)), None)
    return outcome


@transaction.atomic
def label_again(
    project: Project, item_ids: Sequence[int], to: Assignee = EVERYBODY, *, by: User, key: str
) -> Outcome:
    """A further look, before all others, at items that have a label or on which people cannot agree."""
    guard_writable(project)
    lock_ranks(project)
    block, outcome = _Block(project, item_ids), Outcome()
    seen = block.seen_by(to.person)
    made: list[Item] = []
    for item in block.items:
        if _is_unusable(item, outcome):
            continue
        if item.pk not in block.labelled | block.disputed:
            outcome.leave("unlabelled")
        elif block.free[item.pk] or item.pk in block.leased:
            outcome.leave("waiting")
        elif item.pk in seen:
            outcome.leave("seen")
        else:
            made.append(item)
            outcome.rows.append(item.row)
    slots = _new_slots(project, made, key, to)
    _place(project, slots, ranks.front_ranks(project, len(slots)), to.people)
    return outcome


@transaction.atomic
def assign(
    project: Project, item_ids: Sequence[int], to: Assignee = EVERYBODY, *, by: User, key: str
) -> Outcome:
    """Keep one look at each of these items for a person or a group; or give it back to everybody.

    Of several free slots one is theirs, the one that was somebody's before the others. Items without any get one
    at the end of the queue.
    """
    guard_writable(project)
    lock_ranks(project)
    block, outcome = _Block(project, item_ids), Outcome()
    seen = block.seen_by(to.person)
    given: list[Slot] = []
    made: list[Item] = []
    for item in block.items:
        if _is_unusable(item, outcome):
            continue
        free = sorted(block.free[item.pk], key=lambda slot: (_is_anybodys(slot), slot.rank))
        if to == EVERYBODY and not any(not _is_anybodys(slot) for slot in free):
            outcome.leave("not_assigned")
        elif item.pk in seen:
            outcome.leave("seen")
        elif free:
            given += free if to == EVERYBODY else free[:1]
            outcome.rows.append(item.row)
        elif item.pk in block.leased:
            outcome.leave("in_hand")
        elif item.pk in block.labelled:
            outcome.leave("labelled")
        else:
            made.append(item)
            outcome.rows.append(item.row)
    _give(project, given, to)
    slots = _new_slots(project, made, key, to)
    start = next_rank(project)
    _place(project, slots, range(start, start + len(slots)), to.people)
    return outcome


def _is_unusable(item: Item, outcome: Outcome) -> bool:
    if item.held_back:
        outcome.leave("deleted" if item.held_back == Item.DELETED else "held_back")
    elif item.duplicate_of_id:
        outcome.leave("duplicate")
    return bool(item.held_back or item.duplicate_of_id)


def _is_anybodys(slot: Slot) -> bool:
    return slot.assigned_to_id is None and slot.assigned_group_id is None


def _give(project: Project, slots: Sequence[Slot], to: Assignee) -> None:
    if not slots:
        return
    ranks.open_from(project, min(slot.rank for slot in slots), to.people)
    Slot.objects.filter(pk__in=[slot.pk for slot in slots], state=_FREE).update(
        assigned_to=to.person, assigned_group=to.group, is_by_hand=True
    )


def _new_slots(project: Project, items: Iterable[Item], key: str, to: Assignee) -> list[Slot]:
    """Slots without a rank and not stored yet; their batch is the action's own."""
    items = list(items)
    if not items:
        return []
    batch = _batch(project, key)
    return [
        Slot(
            project=project,
            batch=batch,
            item=item,
            purpose=_purpose(item),
            design=DESIGN,
            assigned_to=to.person,
            assigned_group=to.group,
            is_by_hand=True,
            explanation={"note": _("somebody of the team asked for it")},
        )
        for item in items
    ]


def _purpose(item: Item) -> str:
    is_train = item.split == Item.Split.TRAIN
    return Slot.Purpose.LABEL if is_train else Slot.Purpose.EVALUATION


def _batch(project: Project, key: str) -> Batch:
    """One batch for all blocks of one action."""
    origin = f"hand-{key}"[:100]
    known = Batch.objects.filter(project=project, origin=origin).first()
    if known is not None:
        return known
    number = (project.batches.aggregate(last=Max("number"))["last"] or 0) + 1
    return Batch.objects.create(
        project=project, number=number, origin=origin, title=_("By hand %(number)s") % {"number": number}
    )


def _place(project: Project, slots: Sequence[Slot], places: range, people: list[int] | None) -> None:
    """Give the slots these ranks, in order; whoever may have them looks at those ranks again."""
    if not slots:
        return
    ranks.open_from(project, places[0], people)
    for slot, rank in zip(slots, places, strict=True):
        slot.rank, slot.is_by_hand = rank, True
    known = [slot for slot in slots if slot.pk is not None]
    # what was taken meanwhile stays where it is
    Slot.objects.filter(state=_FREE).bulk_update(known, ["rank", "is_by_hand"], batch_size=200)
    Slot.objects.bulk_create([slot for slot in slots if slot.pk is None], batch_size=200)
