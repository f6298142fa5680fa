"""The labelling page's own endpoints: take items, answer, pass on, take back, keep.

Every answer that stores something may be sent again: a retry after a lost reply changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from annotation.api.shapes import checked
from annotation.models import Project, SchemaVersion
from annotation.permissions import can_label
from annotation.selectors import progress
from annotation.selectors import queue as queue_selectors
from annotation.selectors.projects import get_project
from annotation.services import discussions, labelling, queue

HELD = 3  # what a page holds unless it says otherwise: the item on the screen and two behind it
MOST = 50


class PrelabelShape(serializers.Serializer):
    uuid = serializers.UUIDField()
    value = serializers.DictField(help_text="Field name to answer; it may leave fields out.")
    confidence = serializers.FloatField()


class SlotShape(serializers.Serializer):
    """One item to look at.

    `content`: its messages, and its responses in the order to show them in. `drafts`: what each field begins
    from. `previous`: the value that was taken back. `explanation`: why it was picked.
    """

    slot = serializers.UUIDField()
    text = serializers.CharField()
    lease_expires_at = serializers.DateTimeField(allow_null=True)
    content = serializers.DictField()
    meta = serializers.ListField(child=serializers.DictField(child=serializers.CharField()))
    prelabel = PrelabelShape(allow_null=True)
    prelabel_mode = serializers.CharField()
    drafts = serializers.DictField()
    scores = serializers.DictField(child=serializers.FloatField())
    explanation = serializers.DictField(allow_null=True)
    previous = serializers.DictField(allow_null=True)


class TodayShape(serializers.Serializer):
    today = serializers.IntegerField()
    goal = serializers.IntegerField()


class NextAnswer(serializers.Serializer):
    slots = SlotShape(many=True)
    progress = TodayShape()
    message = serializers.CharField(
        help_text="Why there is nothing; empty when there is no reason but the end."
    )


class HeldRequest(serializers.Serializer):
    """`exclude`: slots that the caller holds already; it gets more only until it holds `count`."""

    exclude = serializers.ListField(child=serializers.UUIDField(), default=list, max_length=200)
    count = serializers.IntegerField(default=HELD, min_value=0, max_value=MOST)


class SubmitRequest(HeldRequest):
    slot = serializers.UUIDField()
    value = serializers.DictField(help_text='Field name to value, labels by id: {"label": "refund"}')
    client_key = serializers.CharField(
        max_length=64, help_text="Made by the caller, a new one for each answer."
    )
    prelabel = serializers.UUIDField(
        default=None, allow_null=True, help_text="The suggestion that was shown."
    )
    active_ms = serializers.IntegerField(default=0, min_value=0, max_value=10**12)
    schema = serializers.IntegerField(
        default=None,
        allow_null=True,
        help_text="Number of the version that the fields shown were of: one that changed meanwhile is told.",
    )


class SubmitAnswer(serializers.Serializer):
    stored = serializers.BooleanField()
    created = serializers.BooleanField(help_text="False when this client key was stored before.")
    annotation = serializers.UUIDField()
    schema = serializers.IntegerField(help_text="Number of the current version.")
    next = SlotShape(many=True)
    progress = TodayShape()


class SkipRequest(HeldRequest):
    slot = serializers.UUIDField()
    reason = serializers.CharField(max_length=300)
    client_key = serializers.CharField(default="", allow_blank=True, max_length=64)


class SkipAnswer(serializers.Serializer):
    skipped = serializers.UUIDField()
    next = SlotShape(many=True)
    progress = TodayShape()


class FlagRequest(serializers.Serializer):
    slot = serializers.UUIDField()
    text = serializers.CharField(help_text="What is to be discussed; plain text, at most 4,000 characters.")
    client_key = serializers.CharField(default="", allow_blank=True, max_length=64)


class FlagAnswer(serializers.Serializer):
    discussion = serializers.UUIDField()
    flagged = serializers.UUIDField(help_text="The slot: it stays one's own.")


class UndoRequest(serializers.Serializer):
    """`slot`: the answer to take back; without it the last one. With it, asking twice takes back once."""

    slot = serializers.UUIDField(default=None, allow_null=True)


class UndoAnswer(serializers.Serializer):
    slot = SlotShape()
    progress = TodayShape()


class SlotsRequest(serializers.Serializer):
    slots = serializers.ListField(child=serializers.UUIDField(), max_length=200)


class LeaseShape(serializers.Serializer):
    slot = serializers.UUIDField()
    lease_expires_at = serializers.DateTimeField()


class RenewAnswer(serializers.Serializer):
    slots = LeaseShape(many=True)


class ReleaseAnswer(serializers.Serializer):
    released = serializers.IntegerField()


@extend_schema(
    summary="Take items to label: those one holds, topped up to count",
    parameters=[
        OpenApiParameter("count", int, description=f"How many to hold, 1 to {MOST}; {HELD} by default.")
    ],
    responses=NextAnswer,
)
@api_view(["GET"])
def take_next(request: Request, slug: str) -> Response:
    project = _project(request, slug)
    asked = checked(HeldRequest, {"count": request.query_params.get("count", HELD)})
    return Response(
        {
            "slots": _held(project, request, asked["count"]),
            "progress": progress.today(project, request.user),
            "message": _reason(project),
        }
    )


@extend_schema(summary="Store an answer", request=SubmitRequest, responses=SubmitAnswer)
@api_view(["POST"])
def submit(request: Request, slug: str) -> Response:
    project = _project(request, slug)
    asked = checked(SubmitRequest, request.data)
    stored = labelling.submit(
        project,
        request.user,
        asked["slot"],
        asked["value"],
        client_key=asked["client_key"],
        prelabel_uuid=asked["prelabel"],
        active_ms=asked["active_ms"],
        schema_number=asked["schema"],
    )
    return Response(
        {
            "stored": True,
            "created": stored.created,
            "annotation": stored.annotation.uuid,
            "schema": stored.schema.number,
            "next": _topped_up(project, request, asked, stored.schema),
            "progress": progress.today(project, request.user),
        }
    )


@extend_schema(summary="Pass an item on, with a reason", request=SkipRequest, responses=SkipAnswer)
@api_view(["POST"])
def skip(request: Request, slug: str) -> Response:
    project = _project(request, slug)
    asked = checked(SkipRequest, request.data)
    slot = queue.skip(project, request.user, asked["slot"], asked["reason"])
    return Response(
        {
            "skipped": slot.uuid,
            "next": _topped_up(project, request, asked),
            "progress": progress.today(project, request.user),
        }
    )


@extend_schema(summary="Flag an item for discussion", request=FlagRequest, responses=FlagAnswer)
@api_view(["POST"])
def flag(request: Request, slug: str) -> Response:
    project = _project(request, slug)
    asked = checked(FlagRequest, request.data)
    comment = discussions.flag(
        project, request.user, asked["slot"], asked["text"], client_key=asked["client_key"]
    )
    return Response({"discussion": comment.discussion.uuid, "flagged": asked["slot"]})


@extend_schema(
    summary="Take an answer back; the item is one's own again", request=UndoRequest, responses=UndoAnswer
)
@api_view(["POST"])
def undo(request: Request, slug: str) -> Response:
    project = _project(request, slug)
    asked = checked(UndoRequest, request.data)
    slot = labelling.undo(project, request.user, asked["slot"])
    [payload] = queue_selectors.payloads(project, request.user, [slot])
    return Response({"slot": payload.to_json(), "progress": progress.today(project, request.user)})


@extend_schema(
    summary="Keep items for longer; the answer names those that are still one's own",
    request=SlotsRequest,
    responses=RenewAnswer,
)
@api_view(["POST"])
def renew(request: Request, slug: str) -> Response:
    project = _project(request, slug)
    slots = queue.renew(project, request.user, checked(SlotsRequest, request.data)["slots"])
    kept = [{"slot": slot.uuid, "lease_expires_at": slot.lease_expires_at} for slot in slots]
    return Response({"slots": kept})


@extend_schema(summary="Give items back unlabelled", request=SlotsRequest, responses=ReleaseAnswer)
@api_view(["POST"])
def release(request: Request, slug: str) -> Response:
    project = _project(request, slug)
    slots = checked(SlotsRequest, request.data)["slots"]
    return Response({"released": queue.release(project, request.user, slots)})


def _project(request: Request, slug: str) -> Project:
    return get_project(request.user, slug, can_label)


def _held(
    project: Project,
    request: Request,
    count: int,
    exclude: Collection[UUID] = (),
    schema: SchemaVersion | None = None,
) -> list[dict[str, Any]]:
    slots = queue.lease(project, request.user, count=count) if count else []
    fresh = [slot for slot in slots if slot.uuid not in exclude]
    shown = queue_selectors.payloads(project, request.user, fresh, schema=schema)
    return [one.to_json() for one in shown]


def _topped_up(
    project: Project, request: Request, asked: Mapping[str, Any], schema: SchemaVersion | None = None
) -> list[dict[str, Any]]:
    """New items for a page that holds `exclude`; asks for none where it holds enough."""
    held = set(asked["exclude"]) - {asked["slot"]}
    return _held(project, request, asked["count"], held, schema) if len(held) < asked["count"] else []


def _reason(project: Project) -> str:
    if project.state == Project.State.PAUSED:
        return _("The project is paused: an admin can take it up again in its settings.")
    return ""
