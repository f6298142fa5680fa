"""The current schema and guideline of a project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from annotation.errors import SchemaMissing
from annotation.models import GuidelineVersion, Project, SchemaVersion
from annotation.task_types.labels import lookup
from annotation.task_types.registry import field_of


def current(project: Project) -> SchemaVersion | None:
    """The newest schema version; None while the project has no labels yet."""
    return project.schemas.order_by("-number").first()


def require(project: Project) -> SchemaVersion:
    """The newest schema version.

    Raises:
        SchemaMissing: there is none yet.
    """
    schema = current(project)
    if schema is None:
        raise SchemaMissing(_("This project has no labels yet: add them in its settings."))
    return schema


def current_guideline(project: Project) -> GuidelineVersion | None:
    return project.guidelines.order_by("-number").first()


def current_guideline_id(project: Project) -> int | None:
    """The id alone: a guideline's text may be long, and every answer notes its version."""
    return project.guidelines.order_by("-number").values_list("pk", flat=True).first()


def importable(schema: SchemaVersion | None) -> dict[str, str]:
    """Label id by what a label column may call it; empty where the first field is not single labels."""
    field = label_field(schema) if schema is not None else {}
    return lookup(field) if field.get("type") == "classification" else {}


def label_field(schema: SchemaVersion) -> Mapping[str, Any]:
    """The schema's first field: the one that models learn and imports fill."""
    return field_of(schema.definition)
