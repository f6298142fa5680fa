"""What a reviewer knows before suggestions are accepted in bulk, and what came of it afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import Exists, FilteredRelation, OuterRef, Q, QuerySet

from annotation.models import (
    Annotation,
    BulkAcceptance,
    Discussion,
    GoldItem,
    Item,
    Labeller,
    Prelabel,
    Project,
    Rejection,
    Resolution,
    Review,
    Slot,
)
from annotation.quality.acceptance import Calibration, Pair, accuracy_above, calibrate
from annotation.quality.intervals import Estimate, wilson
from annotation.selectors import prelabel_policy, schemas
from annotation.selectors.looks import decided_unaided
from annotation.selectors.value_text import value_text
from annotation.task_types import registry
from annotation.task_types.registry import InvalidValue
from jobs.models import Job

ACCEPT, UNDO = "annotation.accept_in_bulk", "annotation.undo_bulk"  # kinds of jobs
EVIDENCE = 20_000  # the newest resolved suggestions that a threshold rests on
COUNTED = 50_000  # open suggestions are counted up to here
EXAMPLES = 6
ROUNDING = 1e-6
_STATE = Slot.State
_WORK = (Slot.Purpose.LABEL, Slot.Purpose.OVERLAP)
_KINDS = (Labeller.Kind.MODEL, Labeller.Kind.RULE)


@dataclass(frozen=True)
class Example:
    """An open item with its suggestion in words."""

    text: str
    said: str
    confidence: float


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What accepting the suggestions of one labeller would do now. `accuracy` is that above the threshold;
    `nearest` lie just above it, where mistakes are likeliest; `others` are drawn at random.
    """

    labeller: Labeller
    calibration: Calibration
    threshold: float | None
    accuracy: Estimate
    above: int
    is_counted: bool  # False: there are more than were counted
    nearest: list[Example]
    others: list[Example]


def labellers(project: Project) -> list[Labeller]:
    """Who has made suggestions here, the newest first."""
    suggested = Prelabel.objects.filter(labeller=OuterRef("pk"))
    found = Labeller.objects.filter(Exists(suggested), project=project, kind__in=_KINDS)
    return list(found.order_by("-pk")[:50])


def evidence(project: Project, labeller: Labeller, definition: Mapping[str, Any]) -> list[Pair]:
    """(confidence, right?) of the suggestions that could be accepted in bulk and whose item is resolved, as
    `looks.decided_unaided` demands. One query.
    """
    current = FilteredRelation("item__resolutions", condition=Q(item__resolutions__is_current=True))
    found = Prelabel.objects.filter(project=project, labeller=labeller).annotate(final=current)
    found = found.filter(decided_unaided(), final__isnull=False)
    modes = prelabel_policy.label_modes(definition)
    rows = found.order_by("-pk").values_list("value", "confidence", "final__value")[:EVIDENCE]
    return [
        Pair(confidence, prelabel_policy.agrees(value, final))
        for value, confidence, final in rows
        if is_acceptable(project, definition, modes, value)
    ]


def is_acceptable(
    project: Project, definition: Mapping[str, Any], modes: prelabel_policy.Modes, value: Mapping[str, Any]
) -> bool:
    """Whether a suggestion is open to bulk acceptance: hybrid, by the project and all labels that it
    names, and a whole answer.
    """
    if prelabel_policy.mode_of(project.mode, definition, value, modes) != Project.Mode.HYBRID:
        return False
    try:
        registry.validate_value(definition, value)
    except InvalidValue:
        return False
    return True


def open_suggestions(project: Project, labeller: Labeller, threshold: float) -> QuerySet[Prelabel]:
    """The labeller's suggestions from the threshold on, for train items that nobody has decided, holds,
    skipped, rejected, discusses, assigned, or is to label for another purpose (evaluation, control arm,
    gold); and where no suggestion goes before this one.
    """
    slots = Slot.objects.filter(item=OuterRef("item"))
    touched = slots.filter(
        Q(state__in=[_STATE.LEASED, _STATE.DONE, _STATE.SKIPPED])
        | Q(state=_STATE.FREE) & (~Q(purpose__in=_WORK) | Q(is_by_hand=True))
    )
    same_item = Prelabel.objects.filter(item=OuterRef("item"))
    better = same_item.filter(labeller__kind=labeller.kind, pk__gt=OuterRef("pk"))
    if labeller.kind == Labeller.Kind.RULE:
        better = same_item.filter(
            Q(labeller__kind=Labeller.Kind.MODEL)
            | Q(labeller__kind=Labeller.Kind.RULE, pk__gt=OuterRef("pk"))
        )
    decided = Resolution.objects.filter(item=OuterRef("item"), is_current=True)
    discussed = Discussion.objects.filter(item=OuterRef("item"), closed_at=None)
    disputed = Review.objects.filter(
        item=OuterRef("item"), kind=Review.Kind.DISPUTE, state=Review.State.PENDING
    )
    found = Prelabel.objects.filter(
        project=project,
        labeller=labeller,
        confidence__gte=threshold,
        item__split=Item.Split.TRAIN,
        item__duplicate_of__isnull=True,
        item__held_back="",
    )
    rejected = Rejection.objects.filter(prelabel=OuterRef("pk"), is_taken_back=False)
    known = GoldItem.objects.filter(item=OuterRef("item"), is_active=True)
    for hindrance in (decided, touched, better, discussed, disputed, rejected, known):
        found = found.exclude(Exists(hindrance))
    return found


def outlook(project: Project, labeller: Labeller, threshold: float | None = None) -> Outlook:
    """The calibration and what lies above it, or above a stricter `threshold`."""
    definition = schemas.require(project).definition
    pairs = evidence(project, labeller, definition)
    calibration = calibrate(pairs, project.bulk_target_accuracy)
    lowest = calibration.threshold
    if lowest is None:
        return Outlook(
            labeller=labeller,
            calibration=calibration,
            threshold=None,
            accuracy=calibration.accuracy,
            above=0,
            is_counted=True,
            nearest=[],
            others=[],
        )
    # a threshold comes back from a form as a rounded number
    chosen = lowest if threshold is None or threshold < lowest + ROUNDING else threshold
    found = open_suggestions(project, labeller, chosen)
    counted, is_counted = _count(project, definition, found)
    return Outlook(
        labeller=labeller,
        calibration=calibration,
        threshold=chosen,
        accuracy=accuracy_above(pairs, chosen),
        above=counted,
        is_counted=is_counted,
        nearest=_examples(project, definition, found.order_by("confidence", "pk")),
        others=_examples(project, definition, found.order_by("uuid")),  # uuids are random
    )


def _count(project: Project, definition: Mapping[str, Any], found: QuerySet[Prelabel]) -> tuple[int, bool]:
    modes = prelabel_policy.label_modes(definition)
    values = list(found.order_by("pk").values_list("value", flat=True)[: COUNTED + 1])
    count = sum(is_acceptable(project, definition, modes, value) for value in values[:COUNTED])
    return count, len(values) <= COUNTED


def _examples(project: Project, definition: Mapping[str, Any], found: QuerySet[Prelabel]) -> list[Example]:
    modes = prelabel_policy.label_modes(definition)
    rows: Iterable[Prelabel] = found.select_related("item")[: 10 * EXAMPLES]
    shown = [row for row in rows if is_acceptable(project, definition, modes, row.value)]
    return [
        Example(row.item.text, value_text(definition, row.value, longest=120), row.confidence)
        for row in shown[:EXAMPLES]
    ]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one acceptance, counted from its answers. `standing`: neither corrected nor taken back;
    `accuracy`: of the spot checks that are decided.
    """

    accepted: int
    standing: int
    corrected: int
    drawn: int
    pending: int
    accuracy: Estimate


def outcome(acceptance: BulkAcceptance) -> Outcome:
    """Six counts over the acceptance's own answers."""
    given = Annotation.objects.filter(bulk_acceptance=acceptance, is_retraction=False)
    checks = Review.objects.filter(annotation__bulk_acceptance=acceptance, kind=Review.Kind.SPOT_CHECK)
    decided = checks.filter(state=Review.State.DONE)
    right = decided.filter(verdict=Review.Verdict.RIGHT).count()
    wrong = decided.filter(verdict=Review.Verdict.WRONG).count()
    return Outcome(
        accepted=given.count(),
        standing=given.filter(superseded_by__isnull=True).count(),
        corrected=given.filter(superseded_by__is_retraction=False).count(),
        drawn=checks.count(),
        pending=checks.filter(state=Review.State.PENDING).count(),
        accuracy=wilson(right, right + wrong),
    )


def takeable(acceptance: BulkAcceptance) -> QuerySet[Annotation]:
    """The answers that an undo takes back: those that no person has corrected or found right."""
    confirmed = Review.objects.filter(
        annotation=OuterRef("pk"), state=Review.State.DONE, verdict=Review.Verdict.RIGHT
    )
    standing = Annotation.objects.filter(
        bulk_acceptance=acceptance, is_retraction=False, superseded_by__isnull=True
    )
    return standing.exclude(Exists(confirmed))


def job(acceptance: BulkAcceptance) -> Job | None:
    """The newest job of this acceptance: the accepting one, or the undoing one."""
    kind = ContentType.objects.get_for_model(BulkAcceptance)
    return Job.objects.filter(subject_type=kind, subject_id=str(acceptance.pk)).order_by("-pk").first()


def moving() -> Iterator[tuple[BulkAcceptance, Job | None]]:
    """Acceptances that are being carried out or undone, each with its job."""
    for acceptance in BulkAcceptance.objects.filter(
        state__in=[BulkAcceptance.State.RUNNING, BulkAcceptance.State.UNDOING]
    ).select_related("project", "labeller"):
        yield acceptance, job(acceptance)
