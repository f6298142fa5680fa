"""Suggestions before there is a model, over the API; for engineers of the project."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.api.exports import EstimateShape
from annotation.api.shapes import checked
from annotation.selectors.projects import get_project
from training.permissions import may_train
from training.selectors import suggestions as reads
from training.services import suggestions
from training.suggestion_sources import ORDERS, QUEUE, SOURCES


class AskedForSuggestions(serializers.Serializer):
    source = serializers.ChoiceField(list(SOURCES))
    field = serializers.CharField(
        default="",
        allow_blank=True,
        max_length=40,
        help_text="Default: the first that the source suggests for.",
    )
    limit = serializers.IntegerField(default=200, min_value=0, help_text="Items; 0 only measures.")
    order = serializers.ChoiceField(list(ORDERS), default=QUEUE)


class RunShape(serializers.Serializer):
    job = serializers.UUIDField(source="job.uuid")
    state = serializers.CharField(source="job.state")
    progress = serializers.FloatField(source="job.progress")
    error = serializers.CharField(source="job.error", allow_blank=True)
    source = serializers.CharField()
    field = serializers.CharField()
    limit = serializers.IntegerField()
    order = serializers.CharField()
    looked_at = serializers.IntegerField(allow_null=True)
    stored = serializers.IntegerField(allow_null=True)


class MeasuredShape(serializers.Serializer):
    source = serializers.CharField()
    field = serializers.CharField()
    right = EstimateShape()
    commonest = serializers.FloatField(help_text="What always giving the commonest answer would get right.")
    is_calibrated = serializers.BooleanField()


class SuggestionsShape(serializers.Serializer):
    runs = RunShape(many=True)
    measured = MeasuredShape(many=True)


class Suggestions(APIView):
    @extend_schema(
        summary="Suggestions without a model: their jobs, and how right they were", responses=SuggestionsShape
    )
    def get(self, request: Request, slug: str) -> Response:
        project = get_project(request.user, slug, may_train)
        found = {"runs": reads.runs(project), "measured": reads.measured(project)}
        return Response(SuggestionsShape(found).data)

    @extend_schema(
        summary="Suggest for open items, by label descriptions or a small language model",
        request=AskedForSuggestions,
        responses={201: RunShape},
    )
    def post(self, request: Request, slug: str) -> Response:
        project = get_project(request.user, slug, may_train)
        given = checked(AskedForSuggestions, request.data)
        job = suggestions.launch(project, **given, by=request.user)  # type: ignore[arg-type]
        return Response(RunShape(reads.run_of(job)).data, status=201)

    @extend_schema(summary="Take back all such suggestions that nobody has acted on", responses={202: None})
    def delete(self, request: Request, slug: str) -> Response:
        project = get_project(request.user, slug, may_train)
        suggestions.withdraw(project, by=request.user)  # type: ignore[arg-type]
        return Response(status=202)
