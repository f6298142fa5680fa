"""What a person sees of a slot. Its purpose is not told: nobody shall work differently on a check."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from accounts.models import User
from annotation.models import Annotation, Labeller, Prelabel, Project, SchemaVersion, Slot
from annotation.selectors import schemas


@dataclass(frozen=True, kw_only=True)
class SlotPayload:
    """One slot as the labelling page and the API show it. Labels by id."""

    slot: UUID
    text: str
    lease_expires_at: datetime.datetime | None
    prelabel: dict[str, Any] | None
    prelabel_mode: str
    scores: dict[str, float] = field(default_factory=dict)
    explanation: dict[str, Any] | None = None
    previous: str | None = None

    def to_json(self) -> dict[str, Any]:
        expires = self.lease_expires_at
        return {
            "slot": str(self.slot),
            "text": self.text,
            "lease_expires_at": expires.isoformat() if expires else None,
            "prelabel": self.prelabel,
            "prelabel_mode": self.prelabel_mode,
            "scores": self.scores,
            "explanation": self.explanation,
            "previous": self.previous,
        }


def shown_prelabels(project: Project, slots: Sequence[Slot]) -> dict[int, Prelabel]:
    """The suggestion to show, by slot id: the newest of a model; never on an evaluation slot, whose labels
    judge
    models.

    One query, or none where the project shows no suggestions.
    """
    open_to = [slot for slot in slots if slot.purpose != Slot.Purpose.EVALUATION]
    if not project.prelabels_shown or not open_to:
        return {}
    newest: dict[int, Prelabel] = {}
    found = Prelabel.objects.filter(
        item_id__in=[slot.item_id for slot in open_to],
        labeller__kind__in=[Labeller.Kind.MODEL, Labeller.Kind.RULE],
    )
    for prelabel in found.order_by("pk"):
        newest[prelabel.item_id] = prelabel
    return {slot.pk: newest[slot.item_id] for slot in open_to if slot.item_id in newest}


def payloads(
    project: Project, user: User, slots: Sequence[Slot], *, schema: SchemaVersion | None = None
) -> list[SlotPayload]:
    """The slots as they are shown. Three queries, however many slots, or two where the schema is at hand; a
    slot that was undone brings its old answer.
    """
    if not slots:
        return []
    name = str(schemas.label_field(schema or schemas.require(project))["name"])
    shown = shown_prelabels(project, slots)
    previous = _undone(user, slots)
    result = []
    for slot in slots:
        prelabel = shown.get(slot.pk)
        label = prelabel.value.get(name) if prelabel else None
        result.append(
            SlotPayload(
                slot=slot.uuid,
                text=slot.item.text,
                lease_expires_at=slot.lease_expires_at,
                prelabel=(
                    {"uuid": str(prelabel.uuid), "label": label, "confidence": prelabel.confidence}
                    if prelabel and label
                    else None
                ),
                prelabel_mode="shown" if prelabel and label else "none",
                scores=prelabel.scores if prelabel and project.likely_first else {},
                explanation=slot.explanation or None,
                previous=previous.get(slot.pk, {}).get(name),
            )
        )
    return result


def _undone(user: User, slots: Sequence[Slot]) -> dict[int, dict[str, Any]]:
    """The value that was taken back, by slot id, for slots whose last word is a retraction."""
    retractions = Annotation.objects.filter(
        slot__in=[slot.pk for slot in slots],
        is_retraction=True,
        superseded_by__isnull=True,
        supersedes__isnull=False,
        labeller__user=user,
    )
    return dict(retractions.values_list("slot_id", "supersedes__value"))


def suggested(project: Project, slot_uuid: UUID, prelabel_uuid: UUID | None) -> str:
    """The label of the suggestion that a slot shows; empty where it shows none, or no longer this one."""
    slot = Slot.objects.filter(project=project, uuid=slot_uuid).first()
    prelabel = shown_prelabels(project, [slot]).get(slot.pk) if slot else None
    if prelabel is None or prelabel_uuid not in (None, prelabel.uuid):
        return ""
    return str(prelabel.value.get(str(schemas.label_field(schemas.require(project))["name"]), ""))
