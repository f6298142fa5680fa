"""The endpoints of the quick pass over suggestions: take, yes, no, take back."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from annotation.api.queue import HELD, MOST, HeldRequest, SlotShape, TodayShape, UndoRequest
from annotation.api.shapes import checked
from annotation.models import Project
from annotation.permissions import can_label
from annotation.selectors import progress, schemas
from annotation.selectors import suggestion_checks as reads
from annotation.selectors.projects import get_project
from annotation.services import suggestion_checks


class MarkShape(serializers.Serializer):
    """A piece of the text; `label` is empty where no span lies over it."""

    text = serializers.CharField()
    label = serializers.CharField(allow_blank=True)
    colour = serializers.CharField(allow_blank=True)


class CheckShape(SlotShape):
    """A slot with the suggestion in words (`said`) and painted into the text (`marks`)."""

    said = serializers.CharField()
    marks = MarkShape(many=True, allow_null=True)


class ChecksAnswer(serializers.Serializer):
    slots = CheckShape(many=True)
    progress = TodayShape()


class VerdictRequest(HeldRequest):
    slot = serializers.UUIDField()
    prelabel = serializers.UUIDField()
    client_key = serializers.CharField(
        max_length=64, help_text="Made by the caller, a new one for each answer."
    )
    active_ms = serializers.IntegerField(default=0, min_value=0, max_value=10**12)


class VerdictAnswer(serializers.Serializer):
    next = CheckShape(many=True)
    progress = TodayShape()


class UndoneAnswer(serializers.Serializer):
    slot = CheckShape()
    progress = TodayShape()


@extend_schema(
    summary="Take suggestions to say yes or no to",
    parameters=[
        OpenApiParameter("count", int, description=f"How many to hold, 1 to {MOST}; {HELD} by default.")
    ],
    responses=ChecksAnswer,
)
@api_view(["GET"])
def take_next(request: Request, slug: str) -> Response:
    project = get_project(request.user, slug, can_label)
    asked = checked(HeldRequest, {"count": request.query_params.get("count", HELD)})
    return Response(
        {"slots": _held(project, request, asked["count"]), "progress": progress.today(project, request.user)}
    )


@extend_schema(summary="Yes: the suggestion is the answer", request=VerdictRequest, responses=VerdictAnswer)
@api_view(["POST"])
def accept(request: Request, slug: str) -> Response:
    project = get_project(request.user, slug, can_label)
    asked = checked(VerdictRequest, request.data)
    suggestion_checks.accept(
        project,
        request.user,
        asked["slot"],
        asked["prelabel"],
        client_key=asked["client_key"],
        active_ms=asked["active_ms"],
    )
    return _next(project, request, asked)


@extend_schema(
    summary="No: the item goes to the ordinary queue", request=VerdictRequest, responses=VerdictAnswer
)
@api_view(["POST"])
def reject(request: Request, slug: str) -> Response:
    project = get_project(request.user, slug, can_label)
    asked = checked(VerdictRequest, request.data)
    suggestion_checks.reject(project, request.user, asked["slot"], asked["prelabel"])
    return _next(project, request, asked)


@extend_schema(summary="Take a yes or no back", request=UndoRequest, responses=UndoneAnswer)
@api_view(["POST"])
def undo(request: Request, slug: str) -> Response:
    project = get_project(request.user, slug, can_label)
    slot = suggestion_checks.undo(project, request.user, checked(UndoRequest, request.data)["slot"])
    [card] = reads.cards(project, request.user, [slot], schemas.require(project))
    return Response({"slot": card, "progress": progress.today(project, request.user)})


def _held(
    project: Project, request: Request, count: int, exclude: Collection[UUID] = ()
) -> list[dict[str, Any]]:
    schema = schemas.require(project)
    slots = suggestion_checks.lease(project, request.user, count=count, schema=schema) if count else []
    return reads.cards(project, request.user, [one for one in slots if one.uuid not in exclude], schema)


def _next(project: Project, request: Request, asked: dict[str, Any]) -> Response:
    """What tops up a page that holds `exclude`."""
    held = set(asked["exclude"]) - {asked["slot"]}
    more = _held(project, request, asked["count"], held) if len(held) < asked["count"] else []
    return Response({"next": more, "progress": progress.today(project, request.user)})
