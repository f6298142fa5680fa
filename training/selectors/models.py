"""Reading models, their evaluations and decisions."""

from __future__ import annotations

from django.db.models import Prefetch, QuerySet

from annotation.models import Project
from training.models import Decision, Deployment, Evaluation, ModelVersion


def deployed(project: Project) -> ModelVersion | None:
    """The model that suggests and scores in the project now."""
    live = Deployment.objects.filter(project=project, ended_at__isnull=True).select_related(
        "model__run", "model__artifact"
    )
    row = live.first()
    return row.model if row else None


def for_project(project: Project) -> QuerySet[ModelVersion]:
    """All models, newest first, with their evaluations and decisions at hand."""
    evaluations = Evaluation.objects.order_by("-id").select_related("baseline")
    return (
        ModelVersion.objects.filter(project=project)
        .select_related("run__dataset", "artifact")
        .prefetch_related(
            Prefetch("evaluations", evaluations), Prefetch("decisions", Decision.objects.select_related("by"))
        )
    )


def gives_labels(model: ModelVersion) -> bool:
    """Whether its probabilities are a distribution over labels, of which the likeliest is its answer."""
    return label_type(model) == "classification"


def label_type(model: ModelVersion) -> str:
    """The task type that it learnt; older models learnt one label, and say nothing."""
    field = model.figures.get("field") or {"type": "classification"}
    return str(field["type"])


def scoring_precision(model: ModelVersion) -> str:
    """In which it reads the pool: always the same, so that the values of its column can be compared."""
    return str(model.figures.get("scoring", "fp32"))


def latest_evaluation(model: ModelVersion) -> Evaluation | None:
    return model.evaluations.select_related("baseline", "dataset").first()


def standing_decision(model: ModelVersion) -> Decision | None:
    """The newest decision on a model: an engineer's word comes after the rule's and so holds."""
    return model.decisions.select_related("by", "evaluation").first()
