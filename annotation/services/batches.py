"""Publishing work: picks become slots, with second looks and evaluation items mixed in.

Ranks are unique and rise within a project, so the queue is one walk along an index. The evaluation sample is
drawn by content hash, which is as good as a coin and gives the same items when asked twice.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from accounts.selectors.prepared import insert_many
from annotation.models import Batch, Item, Project, Resolution, Slot
from annotation.quality.spot_checks import is_drawn
from annotation.selectors.queue import is_anybody_labelling
from annotation.services.archive import guard_writable
from annotation.signals import batch_published, send_on_commit
from jobs.services.pacing import giving_way

EVALUATION_PER_PICK = (
    0.5  # evaluation items mixed in for each pick: people see training and test work side by side
)
AT_ONCE = 50  # slots a transaction: some 10 ms for which nobody else can write to SQLite
_PURPOSE = Slot.Purpose
_TAKEN = (Slot.State.LEASED, Slot.State.DONE)


@dataclass(frozen=True, kw_only=True)
class Pick:
    """One item to be labelled, named by its row. `explanation`: score parts, for "why this item".

    `inclusion_probability` is None where the design has none (a greedy pick).
    """

    row: int
    purpose: str = _PURPOSE.LABEL
    design: str = ""
    inclusion_probability: float | None = None
    explanation: Mapping[str, Any] = field(default_factory=dict)


def publish(
    project: Project, picks: Sequence[Pick], *, origin: str, title: str = "", note: str = ""
) -> Batch:
    """Put picks in the queue, in their order, and take back what earlier batches still had free.

    A share of the items (`project.overlap_share`) gets a second slot; evaluation items are interleaved until
    `project.evaluation_items` are out, those that earlier batches left first. They get new ranks: in one
    block before the new picks they would keep people from the model's suggestions for an hour. What people put
    in the queue or assigned by hand stays as it is, and where it is: before the new picks.

    In many short transactions, since on SQLite whoever labels waits for each. Publishing the same `origin`
    again gives the batch that it made before, with what is missing of it where that was cut off.

    Raises:
        ProjectArchived: nothing may be written any more.
        ValueError: a picked row does not exist in this project.
    """
    guard_writable(project)
    rows = [pick.row for pick in picks]
    ids = dict(Item.objects.filter(project=project, row__in=rows).values_list("row", "pk"))
    missing = [row for row in rows if row not in ids]
    if missing:
        raise ValueError(f"row {missing[0]} is not in {project}: pick among its items")
    batch, is_new = _batch(project, origin, title, note)
    slots = with_second_looks(project, [slot_of(batch, ids[pick.row], pick) for pick in picks])
    if is_new:
        slots = interleave(slots, _mixed_in(project, batch, len(picks)))
    if _fill(batch, slots):
        send_on_commit(batch_published, Batch, batch=batch)
    _withdraw(outdated(project).filter(batch__number__lt=batch.number))
    return batch


@transaction.atomic
def _batch(project: Project, origin: str, title: str, note: str) -> tuple[Batch, bool]:
    """The batch of this origin, and whether it was made just now."""
    lock_ranks(project)
    known = Batch.objects.filter(project=project, origin=origin).first() if origin else None
    if known is not None:
        return known, False
    number = (project.batches.aggregate(last=Max("number"))["last"] or 0) + 1
    project.batches.filter(is_open=True).update(is_open=False)
    made = Batch.objects.create(project=project, number=number, origin=origin, title=title[:200], note=note)
    return made, True


def _mixed_in(project: Project, batch: Batch, picks: int) -> list[Slot]:
    """What earlier batches left and nobody takes back, and fresh evaluation items."""
    free = Slot.objects.filter(project=project, state=Slot.State.FREE, is_by_hand=False)
    left = list(free.exclude(pk__in=outdated(project).values("pk")).order_by("rank"))
    wanted = math.ceil(picks * EVALUATION_PER_PICK) - len({slot.item_id for slot in left})
    evaluation = [slot_of(batch, pk, _EVALUATION) for pk in _evaluation_sample(project, wanted)]
    return [*left, *with_second_looks(project, evaluation)]


def _fill(batch: Batch, slots: Sequence[Slot]) -> bool:
    """Bring the slots into the queue in this order, those that are in the batch already left out; whether there
    were any.

    Another attempt at the same batch shows by its slots: then it is looked again what is missing.
    """
    filled = False
    while True:
        there = Counter(batch.slots.values_list("item_id", "purpose"))
        count, todo = there.total(), []
        for slot in slots:
            key = (slot.item_id, slot.purpose)
            if slot.pk is None and there[key]:
                there[key] -= 1
            else:
                todo.append(slot)
        if all(slot.pk for slot in todo):
            return filled
        filled = True
        for at in range(0, len(todo), AT_ONCE):
            part = todo[at : at + AT_ONCE]
            with giving_way(in_company=is_anybody_labelling()):
                was_put = _put(batch, part, count)
            if not was_put:
                break
            count += sum(slot.pk is None for slot in part)


@transaction.atomic
def _put(batch: Batch, slots: Sequence[Slot], count: int) -> bool:
    """Queue the slots at the end, unless the batch has not `count` slots any more; whether it was done."""
    lock_ranks(batch.project)
    if batch.slots.count() != count:
        return False
    new = [slot for slot in slots if slot.pk is None]
    old = outdated(batch.project).filter(batch__number__lt=batch.number)
    old.filter(item__in=[slot.item_id for slot in new]).update(state=Slot.State.WITHDRAWN)
    for rank, slot in enumerate(slots, next_rank(batch.project)):
        slot.rank = rank
    insert_many(new)
    for slot in slots:
        if slot.pk is not None:
            Slot.objects.filter(pk=slot.pk, state=Slot.State.FREE).update(rank=slot.rank)
    return True


def take_back(batch: Batch) -> None:
    """Withdraw what is still free of a batch."""
    _withdraw(Slot.objects.filter(batch=batch, state=Slot.State.FREE))


def _withdraw(slots: QuerySet[Slot]) -> None:
    while ids := list(slots.values_list("pk", flat=True)[:AT_ONCE]):
        with giving_way(in_company=is_anybody_labelling()):
            Slot.objects.filter(pk__in=ids, state=Slot.State.FREE).update(state=Slot.State.WITHDRAWN)


_EVALUATION = Pick(row=-1, purpose=_PURPOSE.EVALUATION, design="random")


def lock_ranks(project: Project) -> None:
    """Hold the project's row until the transaction ends: whoever gives out ranks does so alone.

    `no_key`, here and wherever the queue locks: on PostgreSQL a plain lock would also wait for everybody who
    merely refers to the row (each new annotation refers to its project and item), and they for it. The order
    in which locks are taken is project, person, slot, item, review.
    """
    Project.objects.select_for_update(of=("self",), no_key=True).only("pk").get(pk=project.pk)


def next_rank(project: Project) -> int:
    """The first rank that was never given. The caller holds `lock_ranks`."""
    last = Slot.objects.filter(project=project).aggregate(last=Max("rank"))["last"]
    return 0 if last is None else last + 1


def slot_of(batch: Batch, item_id: int, pick: Pick) -> Slot:
    return Slot(
        project_id=batch.project_id,
        batch=batch,
        item_id=item_id,
        purpose=pick.purpose,
        design=pick.design,
        inclusion_probability=pick.inclusion_probability,
        explanation=dict(pick.explanation),
    )


def outdated(project: Project) -> QuerySet[Slot]:
    """Free work that was picked by an older model: it goes back to the pool when a new batch comes.

    A second look at an item that somebody has looked at stays, and so does every evaluation slot, and what was
    put there by hand.
    """
    looked_at = Slot.objects.filter(item=OuterRef("item"), state__in=_TAKEN)
    first = Q(purpose__in=[_PURPOSE.LABEL, _PURPOSE.CONTROL])
    second = Q(purpose=_PURPOSE.OVERLAP) & ~Exists(looked_at)
    return Slot.objects.filter(first | second, project=project, state=Slot.State.FREE, is_by_hand=False)


def _evaluation_sample(project: Project, count: int) -> list[int]:
    """Ids of up to `count` validation and test items, a uniform sample of those not out yet."""
    out = Slot.objects.filter(item=OuterRef("pk"), purpose=_PURPOSE.EVALUATION)
    resolved = Resolution.objects.filter(item=OuterRef("pk"), is_current=True)
    items = Item.objects.filter(
        project=project,
        split__in=[Item.Split.VALIDATION, Item.Split.TEST],
        duplicate_of__isnull=True,
        held_back="",
    )
    known = items.filter(Exists(out) | Exists(resolved))[: project.evaluation_items].count()
    wanted = min(project.evaluation_items - known, count)
    if wanted <= 0:
        return []
    fresh = items.exclude(Exists(out)).exclude(Exists(resolved)).order_by("content_hash")
    return list(fresh.values_list("pk", flat=True)[:wanted])


def with_second_looks(project: Project, slots: Iterable[Slot]) -> list[Slot]:
    """Each slot, followed by a second one where its item is drawn for two labellers.

    The draw is by the item, so that a pick cannot be steered by asking again.
    """
    both: list[Slot] = []
    for slot in slots:
        both.append(slot)
        evaluation = slot.purpose == _PURPOSE.EVALUATION
        share = project.evaluation_overlap_share if evaluation else project.overlap_share
        if is_drawn(str(slot.item_id), share, salt=f"overlap {project.seed}"):
            purpose = _PURPOSE.EVALUATION if evaluation else _PURPOSE.OVERLAP
            both.append(
                Slot(
                    project_id=slot.project_id,
                    batch=slot.batch,
                    item_id=slot.item_id,
                    purpose=purpose,
                    design=slot.design,
                    inclusion_probability=slot.inclusion_probability,
                    explanation=slot.explanation,
                )
            )
    return both


def interleave(main: list[Slot], mixed_in: list[Slot]) -> list[Slot]:
    """Both lists in their own order, `mixed_in` spread evenly over the whole."""
    keyed = [((i + 0.5) / len(main), 0, slot) for i, slot in enumerate(main)]
    keyed += [((i + 0.5) / len(mixed_in), 1, slot) for i, slot in enumerate(mixed_in)]
    return [slot for *_, slot in sorted(keyed, key=lambda entry: entry[:2])]
