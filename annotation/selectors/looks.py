"""Independent looks: what people said before anybody corrected them. All figures of quality rest on these."""

from __future__ import annotations

import datetime
from typing import NamedTuple

from django.db.models import QuerySet
from django.db.models.fields.json import KT

from annotation.models import Annotation, Labeller, Project, Slot

MOST = 200_000  # the newest looks that a report reads: about a second of work


class Look(NamedTuple):
    item: int
    labeller: int
    label: str
    at: datetime.datetime
    active_ms: int
    prelabel_mode: str
    accepted_prelabel: bool


def standing(project: Project) -> QuerySet[Annotation]:
    """People's own last words on their slots.

    A look that a reviewer corrected stays in, since it says how people label; one that was taken back, or
    corrected by the same person, does not. Looks that measure the person (gold, qualification, a second look
    by the same person) are none: their items were not drawn like the others.
    """
    return Annotation.objects.filter(
        project=project,
        slot__isnull=False,
        is_retraction=False,
        labeller__kind=Labeller.Kind.PERSON,
        superseded_by__slot__isnull=True,  # not superseded at all, or by a reviewer, whose answer has no slot
    ).exclude(slot__purpose__in=Slot.MEASURING)


def newest(project: Project, field: str, *, most: int = MOST) -> list[Look]:
    """The newest looks that gave `field` a value, the oldest of them first. One query."""
    found = standing(project).annotate(label=KT(f"value__{field}")).order_by("-pk")
    rows = found.values_list(
        *("item_id", "labeller_id", "label", "created_at", "active_ms", "prelabel_mode", "accepted_prelabel")
    )[:most]
    return [look for look in map(Look._make, reversed(rows)) if look.label]
