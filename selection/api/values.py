"""The worth of labels over the API; for engineers of the project."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from annotation.models import Project
from annotation.selectors.projects import get_project
from jobs.models import Job
from selection.permissions import may_run_rounds
from selection.selectors import values as reads
from selection.services import values


class SuspectSerializer(serializers.Serializer):
    row = serializers.IntegerField()
    text = serializers.CharField()
    label = serializers.CharField()
    rank = serializers.IntegerField(help_text="1 is the most suspect")
    suspicion = serializers.FloatField(help_text="share of items that look better")
    value = serializers.FloatField(help_text="KNN-Shapley; below 0 it misleads")
    reasons = serializers.ListField(child=serializers.CharField())


class SourceSerializer(serializers.Serializer):
    source = serializers.CharField()
    n = serializers.IntegerField()
    mean = serializers.FloatField()
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    total = serializers.FloatField()


class ValuationSerializer(serializers.Serializer):
    made_at = serializers.DateTimeField()
    items = serializers.IntegerField()
    validation = serializers.IntegerField()
    basis = serializers.ChoiceField(choices=["validation", "folds"])
    harmful = serializers.IntegerField(help_text="items of a value below 0")
    sources = SourceSerializer(many=True)
    page = serializers.IntegerField()
    pages = serializers.IntegerField()
    suspects = SuspectSerializer(many=True)


class TaughtSerializer(serializers.Serializer):
    row = serializers.IntegerField()
    text = serializers.CharField()
    label = serializers.CharField()
    amount = serializers.FloatField(help_text="part of the logit")


class AttributionSerializer(serializers.Serializer):
    row = serializers.IntegerField()
    text = serializers.CharField()
    label = serializers.CharField()
    probability = serializers.FloatField()
    given = serializers.CharField(allow_blank=True, help_text="its own label; empty where it has none")
    for_it = TaughtSerializer(many=True)
    against = TaughtSerializer(many=True)


class ValueJobSerializer(serializers.Serializer):
    job = serializers.UUIDField()


class RetrainSerializer(serializers.Serializer):
    retrain = serializers.BooleanField(
        default=False, help_text="data Shapley too, which retrains small models"
    )


class Values(viewsets.GenericViewSet):
    queryset = Job.objects.none()
    serializer_class = ValuationSerializer
    pagination_class = None

    @extend_schema(
        summary="The newest valuation: sources, and a page of labels to look at again, most suspect first",
        parameters=[OpenApiParameter("page", int)],
        responses=ValuationSerializer,
    )
    def list(self, request: Request, slug: str) -> Response:
        project, job = self._valuation(request, slug)
        page = request.query_params.get("page", "1")
        found = reads.suspects(project, job, int(page) if page.isdecimal() and len(page) < 10 else 1)
        summary = reads.read_summary(reads.folder(job))
        answer = {
            **{name: summary[name] for name in ("items", "validation", "basis", "harmful", "sources")},
            "made_at": job.finished_at,
            "page": found.page,
            "pages": found.pages,
            "suspects": [asdict(one) for one in found.rows],
        }
        return Response(ValuationSerializer(answer).data)

    @extend_schema(
        summary="Value the labels anew", request=RetrainSerializer, responses={202: ValueJobSerializer}
    )
    def create(self, request: Request, slug: str) -> Response:
        project = get_project(request.user, slug, may_run_rounds)
        order = RetrainSerializer(data=request.data)
        order.is_valid(raise_exception=True)
        job = values.launch(project, **order.validated_data, by=request.user)
        return Response({"job": job.uuid}, status=202)

    @extend_schema(
        summary="Which labels taught the prediction for one item",
        parameters=[OpenApiParameter("row", int, OpenApiParameter.PATH)],
        responses=AttributionSerializer,
    )
    @action(detail=False, url_path=r"attribution/(?P<row>\d{1,18})")
    def attribution(self, request: Request, slug: str, row: str) -> Response:
        project, job = self._valuation(request, slug)
        found = reads.attribution(project, job, int(row))
        if found is None:
            raise NotFound("There is no item of this row, or it has no vector yet: value the labels anew.")
        return Response(AttributionSerializer(asdict(found)).data)

    def _valuation(self, request: Request, slug: str) -> tuple[Project, Any]:
        project = get_project(request.user, slug, may_run_rounds)
        job = reads.newest(project)
        if job is None:
            raise NotFound("The labels of this project have not been valued yet: POST to this address first.")
        return project, job
