"""Rounds over the API; for engineers of the project."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from annotation.selectors.projects import get_project
from selection.errors import BadSpec
from selection.models import Round, RoundStation
from selection.permissions import may_run_rounds
from selection.round_spec import RoundSpec
from selection.selectors import rounds as reads
from selection.services import replays, rounds


class StationSerializer(serializers.ModelSerializer):
    job = serializers.UUIDField(source="job.uuid", read_only=True, allow_null=True, default=None)
    progress = serializers.FloatField(source="job.progress", read_only=True, allow_null=True, default=None)
    eta_seconds = serializers.FloatField(
        source="job.eta_seconds", read_only=True, allow_null=True, default=None
    )

    class Meta:
        model = RoundStation
        fields = [
            *("name", "state", "note", "detail", "job", "progress", "eta_seconds"),
            *("started_at", "finished_at"),
        ]
        read_only_fields = fields


class RoundSerializer(serializers.ModelSerializer):
    stations = StationSerializer(many=True, read_only=True)
    dataset = serializers.IntegerField(source="dataset.number", read_only=True, allow_null=True, default=None)
    run = serializers.IntegerField(source="run.number", read_only=True, allow_null=True, default=None)
    model = serializers.IntegerField(source="model.number", read_only=True, allow_null=True, default=None)
    batch = serializers.IntegerField(source="batch.number", read_only=True, allow_null=True, default=None)

    class Meta:
        model = Round
        fields = [
            *("uuid", "number", "state", "error", "spec", "stations", "dataset", "run", "model", "batch"),
            *("created_at", "finished_at"),
        ]
        read_only_fields = fields


class LaunchSerializer(serializers.Serializer):
    """What is left out has its default: the project's batch size and control share, strategy "default"."""

    strategy = serializers.CharField(required=False)
    settings = serializers.DictField(required=False)
    batch_size = serializers.IntegerField(required=False, min_value=0)
    control_share = serializers.FloatField(required=False, min_value=0, max_value=1)
    seed = serializers.IntegerField(required=False, min_value=0)
    learner = serializers.CharField(required=False)
    learner_settings = serializers.DictField(required=False)
    pool_limit = serializers.IntegerField(required=False, min_value=1)
    weigh_by_value = serializers.BooleanField(required=False)
    compare_fresh = serializers.BooleanField(required=False)
    note = serializers.CharField(required=False, max_length=500)


class ReplaySerializer(serializers.Serializer):
    job = serializers.UUIDField()


@extend_schema_view(
    list=extend_schema(summary="Rounds of a project, newest first"),
    retrieve=extend_schema(summary="One round with its stations"),
)
class Rounds(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet):
    queryset = Round.objects.none()
    serializer_class = RoundSerializer
    lookup_field = "number"
    lookup_value_regex = r"\d+"

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return reads.for_project(get_project(self.request.user, self.kwargs["slug"], may_run_rounds))

    @extend_schema(summary="Launch a round", request=LaunchSerializer, responses={201: RoundSerializer})
    def create(self, request: Request, slug: str) -> Response:
        project = get_project(request.user, slug, may_run_rounds)
        given = LaunchSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        defaults = {"batch_size": project.batch_size, "control_share": project.control_share}
        try:
            spec = RoundSpec(**{**defaults, **given.validated_data})
        except ValueError as error:
            raise BadSpec(error) from error
        round_ = rounds.launch(project, spec, by=request.user)
        return self._answer(round_, status=201)

    @extend_schema(summary="Cancel a round", request=None, responses=RoundSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, slug: str, number: str) -> Response:
        round_ = self._round(request, slug, number)
        rounds.cancel(round_, by=request.user)
        return self._answer(round_)

    @extend_schema(summary="Take a failed round up again", request=None, responses=RoundSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, slug: str, number: str) -> Response:
        round_ = self._round(request, slug, number)
        rounds.retry(round_, by=request.user)
        return self._answer(round_)

    @extend_schema(
        summary="Pick again and compare; the job's result says whether the picks are identical",
        request=None,
        responses={202: ReplaySerializer},
    )
    @action(detail=True, methods=["post"], serializer_class=ReplaySerializer)
    def replay(self, request: Request, slug: str, number: str) -> Response:
        job = replays.launch(self._round(request, slug, number), by=request.user)
        return Response({"job": job.uuid}, status=202)

    def _round(self, request: Request, slug: str, number: str) -> Round:
        return reads.get_round(get_project(request.user, slug, may_run_rounds), int(number))

    def _answer(self, round_: Round, status: int = 200) -> Response:
        fresh = reads.get_round(round_.project, round_.number)
        return Response(RoundSerializer(fresh).data, status=status)
