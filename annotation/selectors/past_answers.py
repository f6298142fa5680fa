"""A person's own last answers in a project, to read again and, where nobody has decided, to open again."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from annotation.models import Annotation, Labeller, Project, Review
from annotation.selectors import gold, schemas
from annotation.selectors.queue import response_order
from annotation.selectors.value_text import value_text

LAST = 200  # so many answers back
PAGE = 50
MOST_SAID = 200  # characters of an answer


@dataclass(frozen=True)
class PastAnswer:
    """`is_decided`: a reviewer has looked at it, or its result was told: it stays as it is."""

    pk: int
    slot: UUID
    text: str
    answer: str
    at: datetime.datetime
    is_decided: bool


@dataclass(frozen=True)
class Page:
    """`older` and `newer` are ids to continue from; None at an end."""

    rows: list[PastAnswer]
    older: int | None
    newer: int | None


def changeable(project: Project, answers: QuerySet[Annotation]) -> QuerySet[Annotation]:
    """Those of a person's answers on which nobody has decided: no reviewer, and no result was told."""
    reviewed = Review.objects.filter(annotation=OuterRef("pk"), state=Review.State.DONE)
    return gold.changeable(project, answers.filter(superseded_by__isnull=True)).exclude(Exists(reviewed))


def page(user: Any, project: Project, *, text: str = "", after: int | None = None) -> Page:
    """The answers whose item or answer contains `text`, the newest first, those behind the answer `after`.

    Three queries: only the last `LAST` answers are read, and looked through here.
    """
    schema = schemas.current(project)
    own = Annotation.objects.filter(
        project=project,
        labeller__user=user,
        labeller__kind=Labeller.Kind.PERSON,
        slot__isnull=False,
        is_retraction=False,
        superseded_by__slot__isnull=True,  # what one took back or corrected oneself is gone
    ).select_related("item", "slot")
    last = list(own.order_by("-created_at", "-pk")[:LAST])
    open_ones = set(
        changeable(project, Annotation.objects.filter(pk__in=[one.pk for one in last])).values_list(
            "pk", flat=True
        )
    )
    definition = schema.definition if schema is not None else {"fields": []}
    rows = [
        PastAnswer(
            pk=one.pk,
            slot=one.slot.uuid,
            text=one.item.text,
            answer=value_text(definition, one.value, longest=MOST_SAID, order=order, text=one.item.text),
            at=one.created_at,
            is_decided=one.pk not in open_ones,
        )
        for one in last
        if one.slot is not None
        for order in [response_order(user, one.item.uuid, one.item.data)]
    ]
    wanted = " ".join(text.split()).casefold()
    if wanted:
        rows = [row for row in rows if wanted in f"{row.text}\n{row.answer}".casefold()]
    start = next((at + 1 for at, row in enumerate(rows) if row.pk == after), 0)
    shown = rows[start : start + PAGE]
    back = rows[start - PAGE - 1].pk if start > PAGE else 0
    return Page(
        rows=shown,
        older=shown[-1].pk if len(rows) > start + PAGE else None,
        newer=back if start else None,
    )
