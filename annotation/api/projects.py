"""Projects: list, look, make, change settings and labels."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, serializers
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response

from annotation import permissions
from annotation.api.shapes import checked
from annotation.models import Project
from annotation.project_templates import TEMPLATES
from annotation.selectors import schemas as schema_reads
from annotation.selectors.projects import get_project, projects_of
from annotation.services import projects, schemas


class ProjectSerializer(serializers.ModelSerializer):
    """A project with its settings."""

    class Meta:
        model = Project
        fields = [
            *("uuid", "slug", "name", "description", "state", "is_synthetic", "time_zone", "seed"),
            *("validation_share", "test_share", "overlap_share", "evaluation_items"),
            *("evaluation_overlap_share", "lease_seconds", "daily_goal", "spot_check_share"),
            *("mode", "prelabel_hidden_share", "bulk_target_accuracy", "bulk_check_share", "likely_first"),
            *("batch_size", "control_share", "created_at"),
        ]
        read_only_fields = ["uuid", "slug", "state", "is_synthetic", "created_at"]


class OneProjectSerializer(ProjectSerializer):
    """Beside the settings: one's own role, the current labels, and the number of the current guideline."""

    role = serializers.SerializerMethodField()
    definition = serializers.SerializerMethodField()
    guideline = serializers.SerializerMethodField()

    class Meta(ProjectSerializer.Meta):
        fields = [*ProjectSerializer.Meta.fields, "role", "definition", "guideline"]

    def get_role(self, project: Project) -> str:
        return str(permissions.role_of(self.context["user"], project))

    def get_definition(self, project: Project) -> dict[str, Any] | None:
        schema = schema_reads.current(project)
        return schema.definition if schema else None

    def get_guideline(self, project: Project) -> int | None:
        guideline = schema_reads.current_guideline(project)
        return guideline.number if guideline else None


class TemplateSerializer(serializers.Serializer):
    """What a project may begin from. `definition` is null for the one that brings no labels."""

    key = serializers.CharField()
    label = serializers.CharField()
    description = serializers.CharField()
    definition = serializers.DictField(allow_null=True)
    guideline = serializers.CharField()


class NewProject(serializers.Serializer):
    """`template`: a key of /templates. `labels`: names, or objects with name, name_zh, description, colour; they
    go before those of the template. Settings as in the answer."""

    name = serializers.CharField(max_length=120)
    slug = serializers.SlugField(required=False, max_length=60)
    template = serializers.CharField(required=False)
    labels = serializers.ListField(child=serializers.JSONField(), required=False)
    guideline = serializers.CharField(required=False, allow_blank=True)
    settings = serializers.DictField(required=False, default=dict)


class NewSchema(serializers.Serializer):
    definition = serializers.DictField()


class SchemaAnswer(serializers.Serializer):
    number = serializers.IntegerField()
    definition = serializers.DictField()


@extend_schema_view(get=extend_schema(summary="The projects one belongs to, newest first"))
class Projects(generics.ListAPIView):
    queryset = Project.objects.none()
    serializer_class = ProjectSerializer

    def get_queryset(self) -> QuerySet[Project]:
        return projects_of(self.request.user, archived=True)

    @extend_schema(summary="Make a project", request=NewProject, responses={201: OneProjectSerializer})
    def post(self, request: Request) -> Response:
        if not permissions.can_create_projects(request.user):
            raise PermissionDenied(_("Making projects is for engineers and admins: ask one of them."))
        asked = dict(checked(NewProject, request.data))
        settings = asked.pop("settings")
        labels = [one if isinstance(one, dict) else str(one) for one in asked.pop("labels", [])]
        project = projects.create(**asked, labels=labels, created_by=request.user, **_safe(settings))
        return Response(OneProjectSerializer(project, context={"user": request.user}).data, status=201)


class OneProject(generics.GenericAPIView):
    serializer_class = OneProjectSerializer
    pagination_class = None

    @extend_schema(summary="One project: settings, labels, one's own role")
    def get(self, request: Request, slug: str) -> Response:
        return self._answer(request, get_project(request.user, slug, permissions.is_member))

    @extend_schema(summary="Change settings", request=ProjectSerializer(partial=True))
    def patch(self, request: Request, slug: str) -> Response:
        project = get_project(request.user, slug, permissions.can_admin)
        given = ProjectSerializer(project, data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        projects.update_settings(project, by=request.user, **given.validated_data)
        return self._answer(request, project)

    def _answer(self, request: Request, project: Project) -> Response:
        return Response(OneProjectSerializer(project, context={"user": request.user}).data)


@extend_schema(summary="What a project may begin from", responses=TemplateSerializer(many=True))
@api_view(["GET"])
def templates(request: Request) -> Response:
    shapes = [
        {
            "key": one.key,
            "label": one.label,
            "description": one.description,
            "definition": one.definition(),
            "guideline": one.guideline,
        }
        for one in TEMPLATES.values()
    ]
    return Response(TemplateSerializer(shapes, many=True).data)


class Schema(generics.GenericAPIView):
    serializer_class = NewSchema
    pagination_class = None

    @extend_schema(summary="Publish a new version of the labels", request=NewSchema, responses=SchemaAnswer)
    def post(self, request: Request, slug: str) -> Response:
        """Labels may be added and renamed; one that was used may not go."""
        project = get_project(request.user, slug, permissions.can_admin)
        asked = checked(NewSchema, request.data)
        version = schemas.publish(project, asked["definition"], by=request.user)
        return Response({"number": version.number, "definition": version.definition})


def _safe(settings: dict[str, Any]) -> dict[str, Any]:
    """Only names of settings pass: the service's own arguments cannot be set from outside."""
    unknown = sorted(set(settings) - set(projects.SETTINGS) | {"name"} & set(settings))
    if unknown:
        raise serializers.ValidationError(
            {"settings": [_("found “%(name)s”, expected names of settings") % {"name": unknown[0]}]}
        )
    return settings
