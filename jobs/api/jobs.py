"""Jobs over the API: list, look, read the log, cancel, try again."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from jobs import permissions
from jobs.models import Job, JobLog
from jobs.selectors import jobs as selected
from jobs.selectors import logs
from jobs.services import jobs


class JobSerializer(serializers.ModelSerializer):
    class Meta:
        model = Job
        fields = [
            "uuid",
            "kind",
            "scope",
            "state",
            "resource",
            "progress",
            "progress_text",
            "eta_seconds",
            "params",
            "result",
            "error_code",
            "error",
            "attempts",
            "max_attempts",
            "created_at",
            "started_at",
            "finished_at",
        ]
        read_only_fields = fields


class LogLineSerializer(serializers.ModelSerializer):
    class Meta:
        model = JobLog
        fields = ["id", "at", "text"]
        read_only_fields = fields


class Jobs(mixins.ListModelMixin, viewsets.GenericViewSet):
    """Background work: what the caller started, and that of their projects."""

    queryset = Job.objects.none()
    serializer_class = JobSerializer
    lookup_field = "uuid"
    lookup_value_converter = "uuid"

    def get_queryset(self) -> QuerySet[Job]:
        found = selected.visible_to(self.request.user)
        if state := self.request.query_params.get("state"):
            found = found.filter(state=state)
        return found

    @extend_schema(
        parameters=[OpenApiParameter("state", enum=["queued", "running", "done", "failed", "cancelled"])]
    )
    def list(self, request: Request, *args: object, **kwargs: object) -> Response:
        """Jobs, newest first."""
        return super().list(request, *args, **kwargs)

    def retrieve(self, request: Request, uuid: UUID) -> Response:
        """One job: its state, progress, time left, result or error."""
        return Response(JobSerializer(permissions.get_job(request.user, uuid)).data)

    @extend_schema(
        parameters=[OpenApiParameter("after", int, description="Only lines after the one with this id.")],
        responses=LogLineSerializer(many=True),
        filters=False,
    )
    @action(detail=True, pagination_class=None)
    def log(self, request: Request, uuid: UUID) -> Response:
        """Up to 1000 lines of the log, oldest first; go on with `after` the last id."""
        after = request.query_params.get("after", "0")
        if not after.isdigit():
            raise serializers.ValidationError({"after": f"found {after!r}, expected the id of a line"})
        lines = logs.after(permissions.get_job(request.user, uuid), int(after))
        return Response(LogLineSerializer(lines, many=True).data)

    @extend_schema(request=None, responses=JobSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, uuid: UUID) -> Response:
        """Stop the job; a running one ends within seconds."""
        job = permissions.get_job_to_change(request.user, uuid)
        jobs.cancel(job, request.user)
        return Response(JobSerializer(job).data)

    @extend_schema(request=None, responses=JobSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, uuid: UUID) -> Response:
        """Run a failed or cancelled job again."""
        job = permissions.get_job_to_change(request.user, uuid)
        jobs.retry(job, request.user)
        return Response(JobSerializer(job).data)
