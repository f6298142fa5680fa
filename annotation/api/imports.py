"""Files in: upload, choose the columns, follow, fetch what was turned away."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, serializers
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.wording import said
from annotation.api.shapes import checked
from annotation.intake.records import FORMATS
from annotation.models import Import, Project, RejectedRow
from annotation.permissions import can_engineer
from annotation.selectors import imports as reads
from annotation.selectors.projects import get_project
from annotation.services import imports
from annotation.views.downloads import download


class ImportSerializer(serializers.ModelSerializer):
    class Meta:
        model = Import
        fields = [
            *("uuid", "state", "file_name", "sha256", "file_info", "mapping", "lines_done", "added"),
            *("duplicates", "rejected", "labelled", "error", "created_at", "finished_at"),
        ]
        read_only_fields = fields


class RejectedSerializer(serializers.ModelSerializer):
    message = serializers.SerializerMethodField()

    class Meta:
        model = RejectedRow
        fields = ["line", "code", "message", "raw", "is_whole"]
        read_only_fields = fields

    def get_message(self, row: RejectedRow) -> str:
        return said(row.reason)


class UploadRequest(serializers.Serializer):
    """What is left out is told from the file itself."""

    file = serializers.FileField(allow_empty_file=True)  # the service says what is wrong with it
    format = serializers.ChoiceField(FORMATS, required=False)
    encoding = serializers.CharField(required=False, max_length=40)
    delimiter = serializers.CharField(required=False, max_length=1, trim_whitespace=False)
    has_header = serializers.BooleanField(default=True)


class StartRequest(serializers.Serializer):
    """Columns by name. `labels_from_file` adds the labels of the file to the project's. Labels come from one of
    `label` (answers to the first field), `value` (all answers as JSON) and `best` (the preferred response).
    """

    text = serializers.CharField(default="", allow_blank=True, help_text="May be empty beside `messages`.")
    label = serializers.CharField(default=None, allow_null=True)
    value = serializers.CharField(default=None, allow_null=True)
    messages = serializers.CharField(default=None, allow_null=True)
    responses = serializers.ListField(child=serializers.CharField(), default=list)
    best = serializers.CharField(default=None, allow_null=True)
    draft = serializers.CharField(default=None, allow_null=True)
    external_id = serializers.CharField(default=None, allow_null=True)
    split = serializers.CharField(default=None, allow_null=True)
    meta = serializers.ListField(child=serializers.CharField(), default=list)
    labels_from_file = serializers.BooleanField(default=False)


class StartAnswer(serializers.Serializer):
    job = serializers.UUIDField(help_text="Follow it at /api/v1/jobs/<uuid>.")


@extend_schema_view(get=extend_schema(summary="Imports of a project, newest first"))
class Imports(generics.ListAPIView):
    queryset = Import.objects.none()
    serializer_class = ImportSerializer

    def get_queryset(self) -> QuerySet[Import]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return reads.recent(get_project(self.request.user, self.kwargs["slug"], can_engineer))

    @extend_schema(
        summary="Upload a file",
        request={"multipart/form-data": UploadRequest},
        responses={201: ImportSerializer},
    )
    def post(self, request: Request, slug: str) -> Response:
        """The answer says what the file is (`file_info`); start it with the columns to read."""
        project = get_project(request.user, slug, can_engineer)
        asked = dict(checked(UploadRequest, request.data))
        file = asked.pop("file")
        import_run = imports.upload(project, file, file.name, by=request.user, **asked)
        return Response(ImportSerializer(import_run).data, status=201)


@extend_schema(
    summary="One import: what the file is, how far it is, what came of it", responses=ImportSerializer
)
@api_view(["GET"])
def one(request: Request, slug: str, uuid: UUID) -> Response:
    return Response(ImportSerializer(_import(request, slug, uuid)).data)


@extend_schema(summary="Start an import", request=StartRequest, responses={202: StartAnswer})
@api_view(["POST"])
def start(request: Request, slug: str, uuid: UUID) -> Response:
    """With the columns to read; one that failed goes on where it was."""
    import_run = _import(request, slug, uuid)
    asked = dict(checked(StartRequest, request.data))
    labels_from_file = asked.pop("labels_from_file")
    job = imports.start(import_run, asked, by=request.user, labels_from_file=labels_from_file)
    return Response({"job": job.uuid}, status=202)


@extend_schema_view(get=extend_schema(summary="Rows that were turned away, with line and reason"))
class Rejected(generics.ListAPIView):
    queryset = RejectedRow.objects.none()
    serializer_class = RejectedSerializer

    def get_queryset(self) -> QuerySet[RejectedRow]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return reads.rejected(_import(self.request, self.kwargs["slug"], self.kwargs["uuid"]))


@extend_schema(
    summary="The rejected rows as a file like the one sent, to mend and import again",
    responses={(200, "text/plain"): OpenApiTypes.BINARY},
)
@api_view(["GET"])
def rejected_file(request: Request, slug: str, uuid: UUID) -> Any:
    import_run = _import(request, slug, uuid)
    return download(
        reads.mend_file(import_run), reads.mend_file_name(import_run), "text/plain; charset=utf-8"
    )


def _import(request: Request, slug: str, uuid: UUID) -> Import:
    project: Project = get_project(request.user, slug, can_engineer)
    return get_object_or_404(project.imports.select_related("project"), uuid=uuid)
