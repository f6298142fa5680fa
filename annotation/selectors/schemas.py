"""The current schema and guideline of a project."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.translation import gettext as _

from accounts.selectors.prepared import given, prepared
from annotation.errors import SchemaMissing
from annotation.models import GuidelineVersion, Project, SchemaVersion
from annotation.task_types.labels import lookup
from annotation.task_types.registry import field_of


def current(project: Project) -> SchemaVersion | None:
    """The newest schema version; None while the project has no labels yet."""
    newest = _newest_schema().first(project=project.pk)
    return _frozen_schema(*newest) if newest else None


@prepared
def _newest_schema() -> QuerySet[SchemaVersion]:
    versions = SchemaVersion.objects.filter(project=given("project")).order_by("-number")
    return versions.values_list("pk", "created_at")[:1]


@lru_cache(maxsize=256)
def _frozen_schema(pk: int, created_at: datetime.datetime) -> SchemaVersion:
    """A version never changes, so it is read once; its time tells it from one that had its number before a
    rollback.
    """
    return SchemaVersion.objects.get(pk=pk)


def require(project: Project) -> SchemaVersion:
    """The newest schema version.

    Raises:
        SchemaMissing: there is none yet.
    """
    schema = current(project)
    if schema is None:
        raise SchemaMissing(_("This project has no labels yet: add them in its settings."))
    return schema


def in_force(project: Project) -> tuple[SchemaVersion, int | None]:
    """What every answer notes: the newest schema version, and the id of the newest guideline version, whose text
    may be long. Raises as `require`.
    """
    found = _in_force().first(project=project.pk)
    if found is None:
        return require(project), None
    return _frozen_schema(*found[:2]), found[2]


@prepared
def _in_force() -> QuerySet[SchemaVersion]:
    guidelines = GuidelineVersion.objects.filter(project=OuterRef("project")).order_by("-number")
    versions = SchemaVersion.objects.filter(project=given("project")).order_by("-number")
    return versions.values_list("pk", "created_at", Subquery(guidelines.values("pk")[:1]))[:1]


def current_guideline(project: Project) -> GuidelineVersion | None:
    return project.guidelines.order_by("-number").first()


def importable(schema: SchemaVersion | None) -> dict[str, str]:
    """Label id by what a label column may call it; empty where the first field is not single labels."""
    field = label_field(schema) if schema is not None else {}
    return lookup(field) if field.get("type") == "classification" else {}


def label_field(schema: SchemaVersion) -> Mapping[str, Any]:
    """The schema's first field: the one that models learn and imports fill."""
    return field_of(schema.definition)
