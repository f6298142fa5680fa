"""The quick pass over suggestions: yes stores an answer as any other, no sends the item to the ordinary
queue.
"""

from __future__ import annotations

import uuid

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from annotation.errors import NothingToUndo, PrelabelRefused, SlotTaken, SlotUnknown
from annotation.models import Annotation, Prelabel, Project, Rejection, SchemaVersion, Slot
from annotation.models.queue import LOWEST_RANK
from annotation.selectors import prelabel_policy, schemas
from annotation.selectors import suggestion_checks as reads
from annotation.services import labelling, queue
from annotation.services.archive import guard_writable

LOOKED_AT = 200  # free slots looked at in one go: some of them hide their suggestion
MOST_LOOKS = 25


@transaction.atomic
def lease(project: Project, user: User, *, count: int = 3, schema: SchemaVersion | None = None) -> list[Slot]:
    """Slots with a suggestion to say yes or no to: those that `user` holds, topped up to `count` in the order of
    the queue. What lies between (no suggestion, or one that is hidden) stays in the queue for everybody.
    """
    schema = schema or schemas.require(project)
    held = reads.with_suggestion(queue.held(project, user))
    found = _shown(project, schema, list(held))[:count]
    if len(found) >= count or not project.is_active:
        return found
    after = LOWEST_RANK
    free = reads.with_suggestion(queue.free_slots(project.pk, user.pk, after)).select_related("item")
    for _turn in range(MOST_LOOKS):
        block = list(free.filter(rank__gt=after)[:LOOKED_AT])
        taken = {slot.item_id for slot in found}
        wanted = [slot for slot in _shown(project, schema, block) if slot.item_id not in taken]
        once = list({slot.item_id: slot for slot in reversed(wanted)}.values())[::-1]
        found += queue.claim(project, user, once[: count - len(found)])
        if len(found) >= count or len(block) < LOOKED_AT:
            break
        after = block[-1].rank
    return found


def _shown(project: Project, schema: SchemaVersion, slots: list[Slot]) -> list[Slot]:
    shown = reads.to_check(project, schema, slots)
    return [slot for slot in slots if slot.pk in shown]


def accept(
    project: Project,
    user: User,
    slot_uuid: uuid.UUID,
    prelabel_uuid: uuid.UUID,
    *,
    client_key: str,
    active_ms: int = 0,
) -> labelling.Submission:
    """Yes: the suggestion becomes the person's answer, noted as shown and taken unchanged.

    Raises:
        PrelabelRefused: there is no such suggestion for the item.
        LabelRefused, SlotUnknown, SlotTaken, ProjectArchived: as `labelling.submit`.
    """
    prelabel = _named(project, slot_uuid, prelabel_uuid)
    return labelling.submit(
        project,
        user,
        slot_uuid,
        prelabel.value,
        client_key=client_key,
        prelabel_uuid=prelabel_uuid,
        active_ms=active_ms,
    )


@transaction.atomic
def reject(project: Project, user: User, slot_uuid: uuid.UUID, prelabel_uuid: uuid.UUID) -> Rejection:
    """No: the item goes to the end of the ordinary queue, and nobody is asked about this suggestion again.
    Saying no twice says it once.

    Raises:
        PrelabelRefused: there is no such suggestion for the item.
        SlotTaken: the slot is not the person's any more.
    """
    guard_writable(project)
    prelabel = _named(project, slot_uuid, prelabel_uuid)
    slot = Slot.objects.get(project=project, uuid=slot_uuid)
    known = Rejection.objects.filter(prelabel=prelabel, person=user, is_taken_back=False).first()
    if known is not None:
        return known
    if not queue.release(project, user, [slot_uuid]):
        raise SlotTaken(_("Your time for this item ran out and it has gone to somebody else."))
    return Rejection.objects.create(project=project, prelabel=prelabel, slot=slot, person=user)


def _named(project: Project, slot_uuid: uuid.UUID, prelabel_uuid: uuid.UUID) -> Prelabel:
    """The suggestion, if it is one that the slot may show: nobody says yes or no to what the draw hid."""
    slot = Slot.objects.filter(project=project, uuid=slot_uuid).first()
    if slot is None:
        raise SlotUnknown(_("This item is not in the queue of this project: load the page again."))
    found = Prelabel.objects.filter(uuid=prelabel_uuid, item_id=slot.item_id).select_related("labeller")
    prelabel, definition = found.first(), schemas.require(project).definition
    if prelabel is None or not prelabel_policy.is_shown(project, definition, slot, prelabel):
        raise PrelabelRefused(_("This suggestion does not belong to the item: load the page again."))
    return prelabel


@transaction.atomic
def undo(project: Project, user: User, slot_uuid: uuid.UUID | None = None) -> Slot:
    """Take back one's last yes or no, or that on a given slot; the item is one's own again.

    Raises:
        NothingToUndo: there is none.
        SlotTaken: a rejected item has gone to somebody else meanwhile.
    """
    guard_writable(project)
    rejection = _last_rejection(project, user, slot_uuid)
    answer = _last_answer(project, user, slot_uuid)
    if rejection is None and answer is None and slot_uuid is None:
        raise NothingToUndo(_("There is nothing to take back here."))
    if rejection is None or (answer is not None and answer.created_at > rejection.created_at):
        return labelling.undo(project, user, slot_uuid)
    slot = queue.take(project, user, rejection.slot.uuid)
    Rejection.objects.filter(pk=rejection.pk).update(is_taken_back=True)
    return slot


def _last_rejection(project: Project, user: User, slot_uuid: uuid.UUID | None) -> Rejection | None:
    mine = Rejection.objects.filter(project=project, person=user, is_taken_back=False)
    if slot_uuid is not None:
        mine = mine.filter(slot__uuid=slot_uuid)
    return mine.select_related("slot").order_by("-pk").first()


def _last_answer(project: Project, user: User, slot_uuid: uuid.UUID | None) -> Annotation | None:
    mine = Annotation.objects.filter(
        project=project,
        labeller__user=user,
        slot__isnull=False,
        is_retraction=False,
        superseded_by__isnull=True,
    )
    if slot_uuid is not None:
        mine = mine.filter(slot__uuid=slot_uuid)
    return mine.order_by("-pk").first()
