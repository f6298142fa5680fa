"""Accepting sure suggestions many at once, always with spot checks, and taking that back as a whole.

Both run as jobs, a block in a transaction. A killed worker's job goes on where it was: what is accepted is
resolved and no longer open, what is taken back no longer stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import audit
from annotation.errors import BulkRefused
from annotation.models import Annotation, BulkAcceptance, Item, Labeller, Prelabel, Project, Review, Slot
from annotation.selectors import bulk_acceptance as reads
from annotation.selectors import prelabel_policy, schemas
from annotation.services import resolutions, reviews
from annotation.services.archive import guard_writable
from annotation.services.batches import lock_ranks, next_rank
from annotation.task_types.content import content_of
from annotation.task_types.registry import InvalidValue, validate_value
from jobs.models import Job
from jobs.services import jobs
from jobs.services.context import JobContext

BLOCK = 500
_STATE = BulkAcceptance.State


@transaction.atomic
def accept(project: Project, user: User, labeller: Labeller, threshold: float) -> BulkAcceptance:
    """Start accepting the labeller's open suggestions from `threshold` on; at least the calibrated one.

    Raises:
        BulkRefused: the project is not hybrid, too little is resolved, no confidence is sure enough, the
            threshold lies below the calibrated one, nothing lies above it, or another acceptance is running.
        ProjectArchived: nothing may be written any more.
    """
    guard_writable(project)
    if project.mode != Project.Mode.HYBRID:
        raise BulkRefused(_("This project is not hybrid: an admin can change that in its settings."))
    outlook = reads.outlook(project, labeller, threshold)
    calibration = outlook.calibration
    if calibration.threshold is None:
        raise BulkRefused(_("No confidence is proven sure enough yet: label and check more items first."))
    if threshold < calibration.threshold - reads.ROUNDING:
        raise BulkRefused(
            _("The proven threshold is %(proven).3f by now, above the %(asked).3f you saw: look again.")
            % {"proven": calibration.threshold, "asked": threshold}
        )
    if not outlook.above:
        raise BulkRefused(_("No open item has a suggestion that sure: there is nothing to accept."))
    return _started(project, user, outlook)


def _started(project: Project, user: User, outlook: reads.Outlook) -> BulkAcceptance:
    assert outlook.threshold is not None
    newest = Prelabel.objects.filter(project=project).aggregate(last=Max("pk"))["last"]
    try:
        with transaction.atomic():
            acceptance = BulkAcceptance.objects.create(
                project=project,
                labeller=outlook.labeller,
                threshold=outlook.threshold,
                target=project.bulk_target_accuracy,
                estimate=outlook.accuracy.to_json(),
                expected=outlook.above,
                check_share=project.bulk_check_share,
                newest_prelabel=newest,
                created_by=user,
            )
    except IntegrityError as error:
        raise BulkRefused(_("Another bulk acceptance is running here: wait until it has ended.")) from error
    _enqueue(acceptance, reads.ACCEPT, user)
    audit.record(
        "bulk.accepted",
        actor=user,
        scope=project.uuid,
        target=acceptance,
        labeller=str(outlook.labeller.uuid),
        threshold=outlook.threshold,
        estimate=acceptance.estimate,
        expected=outlook.above,
        check_share=acceptance.check_share,
    )
    return acceptance


def _enqueue(acceptance: BulkAcceptance, kind: str, user: User) -> Job:
    scope = acceptance.project.uuid
    return jobs.enqueue(kind, subject=acceptance, scope=scope, created_by=user)


def run(ctx: JobContext) -> dict[str, Any] | None:
    """The job "annotation.accept_in_bulk"."""
    acceptance: BulkAcceptance | None = ctx.subject
    if acceptance is None or acceptance.state != _STATE.RUNNING:
        return None
    after = 0
    while (after := _accept_block(acceptance, after)) is not None:
        done = Annotation.objects.filter(bulk_acceptance=acceptance).count()
        ctx.progress(done, max(done, acceptance.expected), _("%(count)s accepted") % {"count": f"{done:,}"})
    finish(acceptance)
    return {"accepted": Annotation.objects.filter(bulk_acceptance=acceptance).count()}


@transaction.atomic
def _accept_block(acceptance: BulkAcceptance, after: int) -> int | None:
    """Accept the next open suggestions behind the id `after`; the last id looked at, None when there are
    none.
    """
    project = acceptance.project
    guard_writable(project)
    candidates = reads.open_suggestions(project, acceptance.labeller, acceptance.threshold).filter(
        pk__lte=acceptance.newest_prelabel
    )
    found = list(candidates.filter(pk__gt=after).order_by("pk").values_list("pk", "item_id")[:BLOCK])
    if not found:
        return None
    item_ids = [item_id for _pk, item_id in found]
    # In the order slot, item. Whoever is handed one of these slots now waits, and then finds it withdrawn.
    waiting = Slot.objects.select_for_update(of=("self",), no_key=True)
    slots = list(waiting.filter(item__in=item_ids, state=Slot.State.FREE).order_by("pk"))
    locked = Item.objects.select_for_update(of=("self",), no_key=True)
    items = {item.pk: item for item in locked.filter(pk__in=item_ids).order_by("pk")}
    still = list(candidates.filter(pk__in=[pk for pk, _item_id in found]).order_by("pk"))
    _book(acceptance, still, slots, items)
    return found[-1][0]


def _book(
    acceptance: BulkAcceptance, prelabels: Sequence[Prelabel], slots: Sequence[Slot], items: dict[int, Item]
) -> None:
    """Store the answers, draw their checks, take their items out of the queue, and resolve them."""
    project = acceptance.project
    schema, guideline = schemas.in_force(project)
    modes = prelabel_policy.label_modes(schema.definition)
    answers = []
    for prelabel in prelabels:
        item = items[prelabel.item_id]
        if not reads.is_acceptable(project, schema.definition, modes, prelabel.value):
            continue
        try:
            value = validate_value(schema.definition, prelabel.value, content_of(item.text, item.data))
        except InvalidValue:
            continue  # it does not fit its item: for people to decide
        answers.append(
            Annotation(
                project=project,
                item=item,
                labeller=acceptance.labeller,
                schema_version=schema,
                guideline_version_id=guideline,
                value=value,
                client_key=f"bulk-{acceptance.pk}-{item.pk}",
                prelabel=prelabel,
                bulk_acceptance=acceptance,
            )
        )
    Annotation.objects.bulk_create(answers)
    reviews.draw_many(project, answers, acceptance.check_share)
    accepted = {answer.item_id for answer in answers}
    gone = [slot.pk for slot in slots if slot.item_id in accepted]
    Slot.objects.filter(pk__in=gone, state=Slot.State.FREE).update(state=Slot.State.WITHDRAWN)
    resolutions.resolve_locked(project, [items[pk] for pk in sorted(accepted)], schema)


@transaction.atomic
def finish(acceptance: BulkAcceptance) -> None:
    """Close an acceptance; where chance drew no spot check at all, one answer is checked nevertheless."""
    running = BulkAcceptance.objects.filter(pk=acceptance.pk, state=_STATE.RUNNING)
    if not running.update(state=_STATE.DONE, finished_at=timezone.now()):
        return
    answers = Annotation.objects.filter(bulk_acceptance=acceptance)
    checked = Review.objects.filter(annotation__bulk_acceptance=acceptance)
    if not checked.exists() and (one := answers.order_by("uuid").first()) is not None:
        reviews.draw_many(acceptance.project, [one], 1.0)
    audit.record(
        "bulk.finished",
        scope=acceptance.project.uuid,
        target=acceptance,
        accepted=answers.count(),
        checks=checked.count(),
    )


@transaction.atomic
def undo(acceptance: BulkAcceptance, user: User) -> Job:
    """Start taking back what no person has corrected or found right; its items go back to the queue.

    Raises:
        BulkRefused: it is running, or undone already.
        ProjectArchived: nothing may be written any more.
    """
    guard_writable(acceptance.project)
    try:
        with transaction.atomic():
            done = BulkAcceptance.objects.filter(pk=acceptance.pk, state=_STATE.DONE)
            if not done.update(state=_STATE.UNDOING, undone_by=user):
                raise BulkRefused(_("This acceptance is being carried out, or was undone already."))
    except IntegrityError as error:
        raise BulkRefused(_("Another bulk acceptance is running here: wait until it has ended.")) from error
    acceptance.refresh_from_db()
    audit.record("bulk.undone", actor=user, scope=acceptance.project.uuid, target=acceptance)
    return _enqueue(acceptance, reads.UNDO, user)


def run_undo(ctx: JobContext) -> dict[str, Any] | None:
    """The job "annotation.undo_bulk"."""
    acceptance: BulkAcceptance | None = ctx.subject
    if acceptance is None or acceptance.state != _STATE.UNDOING:
        return None
    total = reads.takeable(acceptance).count()
    done = 0
    while taken := _undo_block(acceptance):
        done += taken
        ctx.progress(done, max(done, total), _("%(count)s taken back") % {"count": f"{done:,}"})
    undoing = BulkAcceptance.objects.filter(pk=acceptance.pk, state=_STATE.UNDOING)
    undoing.update(state=_STATE.UNDONE, undone_at=timezone.now())
    return {"taken_back": done}


@transaction.atomic
def _undo_block(acceptance: BulkAcceptance) -> int:
    project = acceptance.project
    guard_writable(project)
    lock_ranks(project)
    item_ids = list(reads.takeable(acceptance).order_by("pk").values_list("item_id", flat=True)[:BLOCK])
    locked = Item.objects.select_for_update(of=("self",), no_key=True)
    items = list(locked.filter(pk__in=item_ids).order_by("pk"))
    answers = list(reads.takeable(acceptance).filter(item__in=item_ids).order_by("pk"))
    Annotation.objects.bulk_create(_retraction(answer) for answer in answers)
    open_checks = Review.objects.filter(annotation__in=answers, state=Review.State.PENDING)
    open_checks.update(state=Review.State.WITHDRAWN)
    resolutions.resolve_locked(project, items, schemas.require(project))
    _back_to_the_queue(project, [item.pk for item in items])
    return len(answers)


def _retraction(answer: Annotation) -> Annotation:
    return Annotation(
        project_id=answer.project_id,
        item_id=answer.item_id,
        labeller_id=answer.labeller_id,
        schema_version_id=answer.schema_version_id,
        is_retraction=True,
        client_key=f"undo-{answer.uuid}",
        supersedes=answer,
        bulk_acceptance_id=answer.bulk_acceptance_id,
    )


def _back_to_the_queue(project: Project, item_ids: Sequence[int]) -> None:
    """Free what was withdrawn of batches that are still open, at the end of the queue. Items that have a
    final label all the same, or are held back, stay out.
    """
    out = Slot.objects.filter(
        item__in=item_ids,
        state=Slot.State.WITHDRAWN,
        batch__is_open=True,
        purpose__in=[Slot.Purpose.LABEL, Slot.Purpose.OVERLAP],
        item__held_back="",
    )
    decided = project.resolutions.filter(item__in=item_ids, is_current=True).values("item")
    slots = list(out.exclude(item__in=decided).order_by("rank"))
    for rank, slot in enumerate(slots, next_rank(project)):
        slot.rank, slot.state = rank, Slot.State.FREE
    Slot.objects.bulk_update(slots, ["rank", "state"], batch_size=BLOCK)


def settle(acceptance: BulkAcceptance, job: Job | None) -> None:
    """A job that failed or was cancelled leaves what it did: the acceptance ends there and can be undone."""
    if job is not None and not job.has_ended:
        return
    finish(acceptance)
    BulkAcceptance.objects.filter(pk=acceptance.pk, state=_STATE.UNDOING).update(state=_STATE.DONE)


def settle_all() -> int:
    """Settle acceptances whose job has ended without closing them; how many were looked at."""
    found = list(reads.moving())
    for acceptance, job in found:
        settle(acceptance, job)
    return len(found)
