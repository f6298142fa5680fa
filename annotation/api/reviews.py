"""The reviewer's queue."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from annotation.api.shapes import checked
from annotation.models import Project, Review
from annotation.permissions import can_review
from annotation.selectors import review_cards
from annotation.selectors.projects import get_project
from annotation.services import reviews


class LookShape(serializers.Serializer):
    """One answer to the item. People are numbered in the order in which they answered; 0 is an import."""

    person = serializers.IntegerField()
    value = serializers.DictField(help_text="Field name to answer.")
    said = serializers.CharField(
        help_text="The value in words; responses are A, B ... in the order of content."
    )
    active_seconds = serializers.FloatField(allow_null=True)
    accepted = serializers.BooleanField(help_text="A suggestion was shown and taken unchanged.")
    is_checked = serializers.BooleanField(help_text="The answer that this spot check is about.")
    edits = serializers.CharField(help_text="How far a text is from its draft, in words; or empty.")


class ReviewShape(serializers.Serializer):
    uuid = serializers.UUIDField()
    kind = serializers.ChoiceField(Review.Kind.choices)
    text = serializers.CharField()
    content = serializers.DictField(help_text="Messages, and responses in the order to show them in.")
    value = serializers.DictField(help_text="The answer under a spot check; empty for a dispute.")
    looks = LookShape(many=True)


class NextReview(serializers.Serializer):
    review = ReviewShape(allow_null=True)


class DecideRequest(serializers.Serializer):
    verdict = serializers.ChoiceField(Review.Verdict.choices)
    value = serializers.DictField(
        default=None,
        allow_null=True,
        help_text="The right label, where the given one is wrong, or people disagree.",
    )
    note = serializers.CharField(default="", allow_blank=True, max_length=500)
    client_key = serializers.CharField(default="", allow_blank=True, max_length=64)


class DecideAnswer(serializers.Serializer):
    uuid = serializers.UUIDField()
    state = serializers.ChoiceField(Review.State.choices)
    verdict = serializers.ChoiceField(Review.Verdict.choices)
    next = ReviewShape(allow_null=True)


@extend_schema(summary="Take the next spot check or dispute", responses=NextReview)
@api_view(["GET"])
def next_review(request: Request, slug: str) -> Response:
    """The one that the caller has open, else the oldest that nobody has; null when none is waiting."""
    project = get_project(request.user, slug, can_review)
    return Response({"review": _next(project, request)})


@extend_schema(summary="Decide a review", request=DecideRequest, responses=DecideAnswer)
@api_view(["POST"])
def decide(request: Request, slug: str, uuid: UUID) -> Response:
    """A wrong answer is superseded by `value`; a dispute is settled by it."""
    project = get_project(request.user, slug, can_review)
    review = get_object_or_404(Review.objects.select_related("project"), uuid=uuid, project=project)
    asked = checked(DecideRequest, request.data)
    decided = reviews.decide(
        review,
        request.user,
        asked["verdict"],
        value=asked["value"],
        note=asked["note"],
        client_key=asked["client_key"],
    )
    body = {"uuid": decided.uuid, "state": decided.state, "verdict": decided.verdict}
    return Response({**body, "next": _next(project, request)})


def _next(project: Project, request: Request) -> dict[str, Any] | None:
    review = reviews.claim_next(project, request.user)
    if review is None:
        return None
    card = review_cards.card(review)
    return {
        "uuid": card.review.uuid,
        "kind": card.review.kind,
        "text": card.text,
        "content": card.content,
        "value": card.given,
        "looks": [vars(look) for look in card.looks],
    }
