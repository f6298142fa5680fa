"""Tables of this app in the database admin. Services own them: looking is allowed, editing is not."""

from __future__ import annotations

from django.contrib import admin

from jobs.admin.jobs import ReadOnly
from training.models import (
    BaseModel,
    Comparison,
    Decision,
    Deployment,
    Evaluation,
    ModelVersion,
    TrainingRun,
)


@admin.register(BaseModel)
class BaseModelAdmin(ReadOnly):
    list_display = ["project", "name", "kind", "architecture", "parameters", "is_default", "folder"]
    list_select_related = ["project"]


@admin.register(TrainingRun)
class TrainingRunAdmin(ReadOnly):
    list_display = ["project", "number", "learner", "state", "dataset", "created_at"]
    list_filter = ["state", "learner"]
    list_select_related = ["project", "dataset"]


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnly):
    list_display = ["project", "number", "run", "created_at"]
    list_select_related = ["project", "run__project"]


@admin.register(Evaluation)
class EvaluationAdmin(ReadOnly):
    list_display = ["project", "model", "baseline", "dataset", "created_at"]
    list_select_related = ["project", "model", "baseline", "dataset"]


@admin.register(Comparison)
class ComparisonAdmin(ReadOnly):
    list_display = ["project", "model", "fresh", "chosen", "why", "dataset", "created_at"]
    list_select_related = ["project", "model", "fresh", "chosen", "dataset"]


@admin.register(Decision)
class DecisionAdmin(ReadOnly):
    list_display = ["project", "model", "action", "proven", "by", "created_at"]
    list_select_related = ["project", "model", "by"]


@admin.register(Deployment)
class DeploymentAdmin(ReadOnly):
    list_display = ["project", "model", "started_at", "ended_at", "by"]
    list_select_related = ["project", "model", "by"]
