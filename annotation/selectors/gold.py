"""What people answered to items whose answer is known, and when they are told."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from annotation.models import Annotation, GoldItem, Labeller, Project, Slot
from annotation.selectors.queue import response_order
from annotation.task_types import registry

TOLD_AFTER = datetime.timedelta(hours=1)  # long enough that nobody takes the result for the next item's
MOST = 500  # the newest answers that a result is made from
_KNOWN = (Slot.Purpose.GOLD, Slot.Purpose.QUALIFICATION)


@dataclass(frozen=True)
class GoldResult:
    """`order`: ids of the item's responses as the person saw them."""

    text: str
    value: dict[str, Any]
    expected: dict[str, Any]
    is_right: bool
    note: str
    at: datetime.datetime
    order: Sequence[str] = ()


def matches(definition: Mapping[str, Any], value: Mapping[str, Any], expected: Mapping[str, Any]) -> bool:
    """Whether an answer says what is expected in every field that has an expectation and is still asked."""
    for field in definition["fields"]:
        name = field["name"]
        if name not in expected:
            continue
        if name not in value or registry.distance(field, value, expected) > 0:
            return False
    return True


def results(project: Project, user: Any, *, before: datetime.datetime | None = None) -> list[GoldResult]:
    """A person's standing answers to items that are gold now, the newest first. One query."""
    expected = GoldItem.objects.filter(project=project, is_active=True)
    mine = Annotation.objects.filter(
        project=project,
        labeller__user=user,
        labeller__kind=Labeller.Kind.PERSON,
        slot__purpose__in=_KNOWN,
        is_retraction=False,
        superseded_by__isnull=True,
        item__gold_items__in=expected,
    )
    if before is not None:
        mine = mine.filter(slot__done_at__lte=before)
    found = mine.order_by("-pk").values_list(
        *("item__text", "value", "item__gold_items__value", "schema_version__definition"),
        *("item__gold_items__note", "created_at", "item__uuid", "item__data"),
    )
    return [
        GoldResult(
            text, value, known, matches(definition, value, known), note, at, response_order(user, uuid, data)
        )
        for text, value, known, definition, note, at, uuid, data in found[:MOST]
    ]


def told(project: Project, user: Any) -> list[GoldResult]:
    """The results that a person may see of their own."""
    if not project.gold_feedback:
        return []
    return results(project, user, before=timezone.now() - TOLD_AFTER)


def is_told(project: Project, slot: Slot) -> bool:
    """Whether its person may have seen the result, so that the answer cannot change any more."""
    if not project.gold_feedback or slot.purpose not in _KNOWN or slot.done_at is None:
        return False
    return slot.done_at <= timezone.now() - TOLD_AFTER


def changeable(project: Project, answers: QuerySet[Annotation]) -> QuerySet[Annotation]:
    """Those of the answers whose person was not told the result."""
    if not project.gold_feedback:
        return answers
    return answers.exclude(slot__purpose__in=_KNOWN, slot__done_at__lte=timezone.now() - TOLD_AFTER)
