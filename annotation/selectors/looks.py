"""Independent looks: what people said before anybody corrected them. All figures of quality rest on these."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.fields.json import KT

from annotation.models import Annotation, Labeller, Project, Review, Slot

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


def decided_unaided() -> Q:
    """Of rows with an `item`: it was labelled by somebody who saw no suggestion, or went through a spot check.

    Both are independent of whether a suggestion was right: an answer that changed what it was shown counts no
    more than one that took it over.
    """
    looks = Annotation.objects.filter(
        item=OuterRef("item"),
        slot__isnull=False,
        is_retraction=False,
        superseded_by__slot__isnull=True,
        labeller__kind=Labeller.Kind.PERSON,
    )
    mode = Annotation.PrelabelMode
    unaided = looks.exclude(prelabel_mode__in=[mode.SHOWN, mode.CLAIMED])
    checks = Review.objects.filter(
        item=OuterRef("item"),
        kind=Review.Kind.SPOT_CHECK,
        state=Review.State.DONE,
        verdict__in=[Review.Verdict.RIGHT, Review.Verdict.WRONG],
    )
    return Q(Exists(unaided)) | Q(Exists(checks))


def newest(project: Project, field: str, *, most: int = MOST) -> list[Look]:
    """The newest looks that gave `field` a value, the oldest of them first. One query."""
    found = standing(project).annotate(label=KT(f"value__{field}")).order_by("-pk")
    rows = found.values_list(
        *("item_id", "labeller_id", "label", "created_at", "active_ms", "prelabel_mode", "accepted_prelabel")
    )[:most]
    return [look for look in map(Look._make, reversed(rows)) if look.label]


def on_items_seen_twice(seen: Iterable[Look]) -> list[Look]:
    """Each person's first look at an item, of items that at least two people have looked at; order kept."""
    first: dict[tuple[int, int], Look] = {}
    for look in seen:
        first.setdefault((look.item, look.labeller), look)
    counts: dict[int, int] = defaultdict(int)
    for item, _labeller in first:
        counts[item] += 1
    return [look for look in first.values() if counts[look.item] > 1]


def names(labellers: Iterable[int]) -> dict[int, str]:
    """Names by labeller; users' names, since those are what colleagues know."""
    found = Labeller.objects.filter(pk__in=list(labellers)).select_related("user")
    return {one.pk: str(one.user) if one.user else one.name for one in found}
