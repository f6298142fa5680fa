"""A second pair of eyes: drawing spot checks, handing them to reviewers, and what a verdict does."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.selectors.prepared import insert
from annotation.errors import LabelRefused, ReviewRefused
from annotation.models import Annotation, Item, Project, Review, Role
from annotation.quality.spot_checks import is_drawn
from annotation.selectors import schemas
from annotation.services import labellers, resolutions, telling
from annotation.services.archive import guard_writable
from annotation.task_types.content import content_of
from annotation.task_types.registry import InvalidValue, validate_value

_PENDING, _DONE = Review.State.PENDING, Review.State.DONE
_SPOT_CHECK = Review.Kind.SPOT_CHECK


def draw(project: Project, annotation: Annotation, share: float | None = None) -> Review | None:
    """Draw this answer for a spot check with the project's probability; suggestions accepted unchanged are
    drawn alike.

    By hash of the answer's uuid, which the server makes: nobody can know beforehand which answers are
    checked. `share` replaces the project's.
    """
    share = project.spot_check_share if share is None else share
    if not is_drawn(str(annotation.uuid), share, salt=str(project.uuid)):
        return None
    return insert(
        Review(
            project=project,
            kind=_SPOT_CHECK,
            item_id=annotation.item_id,
            annotation=annotation,
            drawn_share=share,
        )
    )


def draw_many(project: Project, annotations: Sequence[Annotation], share: float) -> int:
    """Draw each of these answers for a spot check with probability `share`; how many were drawn."""
    drawn = [one for one in annotations if is_drawn(str(one.uuid), share, salt=str(project.uuid))]
    Review.objects.bulk_create(
        Review(project=project, kind=_SPOT_CHECK, item_id=one.item_id, annotation=one, drawn_share=share)
        for one in drawn
    )
    return len(drawn)


def withdraw(annotation_id: int) -> None:
    """Drop the open spot check of an answer that its own labeller has taken back or corrected."""
    Review.objects.filter(annotation=annotation_id, state=_PENDING).update(state=Review.State.WITHDRAWN)


def reviewable(project: Project, user: User):
    """Pending reviews that `user` may decide: not of their own answers, nor a dispute in which they have a
    say; nor of what they accepted in bulk, where the project has another reviewer.
    """
    own = Annotation.objects.filter(item=OuterRef("item"), labeller__user=user, is_retraction=False)
    stale = timezone.now() - datetime.timedelta(seconds=project.lease_seconds)
    pending = Review.objects.filter(project=project, state=_PENDING).exclude(Exists(own))
    if has_other_reviewer(project, user):
        pending = pending.exclude(annotation__bulk_acceptance__created_by=user)
    return pending.filter(Q(reviewer=user) | Q(reviewer__isnull=True) | Q(claimed_at__lt=stale))


def has_other_reviewer(project: Project, user: User) -> bool:
    reviewers = project.memberships.filter(
        is_active=True, user__is_active=True, role__in=[Role.REVIEWER, Role.ENGINEER, Role.ADMIN]
    )
    return reviewers.exclude(user=user).exists()


@transaction.atomic
def claim_next(project: Project, user: User) -> Review | None:
    """The review that `user` has open, else the oldest one that nobody has; None when there is none."""
    waiting = reviewable(project, user).select_related("item", "annotation")
    review = waiting.filter(reviewer=user).order_by("pk").first()
    if review is None:
        free = waiting.order_by("pk")
        if connection.features.has_select_for_update_skip_locked:
            free = free.select_for_update(of=("self",), skip_locked=True, no_key=True)
        review = free.first()
    if review is None:
        return None
    review.reviewer, review.claimed_at = user, timezone.now()
    review.save(update_fields=["reviewer", "claimed_at"])
    return review


@transaction.atomic
def decide(
    review: Review,
    reviewer: User,
    verdict: str,
    *,
    value: Mapping[str, Any] | None = None,
    note: str = "",
    client_key: str = "",
) -> Review:
    """Store a verdict. A wrong answer is superseded by `value`; a dispute is settled by `value`.

    Deciding again in the same way changes nothing.

    Raises:
        ReviewRefused: it was decided or withdrawn meanwhile, or concerns the reviewer's own answer.
        LabelRefused: "wrong", or a dispute, without a label that differs and fits the schema.
    """
    project = review.project
    guard_writable(project)
    Item.objects.select_for_update(no_key=True).only("pk").get(pk=review.item_id)  # before the review
    locked = Review.objects.select_for_update(of=("self",), no_key=True)
    review = locked.select_related(
        "annotation__labeller__user", "annotation__bulk_acceptance", "project"
    ).get(pk=review.pk)
    if review.state == _DONE and review.reviewer_id == reviewer.pk and review.verdict == verdict:
        return review
    if review.state != _PENDING:
        raise ReviewRefused(
            _("This review is %(state)s already: go on with the next one.")
            % {"state": review.get_state_display()}
        )
    if Annotation.objects.filter(item=review.item_id, labeller__user=reviewer, is_retraction=False).exists():
        raise ReviewRefused(_("You have labelled this item yourself: somebody else reviews it."))
    if _is_own_acceptance(review, reviewer):
        raise ReviewRefused(_("You accepted this suggestion in bulk yourself: somebody else reviews it."))
    if verdict not in Review.Verdict.values:
        raise ReviewRefused(
            _("The verdict “%(verdict)s” is not known: say right, wrong or unsure.") % {"verdict": verdict}
        )
    if _needs_label(review, verdict):
        review.correction = _correct(review, reviewer, value, client_key)
    review.verdict, review.state, review.reviewer = verdict, _DONE, reviewer
    review.note, review.decided_at = note.strip()[:500], timezone.now()
    review.save(update_fields=["verdict", "state", "reviewer", "note", "decided_at", "correction"])
    if review.correction is not None:
        resolutions.resolve(project, [review.item_id])
    telling.answer_reviewed(review)
    return review


def _is_own_acceptance(review: Review, reviewer: User) -> bool:
    acceptance = review.annotation.bulk_acceptance if review.annotation is not None else None
    if acceptance is None or acceptance.created_by_id != reviewer.pk:
        return False
    return has_other_reviewer(review.project, reviewer)


def _needs_label(review: Review, verdict: str) -> bool:
    if review.kind == _SPOT_CHECK:
        return verdict == Review.Verdict.WRONG
    return verdict != Review.Verdict.UNSURE


def _correct(review: Review, reviewer: User, value: Mapping[str, Any] | None, client_key: str) -> Annotation:
    """The reviewer's own answer: it has no slot, since it is no independent look, and supersedes what it
    corrects.
    """
    schema = schemas.require(review.project)
    if value is None:
        raise LabelRefused(_("Choose the label that is right."))
    try:
        answer = validate_value(schema.definition, value, content_of(review.item.text, review.item.data))
    except InvalidValue as error:
        raise LabelRefused(error.sentence, details={"value": dict(value)}) from error
    wrong = review.annotation
    if wrong is not None and wrong.value == answer:
        raise LabelRefused(_("That is the label it has: say “right”, or choose another one."))
    if wrong is not None and Annotation.objects.filter(supersedes=wrong).exists():
        raise ReviewRefused(_("The answer was changed by its labeller meanwhile: go on with the next one."))
    return Annotation.objects.create(
        project=review.project,
        item_id=review.item_id,
        labeller=labellers.person(review.project, reviewer),
        schema_version=schema,
        guideline_version=schemas.current_guideline(review.project),
        value=answer,
        client_key=client_key or f"review-{uuid.uuid4().hex}",
        supersedes=wrong,
    )
