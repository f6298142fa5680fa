"""Adaptive overlap: another look at an item is bought only while its label is unsure.

Every submit works out the belief in the item's label from who said what (selectors/consensus.py). Below the
project's target one more slot, bought right after the answer is stored, goes to the end of the queue, so that it
lies behind every cursor, never a second one while another look is open. How right people are is refitted by a
job, which the tick starts when enough new answers have come; it then looks at all items again, since what was
sure enough may be so no more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db import transaction
from django.db.models import Max

from annotation.models import Annotation, ConsensusFit, Item, Project, SchemaVersion, Slot
from annotation.selectors import looks, schemas
from annotation.services import consensus_fits, resolutions
from annotation.services.batches import lock_ranks, next_rank
from jobs.models import Job, State
from jobs.services import jobs
from jobs.services.context import JobContext

KIND = "annotation.refit_consensus"
FEWEST_NEW = 30  # answers that start a refit, at least
NEW_SHARE = 0.1  # of those that the last fit knew
BLOCK = 200  # items looked at again in one transaction
_STATE, _PURPOSE = Slot.State, Slot.Purpose


def buy(project: Project, item_ids: Collection[int]) -> int:
    """One more look for each of these items that has no look open; how many were bought.

    It is like the last look that was taken: batch, design, explanation, and evaluation items stay such. The
    caller holds `batches.lock_ranks` and the items. A fixed number of queries.
    """
    own = Slot.objects.filter(item__in=item_ids).exclude(purpose__in=Slot.MEASURING)
    last: dict[int, Slot] = {}
    is_open: set[int] = set()
    for slot in own.exclude(state=_STATE.WITHDRAWN).order_by("pk"):
        if slot.state in (_STATE.FREE, _STATE.LEASED):
            is_open.add(slot.item_id)
        elif slot.state == _STATE.DONE:
            last[slot.item_id] = slot
    wanted = [last[pk] for pk in sorted(last) if pk not in is_open]
    if not wanted:
        return 0
    first = next_rank(project)
    Slot.objects.bulk_create([_like(slot, rank) for rank, slot in enumerate(wanted, first)], batch_size=500)
    return len(wanted)


def settle_on_commit(project: Project, schema: SchemaVersion, item_id: int) -> None:
    """Look at the item again once the answer that left it unsure is stored, and buy a look if it still is.

    In a transaction of its own: a rank needs the project's lock, and with that from the start of every submit
    people who label one project would wait for each other. Were the process killed in between, the next refit
    buys the look.
    """
    transaction.on_commit(lambda: _look_again(project, schema, [item_id]))


def _like(slot: Slot, rank: int) -> Slot:
    evaluation = slot.purpose == _PURPOSE.EVALUATION
    return Slot(
        project_id=slot.project_id,
        batch_id=slot.batch_id,
        item_id=slot.item_id,
        purpose=_PURPOSE.EVALUATION if evaluation else _PURPOSE.OVERLAP,
        rank=rank,
        design=slot.design,
        inclusion_probability=slot.inclusion_probability,
        explanation=slot.explanation,
        # Assigned to a person: they have had their look. To a group: somebody else of it has the next one.
        assigned_group_id=slot.assigned_group_id,
        is_by_hand=slot.is_by_hand,
    )


def start_due() -> int:
    """Start a refit for every active project with adaptive overlap that has enough new answers; how many.

    Called by the tick. While a refit waits or runs there is no second one.
    """
    started = 0
    adaptive = Project.objects.filter(
        state=Project.State.ACTIVE, overlap_mode=Project.OverlapMode.ADAPTIVE, schemas__isnull=False
    )
    for project in adaptive.distinct():
        if is_due(project) and not _is_under_way(project):
            jobs.enqueue(KIND, subject=project, scope=project.uuid)
            started += 1
    return started


def is_due(project: Project) -> bool:
    """Whether enough answers came since the last fit: a share of those it knew. Reads at most so many."""
    known = ConsensusFit.objects.filter(project=project, is_current=True)
    last, size = known.aggregate(last=Max("last_annotation"), size=Max("answers")).values()
    enough = max(FEWEST_NEW, round(NEW_SHARE * (size or 0)))
    fresh = Annotation.objects.filter(project=project, pk__gt=last or 0)
    return fresh[:enough].count() >= enough


def _is_under_way(project: Project) -> bool:
    return Job.objects.filter(kind=KIND, scope=project.uuid, state__in=[State.QUEUED, State.RUNNING]).exists()


def refit(ctx: JobContext) -> dict[str, int] | None:
    """The job: learn how right people are, then look at the labelled items again. Its subject is the project.

    Running it twice fits twice and changes nothing the second time.
    """
    project: Project | None = ctx.subject
    schema = schemas.current(project) if project is not None else None
    if project is None or schema is None or not project.is_adaptive:
        return None
    fitted = consensus_fits.fit(project, schema, ctx)
    seen = looks.standing(project).order_by("-pk").values_list("item_id", flat=True)[: looks.MOST]
    item_ids = sorted(set(seen))
    changed = bought = 0
    for start in range(0, len(item_ids), BLOCK):
        share = consensus_fits.SHARE_OF_WORK + (1 - consensus_fits.SHARE_OF_WORK) * start / len(item_ids)
        ctx.progress(share, 1.0, f"{start:,} / {len(item_ids):,}")
        done = _look_again(project, schema, item_ids[start : start + BLOCK])
        changed, bought = changed + done[0], bought + done[1]
    ctx.log(f"{changed} labels changed, {bought} more looks wanted")
    return {"fields": fitted, "items": len(item_ids), "changed": changed, "bought": bought}


@transaction.atomic
def _look_again(project: Project, schema: SchemaVersion, item_ids: Sequence[int]) -> tuple[int, int]:
    lock_ranks(project)
    locked = Item.objects.select_for_update(of=("self",), no_key=True)
    items = list(locked.filter(pk__in=item_ids).order_by("pk"))
    resolved = resolutions.resolve_locked(project, items, schema)
    return len(resolved.changed), buy(project, resolved.unsure) if resolved.unsure else 0
