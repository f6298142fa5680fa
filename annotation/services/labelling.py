"""Answers: submitted once each, taken back by a retraction, corrected by superseding; nothing is lost."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import DateTimeField, QuerySet, UUIDField
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.selectors.prepared import given, insert, prepared, prepared_update
from annotation.errors import LabelRefused, NothingToUndo, SchemaChanged, SlotTaken, SlotUnknown
from annotation.models import Annotation, Labeller, Prelabel, Project, SchemaVersion, Slot
from annotation.selectors import gold, past_answers, prelabel_policy, schemas
from annotation.selectors.queue import presentation_seed
from annotation.services import labellers, overlap, queue, resolutions, reviews
from annotation.services.archive import guard_writable
from annotation.task_types import registry
from annotation.task_types.content import Content, content_of
from annotation.task_types.registry import InvalidValue

LONGEST_LOOK_MS = 24 * 3600 * 1000
_MODE = Annotation.PrelabelMode


@dataclass(frozen=True)
class Submission:
    """What came of a submit. `created` is False when the same client key was stored before. `schema`: the
    current one, which may be newer than that of the answer."""

    annotation: Annotation
    slot: Slot
    created: bool
    schema: SchemaVersion


@transaction.atomic
def submit(
    project: Project,
    user: User,
    slot_uuid: uuid.UUID,
    value: Mapping[str, Any],
    *,
    client_key: str,
    prelabel_uuid: uuid.UUID | None = None,
    active_ms: int = 0,
    check_share: float | None = None,
    schema_number: int | None = None,
) -> Submission:
    """Store one answer: field name -> value, labels by id.

    Sending the same `client_key` again stores nothing and gives the answer that is there. An answer after the
    lease ran out is kept if the item is still free. A second answer to one's own slot corrects the first. A
    share of all answers (`check_share`, else the project's) is drawn for a spot check, and the item's final
    label is brought up to date, all in one transaction; neither for an answer that measures the person (gold).

    `schema_number` is the version that the fields on the screen were of. An answer that also fits the current
    one is stored under the version that it was given to.

    Raises:
        LabelRefused: the value does not fit the schema, or the client key is missing; nothing typed is lost,
        the value is in the details.
        SchemaChanged: it does not fit the current schema, and the fields were of an older one.
        SlotUnknown, SlotTaken: see `queue.take`.
        ProjectArchived: nothing may be written any more.
    """
    guard_writable(project)
    _guard_key(client_key)
    labeller = _locked(project, user)
    earlier = _stored(labeller, client_key)
    current, guideline_id = schemas.in_force(project)
    if earlier is not None:
        return Submission(earlier, earlier.slot, created=False, schema=current)
    slot = queue.take(project, user, slot_uuid, value=dict(value))
    content = content_of(slot.item.text, slot.item.data)
    schema, answer = _under(project, current, schema_number, value, content)
    if slot.state == Slot.State.SKIPPED:
        raise SlotTaken(_("You skipped this item: it has gone to somebody else."), details={"value": answer})
    standing = _standing(project, slot)
    annotation = Annotation(
        project=project,
        item=slot.item,
        slot=slot,
        labeller=labeller,
        schema_version=schema,
        guideline_version_id=guideline_id,
        value=answer,
        client_key=client_key,
        supersedes_id=standing,
        active_ms=max(0, min(int(active_ms), LONGEST_LOOK_MS)),
        **_begun_from(project, user, schema, slot, content, answer, prelabel_uuid),
    )
    insert(annotation)
    _finish(project, slot, annotation, current, check_share)
    return Submission(annotation, slot, created=True, schema=current)


def _guard_key(client_key: str) -> None:
    if not 0 < len(client_key) <= 64:
        raise LabelRefused(
            _("The answer came without a key of its own (1 to 64 characters): load the page again.")
        )


def _begun_from(
    project: Project,
    user: User,
    schema: SchemaVersion,
    slot: Slot,
    content: Content,
    answer: Mapping[str, Any],
    told: uuid.UUID | None,
) -> dict[str, Any]:
    """Fields of the annotation that say what the person saw, and how the answer came about."""
    prelabel, mode = _prelabel(project, schema, slot, told)
    shown = prelabel if mode == _MODE.SHOWN else None
    return {
        "prelabel": prelabel,
        "prelabel_mode": mode,
        "accepted_prelabel": shown is not None and prelabel_policy.agrees(shown.value, answer),
        "trace": _trace(schema, user, slot, content, answer, shown),
    }


def _finish(
    project: Project, slot: Slot, annotation: Annotation, current: SchemaVersion, check_share: float | None
) -> None:
    """What follows from an answer that was just stored."""
    slot.state, slot.lease_expires_at = Slot.State.DONE, None
    slot.done_at = slot.done_at or timezone.now()
    _done().run(pk=slot.pk, at=slot.done_at)
    if annotation.supersedes_id is not None:
        reviews.withdraw(annotation.supersedes_id)
    if slot.is_measuring:
        return
    reviews.draw(project, annotation, check_share)
    if resolutions.resolve_locked(project, [slot.item], current).unsure:
        overlap.settle_on_commit(project, current, slot.item_id)


def _under(
    project: Project,
    current: SchemaVersion,
    number: int | None,
    value: Mapping[str, Any],
    content: Content,
) -> tuple[SchemaVersion, dict[str, Any]]:
    """The version that an answer is stored under, and the answer as it is stored."""
    if number in (None, current.number):
        return current, checked(current, value, content)
    given_to = project.schemas.filter(number=number).first()
    try:
        checked(current, value, content)
        if given_to is not None:
            return given_to, checked(given_to, value, content)
    except LabelRefused as error:
        raise SchemaChanged(
            _(
                "The fields have changed while you were labelling, and this answer does not fit the new ones: "
                "%(reason)s. What you entered is kept: look it over and send it again."
            )
            % {"reason": str(error).rstrip(".。")},
            details={"value": dict(value), "schema": current.number},
        ) from error
    return current, checked(current, value, content)


@prepared_update(state=Slot.State.DONE, lease_expires_at=None, done_at=given("at", DateTimeField()))
def _done() -> QuerySet[Slot]:
    return Slot.objects.filter(pk=given("pk"))


def checked(
    schema: SchemaVersion, value: Mapping[str, Any], content: Content | None = None
) -> dict[str, Any]:
    """The value as it is stored; `LabelRefused`, with the value in its details, where the schema or the item
    does not take it.
    """
    try:
        return registry.validate_value(schema.definition, value, content)
    except InvalidValue as error:
        raise LabelRefused(error.sentence, details={"value": value}) from error


def _trace(
    schema: SchemaVersion,
    user: User,
    slot: Slot,
    content: Content,
    answer: Mapping[str, Any],
    shown: Prelabel | None,
) -> dict[str, Any]:
    begun_from = registry.drafts(schema.definition, shown.value if shown else None, content)
    return registry.traces(
        schema.definition, answer, content, begun_from, presentation_seed(user.uuid, slot.item.uuid)
    )


def _locked(project: Project, user: User) -> Labeller:
    """The person's labeller, held until the transaction ends: what one person sends twice at once comes one
    after the other, and the second time it is there already.
    """
    found = _person().first(project=project.pk, key=str(user.uuid))
    return found or _people().get(pk=labellers.person(project, user).pk)


def _people() -> QuerySet[Labeller]:
    return Labeller.objects.select_for_update(of=("self",), no_key=True)


@prepared
def _person() -> QuerySet[Labeller]:
    mine = _people().filter(project=given("project"), kind=Labeller.Kind.PERSON, key=given("key"))
    return mine.only("project")


def _stored(labeller: Labeller, client_key: str) -> Annotation | None:
    pk = _by_key().first(project=labeller.project_id, labeller=labeller.pk, key=client_key)
    return None if pk is None else Annotation.objects.select_related("slot").get(pk=pk)


@prepared
def _by_key() -> QuerySet[Annotation]:
    mine = Annotation.objects.filter(project=given("project"), labeller=given("labeller"))
    return mine.filter(client_key=given("key")).order_by().values_list("pk", flat=True)


def _standing(project: Project, slot: Slot) -> int | None:
    """The id of the last word on this slot, a retraction included; a reviewer's correction of it stays."""
    said = _said().rows(slot=slot.pk)
    last = next((pk for pk, later in said if later is None), None)
    if said and (last is None or gold.is_told(project, slot)):
        raise SlotTaken(_("A reviewer has decided on this item already: it cannot be labelled again."))
    return last


@prepared
def _said() -> QuerySet[Annotation]:
    said = Annotation.objects.filter(slot=given("slot")).order_by("pk")
    return said.values_list("pk", "superseded_by")


def _prelabel(
    project: Project, schema: SchemaVersion, slot: Slot, told: uuid.UUID | None
) -> tuple[Prelabel | None, str]:
    """The suggestion for this answer, and how it was shown. `told` is what the client says it showed.

    What it does not name was hidden by the draw, or not seen: it came after the item was handed out, or is never
    shown. What it names though it would not be shown now is only claimed: by a client that guesses, or by a page
    from before the settings changed. That counts neither for how far suggestions pull nor as unaided. Only the
    draw makes "hidden", so that shown and hidden can be compared.
    """
    if told is not None:
        named = _named().first(uuid=told, item=slot.item_id)
        if named is not None:
            is_shown = prelabel_policy.is_shown(project, schema.definition, slot, named)
            return named, _MODE.SHOWN if is_shown else _MODE.CLAIMED
    showing = prelabel_policy.showings(project, [slot], schema.definition).get(slot.pk)
    if showing is None:
        return None, _MODE.NONE
    return showing.prelabel, _MODE.HIDDEN if showing.mode == _MODE.HIDDEN else _MODE.UNSEEN


@prepared
def _named() -> QuerySet[Prelabel]:
    named = Prelabel.objects.filter(uuid=given("uuid", UUIDField()), item=given("item"))
    return named.select_related("labeller").order_by().only("value", "labeller__kind")


@transaction.atomic
def undo(project: Project, user: User, slot_uuid: uuid.UUID | None = None) -> Slot:
    """Take back one's last answer, or the one to a given slot: a retraction supersedes it and the item is
    one's own again.

    With `slot_uuid`, asking twice takes back once.

    Raises:
        NothingToUndo: there is no answer of one's own left that nobody has reviewed.
        SlotUnknown: the slot is not one's own.
    """
    guard_writable(project)
    labeller = _locked(project, user)
    mine = Annotation.objects.filter(
        project=project,
        labeller=labeller,
        slot__isnull=False,
        is_retraction=False,
        superseded_by__isnull=True,
    )
    if slot_uuid is not None:
        slot = (
            Slot.objects.select_related("item").filter(project=project, uuid=slot_uuid, person=user).first()
        )
        if slot is None:
            raise SlotUnknown(_("This item is not one that you have labelled here."))
        mine = mine.filter(slot=slot)
        if slot.state == Slot.State.LEASED and not mine.exists():
            return slot
    last = past_answers.changeable(project, mine).order_by("-pk").first()
    if last is None:
        raise NothingToUndo(
            _("There is nothing to take back: your earlier answers here were reviewed, or there are none.")
        )
    slot = queue.take(project, user, last.slot.uuid)
    if Annotation.objects.filter(supersedes=last).exists():
        raise NothingToUndo(_("A reviewer has decided on this answer meanwhile: it stays as it is."))
    _retract(project, slot, last)
    return slot


def _retract(project: Project, slot: Slot, last: Annotation) -> None:
    """A retraction of the answer: the slot is its labeller's again, the item has the label it had without."""
    Annotation.objects.create(
        project=project,
        item_id=last.item_id,
        slot=slot,
        labeller_id=last.labeller_id,
        schema_version_id=last.schema_version_id,
        is_retraction=True,
        client_key=f"undo-{last.uuid}",
        supersedes=last,
    )
    reviews.withdraw(last.pk)
    slot.state, slot.done_at = Slot.State.LEASED, None
    slot.lease_expires_at = timezone.now() + datetime.timedelta(seconds=project.lease_seconds)
    slot.save(update_fields=["state", "done_at", "lease_expires_at"])
    if not slot.is_measuring:
        resolutions.resolve_locked(project, [slot.item], schemas.require(project))
