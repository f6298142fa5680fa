"""What a person may know about their own work: pace, how often others agree, what reviewers said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from statistics import median
from typing import Any

from django.utils import timezone

from annotation.models import Annotation, Labeller, Project, Review, SchemaVersion, Slot
from annotation.quality.intervals import wilson
from annotation.selectors import gold, own_agreement, schemas
from annotation.selectors.own_agreement import FieldAgreement
from annotation.selectors.queue import response_order
from annotation.selectors.value_text import value_text

DAYS = 14
RECENT = 1000  # own answers that agreement and median time are taken from
FEEDBACK = 20
MOST_SAID = 200  # characters of an answer


@dataclass(frozen=True)
class Share:
    """k of n with a 95 % interval; value is None while n is 0."""

    k: int
    n: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Feedback:
    """One answer that a reviewer looked at."""

    review: Review
    text: str
    mine: str
    corrected: str | None


@dataclass(frozen=True)
class GoldWork:
    """Own results on items whose answer is known; empty where the project does not tell them."""

    right: Share
    results: list[GoldFeedback]


@dataclass(frozen=True)
class GoldFeedback:
    text: str
    mine: str
    expected: str
    is_right: bool
    note: str
    at: datetime


@dataclass(frozen=True)
class OwnWork:
    """One project of a person. `days` has every day of the last two weeks, the oldest first."""

    project: Project
    days: list[tuple[date, int]]
    total: int
    median_seconds: float | None
    checked: Share
    agreement: list[FieldAgreement]
    feedback: list[Feedback]
    gold: GoldWork

    @property
    def has_one_field(self) -> bool:
        return len(self.agreement) == 1


def own_work(user: Any, project: Project) -> OwnWork:
    """Seven queries, one more where gold results are told; each bounded: by two weeks, by `RECENT` answers or by
    `FEEDBACK` reviews.
    """
    days = _days(user, project)
    recent = list(
        Annotation.objects.filter(
            project=project,
            labeller__user=user,
            labeller__kind=Labeller.Kind.PERSON,
            slot__isnull=False,
            is_retraction=False,
            superseded_by__isnull=True,
        )
        .exclude(slot__purpose__in=Slot.MEASURING)
        .order_by("-pk")
        .only("item_id", "value", "active_ms", "labeller_id")[:RECENT]
    )
    timed = [one.active_ms / 1000 for one in recent if one.active_ms]
    return OwnWork(
        project=project,
        days=days,
        total=sum(count for _, count in days),
        median_seconds=median(timed) if timed else None,
        checked=_checked(user, project),
        agreement=own_agreement.by_field(user, project, recent),
        feedback=_feedback(user, project),
        gold=_gold(user, project),
    )


def _days(user: Any, project: Project) -> list[tuple[date, int]]:
    today = timezone.localdate()
    first = today - timedelta(days=DAYS - 1)
    since = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=DAYS - 1)
    moments = Slot.objects.filter(
        project=project, person=user, state=Slot.State.DONE, done_at__gte=since
    ).values_list("done_at", flat=True)
    counts = Counter(timezone.localdate(moment) for moment in moments)
    return [(day, counts[day]) for day in (first + timedelta(days=i) for i in range(DAYS))]


def _checked(user: Any, project: Project) -> Share:
    verdicts = Counter(
        Review.objects.filter(
            project=project,
            kind=Review.Kind.SPOT_CHECK,
            state=Review.State.DONE,
            annotation__labeller__user=user,
            verdict__in=[Review.Verdict.RIGHT, Review.Verdict.WRONG],
        ).values_list("verdict", flat=True)
    )
    return share(verdicts[Review.Verdict.RIGHT], verdicts.total())


def share(k: int, n: int) -> Share:
    if n == 0:
        return Share(0, 0, None, None, None)
    estimate = wilson(k, n)
    return Share(k, n, estimate.value, estimate.low, estimate.high)


def _feedback(user: Any, project: Project) -> list[Feedback]:
    """The latest checks of own answers that were corrected or have a note."""
    schema = schemas.current(project)
    reviews = (
        Review.objects.filter(project=project, state=Review.State.DONE, annotation__labeller__user=user)
        .exclude(verdict=Review.Verdict.RIGHT, note="")
        .select_related("annotation", "correction", "item")
        .order_by("-decided_at")[:FEEDBACK]
    )
    return [
        Feedback(
            review=one,
            text=one.item.text,
            mine=_said(one.annotation, schema, order, one.item.text) or "–",
            corrected=_said(one.correction, schema, order, one.item.text),
        )
        for one in reviews
        for order in [response_order(user, one.item.uuid, one.item.data)]
    ]


def _gold(user: Any, project: Project) -> GoldWork:
    """How own answers to gold items compare with what is known, the wrong ones to read again."""
    schema = schemas.current(project)
    found = gold.told(project, user) if schema is not None else []
    if schema is None:
        return GoldWork(share(0, 0), [])
    say = partial(value_text, schema.definition, longest=MOST_SAID)
    results = [
        GoldFeedback(
            text=one.text,
            mine=say(one.value, order=one.order, text=one.text),
            expected=say(one.expected, order=one.order, text=one.text),
            is_right=one.is_right,
            note=one.note,
            at=one.at,
        )
        for one in found[:FEEDBACK]
    ]
    return GoldWork(share(sum(one.is_right for one in found), len(found)), results)


def _said(
    annotation: Annotation | None, schema: SchemaVersion | None, order: Sequence[str], text: str
) -> str | None:
    if annotation is None or schema is None:
        return None
    return value_text(schema.definition, annotation.value, longest=MOST_SAID, order=order, text=text)


def last_project(user: Any) -> str | None:
    """The slug of the project in which `user` answered last."""
    labeller_ids = list(
        Labeller.objects.filter(user=user, kind=Labeller.Kind.PERSON).values_list("pk", flat=True)
    )
    return (
        Annotation.objects.filter(labeller_id__in=labeller_ids)
        .order_by("-pk")
        .values_list("project__slug", flat=True)
        .first()
    )
