"""Models, runs and decisions over the API; for engineers of the project."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from annotation.selectors.projects import get_project
from training.models import Comparison, Decision, Evaluation, ModelVersion, TrainingRun
from training.permissions import may_train
from training.selectors import comparisons, evaluations, models, runs
from training.services import decisions


class RunSerializer(serializers.ModelSerializer):
    dataset = serializers.IntegerField(source="dataset.number", read_only=True)
    job = serializers.UUIDField(source="job.uuid", read_only=True, allow_null=True)

    class Meta:
        model = TrainingRun
        fields = [
            *("uuid", "number", "learner", "state", "error", "dataset", "job", "spec"),
            *("created_at", "finished_at"),
        ]
        read_only_fields = fields


class EvaluationSerializer(serializers.ModelSerializer):
    dataset = serializers.IntegerField(source="dataset.number", read_only=True)
    baseline = serializers.IntegerField(source="baseline.number", read_only=True, allow_null=True)

    class Meta:
        model = Evaluation
        fields = ["uuid", "dataset", "baseline", "figures", "created_at"]
        read_only_fields = fields


class DecisionSerializer(serializers.ModelSerializer):
    by = serializers.CharField(source="by.username", read_only=True, allow_null=True, default=None)

    class Meta:
        model = Decision
        fields = ["action", "proven", "reason", "by", "created_at"]
        read_only_fields = ["proven", "by", "created_at"]


class ComparisonSerializer(serializers.ModelSerializer):
    """A model that went on (`model`) beside a fresh start (`fresh`); `figures` has both, and the difference."""

    dataset = serializers.IntegerField(source="dataset.number", read_only=True)
    model = serializers.IntegerField(source="model.number", read_only=True)
    fresh = serializers.IntegerField(source="fresh.number", read_only=True)
    chosen = serializers.IntegerField(source="chosen.number", read_only=True)
    reason = serializers.SerializerMethodField()

    class Meta:
        model = Comparison
        fields = ["uuid", "dataset", "model", "fresh", "chosen", "why", "reason", "figures", "created_at"]
        read_only_fields = fields

    def get_reason(self, comparison: Comparison) -> str:
        return comparisons.view(comparison).reason


class ModelSerializer(serializers.ModelSerializer):
    run = serializers.IntegerField(source="run.number", read_only=True)
    dataset = serializers.IntegerField(source="run.dataset.number", read_only=True)
    evaluations = EvaluationSerializer(many=True, read_only=True)
    decisions = DecisionSerializer(many=True, read_only=True)

    class Meta:
        model = ModelVersion
        fields = ["uuid", "number", "run", "dataset", "labels", "evaluations", "decisions", "created_at"]
        read_only_fields = fields


@extend_schema_view(
    list=extend_schema(summary="Training runs of a project, newest first"),
    retrieve=extend_schema(summary="One training run"),
)
class Runs(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    queryset = TrainingRun.objects.none()
    serializer_class = RunSerializer
    lookup_field = "number"
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return runs.for_project(get_project(self.request.user, self.kwargs["slug"], may_train))


@extend_schema_view(
    list=extend_schema(summary="Models of a project, newest first"),
    retrieve=extend_schema(summary="One model with its evaluations and decisions"),
)
class Models(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    queryset = ModelVersion.objects.none()
    serializer_class = ModelSerializer
    lookup_field = "number"
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return models.for_project(get_project(self.request.user, self.kwargs["slug"], may_train))

    @extend_schema(
        summary="Comparisons of a model with a fresh start, newest first",
        responses=ComparisonSerializer(many=True),
    )
    @action(detail=True, serializer_class=ComparisonSerializer, pagination_class=None)
    def comparisons(self, request: Request, slug: str, number: str) -> Response:
        project = get_project(request.user, slug, may_train)
        found = comparisons.for_model(evaluations.get_model(project, int(number)))
        return Response(ComparisonSerializer(found, many=True).data)

    @extend_schema(
        summary="Overrule what was decided on a model",
        request=DecisionSerializer,
        responses={201: DecisionSerializer},
    )
    @action(detail=True, methods=["post"], serializer_class=DecisionSerializer)
    def decision(self, request: Request, slug: str, number: str) -> Response:
        project = get_project(request.user, slug, may_train)
        given = DecisionSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        model = evaluations.get_model(project, int(number))
        stored = decisions.overrule(
            model,
            action=given.validated_data["action"],
            reason=given.validated_data["reason"],
            by=request.user,
        )
        return Response(DecisionSerializer(stored).data, status=201)
