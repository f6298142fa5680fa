"""What a person sees of a slot. Its purpose is not told: nobody shall work differently on a check."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import DateTimeField, QuerySet
from django.utils import timezone

from accounts.models import User
from accounts.selectors.prepared import given, numbered, numbered_places, prepared
from annotation.models import Annotation, Item, Prelabel, Project, SchemaVersion, Slot
from annotation.selectors import prelabel_policy, schemas
from annotation.selectors.prelabel_policy import Showing
from annotation.task_types import registry
from annotation.task_types.content import content_of
from annotation.task_types.preference import shown_order

_MODE = Annotation.PrelabelMode


@dataclass(frozen=True, kw_only=True)
class SlotPayload:
    """One slot as the labelling page and the API show it. Labels by id.

    `content`: messages, and responses in this person's order; `meta`: the columns that the schema shows.
    `prelabel`: the suggestion with its value and confidence; `drafts`: what each field begins from, by field.
    `previous`: the value that was taken back.
    """

    slot: UUID
    text: str
    lease_expires_at: datetime.datetime | None
    content: dict[str, Any] = field(default_factory=dict)
    meta: list[dict[str, str]] = field(default_factory=list)
    prelabel: dict[str, Any] | None = None
    prelabel_mode: str = "none"
    drafts: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    explanation: dict[str, Any] | None = None
    previous: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        expires = self.lease_expires_at
        return {
            "slot": str(self.slot),
            "text": self.text,
            "lease_expires_at": expires.isoformat() if expires else None,
            "content": self.content,
            "meta": self.meta,
            "prelabel": self.prelabel,
            "prelabel_mode": self.prelabel_mode,
            "drafts": self.drafts,
            "scores": self.scores,
            "explanation": self.explanation,
            "previous": self.previous,
        }


def is_anybody_labelling() -> bool:
    """Whether anybody holds an item: then long work had better write little at a time. One look at an index."""
    return bool(_any_held().rows(now=timezone.now()))


@prepared
def _any_held() -> QuerySet[Slot]:
    held = Slot.objects.filter(state=Slot.State.LEASED, lease_expires_at__gt=given("now", DateTimeField()))
    return held.order_by().values_list("pk", flat=True)[:1]


def presentation_seed(user_uuid: UUID, item_uuid: UUID) -> str:
    """What the order of an item's responses on one person's screen is drawn from."""
    return f"{user_uuid} {item_uuid}"


def payloads(
    project: Project, user: User, slots: Sequence[Slot], *, schema: SchemaVersion | None = None
) -> list[SlotPayload]:
    """The slots as they are shown. Three queries, however many slots, one fewer where the schema is at hand, and
    where all slots are fresh; a slot that was undone brings its old answer.
    """
    if not slots:
        return []
    definition = (schema or schemas.require(project)).definition
    shown = prelabel_policy.showings(project, slots, definition)
    previous = _undone(user, slots)
    return [
        _payload(project, user, slot, definition, shown.get(slot.pk), previous.get(slot.pk)) for slot in slots
    ]


def _payload(
    project: Project,
    user: User,
    slot: Slot,
    definition: Mapping[str, Any],
    showing: Showing | None,
    previous: dict[str, Any] | None,
) -> SlotPayload:
    item: Item = slot.item
    prelabel = _seen(showing)
    drafts = registry.drafts(
        definition, prelabel.value if prelabel else None, content_of(item.text, item.data)
    )
    suggestion = None
    if prelabel is not None and drafts.keys() & prelabel.value.keys():
        suggestion = {"uuid": str(prelabel.uuid), "value": prelabel.value, "confidence": prelabel.confidence}
    return SlotPayload(
        slot=slot.uuid,
        text=item.text,
        lease_expires_at=slot.lease_expires_at,
        content=shown_content(item.data, presentation_seed(user.uuid, item.uuid)),
        meta=shown_meta(definition, item.meta),
        prelabel=suggestion,
        prelabel_mode="shown" if suggestion else "none",
        drafts=drafts,
        scores=_scores(definition, prelabel) if prelabel and project.likely_first else {},
        explanation=slot.explanation or None,
        previous=previous,
    )


def _seen(showing: Showing | None) -> Prelabel | None:
    """The suggestion where it is shown. What is hidden leaves no trace on the page."""
    return showing.prelabel if showing is not None and showing.mode == _MODE.SHOWN else None


def _scores(definition: Mapping[str, Any], prelabel: Prelabel) -> dict[str, float]:
    first = registry.field_of(definition)["name"]
    return prelabel_policy.shown_scores(first, prelabel.scores, prelabel_policy.label_modes(definition))


def shown_content(data: Mapping[str, Any], seed: str) -> dict[str, Any]:
    """The item's messages, and its responses in the order of one person's screen."""
    found: dict[str, Any] = {}
    if data.get("messages"):
        found["messages"] = data["messages"]
    if data.get("responses"):
        by_id = {one["id"]: one for one in data["responses"]}
        found["responses"] = [by_id[identity] for identity in shown_order(list(by_id), seed)]
    return found


def response_order(user: User, item_uuid: UUID, data: Mapping[str, Any]) -> list[str]:
    """The ids of an item's responses as they stand on this person's screen; empty where it has none."""
    ids = [one["id"] for one in data.get("responses", ())]
    return shown_order(ids, presentation_seed(user.uuid, item_uuid))


def shown_meta(definition: Mapping[str, Any], meta: Mapping[str, Any]) -> list[dict[str, str]]:
    """The metadata that the schema shows, as text; what an item lacks is left out."""
    wanted = (definition.get("show") or {}).get("meta", ())
    return [{"name": name, "value": str(meta[name])} for name in wanted if meta.get(name) not in (None, "")]


def _undone(user: User, slots: Sequence[Slot]) -> dict[int, dict[str, Any]]:
    """The value that was taken back, by slot id, for slots whose last word is a retraction."""
    ids = [slot.pk for slot in slots if not slot.is_fresh]
    return dict(_taken_back(len(ids)).rows(user=user.pk, **numbered(ids))) if ids else {}


@prepared
def _taken_back(count: int) -> QuerySet[Annotation]:
    retractions = Annotation.objects.filter(
        slot__pk__in=numbered_places(count),
        is_retraction=True,
        superseded_by__isnull=True,
        supersedes__isnull=False,
        labeller__user=given("user"),
    )
    return retractions.values_list("slot_id", "supersedes__value")


def suggested(project: Project, slot_uuid: UUID, prelabel_uuid: UUID | None) -> dict[str, Any]:
    """The value of the suggestion that a slot shows; empty where it shows none, or no longer this one."""
    slot = Slot.objects.filter(project=project, uuid=slot_uuid).first()
    if slot is None:
        return {}
    definition = schemas.require(project).definition
    prelabel = _seen(prelabel_policy.showings(project, [slot], definition).get(slot.pk))
    if prelabel is None or prelabel_uuid not in (None, prelabel.uuid):
        return {}
    return dict(prelabel.value)


def has_open_work(project: Project) -> bool:
    """Whether something waits in the queue for whoever comes: free, nobody's own, not to measure people."""
    free = Slot.objects.filter(project=project, state=Slot.State.FREE, assigned_to=None, assigned_group=None)
    return free.exclude(purpose__in=Slot.MEASURING).exists()
