"""Publishing work: picks become slots, with second looks and evaluation items mixed in.

Ranks are unique and rise within a project, so the queue is one walk along an index. The evaluation sample is
drawn by content hash, which is as good as a coin and gives the same items when asked twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Exists, Max, OuterRef

from annotation.models import Batch, Item, Project, Resolution, Slot
from annotation.quality.spot_checks import is_drawn
from annotation.services.archive import guard_writable
from annotation.signals import batch_published, send_on_commit

EVALUATION_PER_PICK = (
    0.5  # evaluation items mixed in for each pick: people see training and test work side by side
)
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


@transaction.atomic
def publish(
    project: Project, picks: Sequence[Pick], *, origin: str, title: str = "", note: str = ""
) -> Batch:
    """Put picks in the queue, in their order, and take back what earlier batches still had free.

    A share of the items (`project.overlap_share`) gets a second slot; evaluation items are interleaved until
    `project.evaluation_items` are out, those that earlier batches left first. They get new ranks: in one
    block before the new picks they would keep people from the model's suggestions for an hour. What people put
    in the queue or assigned by hand stays as it is, and where it is: before the new picks. Publishing the
    same `origin` again gives the batch that it made before.

    Raises:
        ProjectArchived: nothing may be written any more.
        ValueError: a picked row does not exist in this project.
    """
    guard_writable(project)
    lock_ranks(project)
    known = Batch.objects.filter(project=project, origin=origin).first() if origin else None
    if known is not None:
        return known
    ids = dict(
        Item.objects.filter(project=project, row__in=[pick.row for pick in picks]).values_list("row", "pk")
    )
    missing = [pick.row for pick in picks if pick.row not in ids]
    if missing:
        raise ValueError(f"row {missing[0]} is not in {project}: pick among its items")
    _withdraw_free(project)
    number = (project.batches.aggregate(last=Max("number"))["last"] or 0) + 1
    batch = Batch.objects.create(project=project, number=number, origin=origin, title=title[:200], note=note)
    slots = [_slot(batch, ids[pick.row], pick) for pick in picks]
    free = Slot.objects.filter(project=project, state=Slot.State.FREE, is_by_hand=False)
    left = list(free.order_by("rank"))
    wanted = math.ceil(len(picks) * EVALUATION_PER_PICK) - len({slot.item_id for slot in left})
    evaluation = [_slot(batch, pk, _EVALUATION) for pk in _evaluation_sample(project, wanted)]
    mixed_in = [*left, *_with_second_looks(project, evaluation)]
    sequence = _interleave(_with_second_looks(project, slots), mixed_in)
    for rank, slot in enumerate(sequence, next_rank(project)):
        slot.rank = rank
    Slot.objects.bulk_create([slot for slot in sequence if slot.pk is None], batch_size=500)
    Slot.objects.bulk_update(left, ["rank"], batch_size=500)
    send_on_commit(batch_published, Batch, batch=batch)
    return batch


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


def _slot(batch: Batch, item_id: int, pick: Pick) -> Slot:
    return Slot(
        project_id=batch.project_id,
        batch=batch,
        item_id=item_id,
        purpose=pick.purpose,
        design=pick.design,
        inclusion_probability=pick.inclusion_probability,
        explanation=dict(pick.explanation),
    )


def _withdraw_free(project: Project) -> None:
    """Free work of earlier batches was picked by an older model: it goes back to the pool.

    A second look at an item that somebody has looked at stays, and so does every evaluation slot, and what was
    put there by hand.
    """
    free = Slot.objects.filter(project=project, state=Slot.State.FREE, is_by_hand=False)
    free.filter(purpose__in=[_PURPOSE.LABEL, _PURPOSE.CONTROL]).update(state=Slot.State.WITHDRAWN)
    looked_at = Slot.objects.filter(item=OuterRef("item"), state__in=_TAKEN)
    free.filter(purpose=_PURPOSE.OVERLAP).exclude(Exists(looked_at)).update(state=Slot.State.WITHDRAWN)
    project.batches.filter(is_open=True).update(is_open=False)


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


def _with_second_looks(project: Project, slots: Iterable[Slot]) -> list[Slot]:
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


def _interleave(main: list[Slot], mixed_in: list[Slot]) -> list[Slot]:
    """Both lists in their own order, `mixed_in` spread evenly over the whole."""
    keyed = [((i + 0.5) / len(main), 0, slot) for i, slot in enumerate(main)]
    keyed += [((i + 0.5) / len(mixed_in), 1, slot) for i, slot in enumerate(mixed_in)]
    return [slot for *_, slot in sorted(keyed, key=lambda entry: entry[:2])]
