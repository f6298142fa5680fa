"""Data out, streamed; and the figures of agreement."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from annotation.api.shapes import checked
from annotation.models import Item
from annotation.permissions import can_engineer
from annotation.selectors import agreement
from annotation.selectors.projects import get_project
from annotation.selectors.table_formats import FORMATS
from annotation.selectors.training_rows import Choice
from annotation.services import exports
from annotation.views.downloads import download


class ChoiceRequest(serializers.Serializer):
    """Which training examples; nothing to other exports."""

    field = serializers.CharField(
        default="", allow_blank=True, help_text="A field's name; the first if empty."
    )
    split = serializers.ChoiceField(Item.Split.choices, default="", allow_blank=True)
    dialogue = serializers.BooleanField(default=False, help_text="Write texts as dialogues of one turn.")


@extend_schema(
    summary="Download labels, annotations, items or training examples",
    parameters=[
        OpenApiParameter("what", enum=list(exports.KINDS), location=OpenApiParameter.PATH),
        OpenApiParameter("file_format", enum=list(FORMATS), location=OpenApiParameter.PATH),
        ChoiceRequest,
    ],
    responses={(200, exports.content_type(name).partition(";")[0]): OpenApiTypes.BINARY for name in FORMATS},
)
@api_view(["GET"])
def export(request: Request, slug: str, what: str, file_format: str) -> Any:
    """A stream: a project of any size is sent block by block."""
    project = get_project(request.user, slug, can_engineer)
    choice = Choice(**checked(ChoiceRequest, request.query_params))
    parts = exports.stream(project, what, file_format, by=request.user, choice=choice)
    return download(parts, exports.file_name(project, what, file_format), exports.content_type(file_format))


class EstimateShape(serializers.Serializer):
    """A figure with its 95 % interval and how many items or checks it rests on; null where not defined."""

    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    n = serializers.IntegerField()
    note = serializers.CharField()


class PairShape(serializers.Serializer):
    people = serializers.ListField(child=serializers.CharField(), min_length=2, max_length=2)
    items = serializers.IntegerField()
    percent = EstimateShape()
    kappa = EstimateShape()


class PersonShape(serializers.Serializer):
    name = serializers.CharField()
    labels = serializers.IntegerField()
    seconds = EstimateShape()
    accuracy = EstimateShape()


class AgreementAnswer(serializers.Serializer):
    looks = serializers.IntegerField()
    items = serializers.IntegerField()
    items_twice = serializers.IntegerField()
    alpha = EstimateShape()
    percent = EstimateShape()
    fleiss = EstimateShape()
    spot_checks = EstimateShape()
    unresolved = EstimateShape()
    acceptance = EstimateShape()
    pairs = PairShape(many=True)
    people = PersonShape(many=True)
    labels = serializers.ListField(child=serializers.CharField())
    between = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField()),
        help_text="How often two people gave one item these labels: rows and columns as in labels.",
    )


_FIGURES = ("alpha", "percent", "fleiss", "spot_checks", "unresolved", "acceptance")


@extend_schema(summary="How far people agree", responses=AgreementAnswer)
@api_view(["GET"])
def agreement_report(request: Request, slug: str) -> Response:
    found = agreement.report(get_project(request.user, slug, can_engineer))
    return Response(
        {
            **{name: getattr(found, name) for name in ("looks", "items", "items_twice", "between")},
            **{name: getattr(found, name).to_json() for name in _FIGURES},
            "labels": [label["id"] for label in found.labels],
            "pairs": [
                {
                    "people": [found.raters[pair.rater_a], found.raters[pair.rater_b]],
                    "items": pair.n,
                    "percent": pair.percent.to_json(),
                    "kappa": pair.kappa.to_json(),
                }
                for pair in found.pairs
            ],
            "people": [
                {
                    "name": person.name,
                    "labels": person.labels,
                    "seconds": person.seconds.to_json(),
                    "accuracy": person.accuracy.to_json(),
                }
                for person in found.people
            ],
        }
    )
