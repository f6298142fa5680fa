"""The pool over the API: what is computed, computing ahead; for engineers. Searching, for reviewers."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from annotation.permissions import can_review
from annotation.selectors.projects import get_project
from jobs.models import Job
from selection.errors import BadQuery
from selection.index.choice import KINDS
from selection.models import Column, PoolIndex
from selection.permissions import may_run_rounds
from selection.selectors import pool_state
from selection.services import builds, indexing, neighbours, pool, refreshes


class ColumnSerializer(serializers.Serializer):
    kind = serializers.CharField()
    by = serializers.CharField()
    rows = serializers.IntegerField()
    shards = serializers.IntegerField()
    is_current = serializers.BooleanField()


class IndexSerializer(serializers.ModelSerializer):
    class Meta:
        model = PoolIndex
        fields = [
            *("kind", "factory", "count", "probes", "recall_at_10", "queries", "tried", "note", "created_at")
        ]


class PoolSerializer(serializers.Serializer):
    items = serializers.IntegerField()
    lacking = serializers.IntegerField(help_text="items without a vector")
    columns = ColumnSerializer(many=True)
    index = IndexSerializer(allow_null=True)


class KindSerializer(serializers.Serializer):
    kind = serializers.ChoiceField(
        choices=KINDS,
        required=False,
        allow_blank=True,
        help_text="blank: what fits the memory best; left out: the kind that somebody chose, if there is one",
    )


class PoolJobSerializer(serializers.Serializer):
    job = serializers.UUIDField()


class NeighbourSerializer(serializers.Serializer):
    row = serializers.IntegerField(source="item.row")
    item = serializers.UUIDField(source="item.uuid")
    text = serializers.CharField(source="item.text")
    similarity = serializers.FloatField(help_text="cosine, 1 is the same")


class PoolViews(viewsets.GenericViewSet):
    queryset = Column.objects.none()
    serializer_class = PoolSerializer
    pagination_class = None

    @extend_schema(summary="Columns and index of a project's pool", responses=PoolSerializer)
    def list(self, request: Request, slug: str) -> Response:
        project = get_project(request.user, slug, may_run_rounds)
        return Response(PoolSerializer(pool_state.read(project, pool.embedding_key(project))).data)

    @extend_schema(summary="Compute lacking vectors ahead", request=None, responses={202: PoolJobSerializer})
    @action(detail=False, methods=["post"])
    def embed(self, request: Request, slug: str) -> Response:
        return _started(builds.ensure_embeddings, request, slug)

    @extend_schema(
        summary="Build the index or bring it up to date",
        request=KindSerializer,
        responses={202: PoolJobSerializer},
    )
    @action(detail=False, methods=["post"])
    def index(self, request: Request, slug: str) -> Response:
        project = get_project(request.user, slug, may_run_rounds)
        order = KindSerializer(data=request.data)
        order.is_valid(raise_exception=True)
        kind = order.validated_data.get("kind", indexing.asked_for(indexing.current(project)))
        return Response({"job": indexing.ensure(project, kind=kind, by=request.user).uuid}, status=202)

    @extend_schema(
        summary="Pick the free part of the batch again", request=None, responses={202: PoolJobSerializer}
    )
    @action(detail=False, methods=["post"])
    def refresh(self, request: Request, slug: str) -> Response:
        return _started(refreshes.launch, request, slug)

    @extend_schema(
        summary="Items of the pool that are like a text, or like an item",
        parameters=[OpenApiParameter("text", str), OpenApiParameter("row", int)],
        responses=NeighbourSerializer(many=True),
    )
    @action(detail=False, methods=["get"])
    def similar(self, request: Request, slug: str) -> Response:
        project = get_project(request.user, slug, can_review)
        row = request.query_params.get("row", "")
        if row and not (row.isdecimal() and len(row) < 19):
            raise BadQuery(f"row: found {row!r}, expected a whole number")
        text = request.query_params.get("text", "")
        found = neighbours.near(project, int(row)) if row else neighbours.near_text(project, text)
        return Response(NeighbourSerializer(found, many=True).data)


def _started(launch: Any, request: Request, slug: str) -> Response:
    project = get_project(request.user, slug, may_run_rounds)
    job: Job = launch(project, by=request.user)
    return Response({"job": job.uuid}, status=202)
