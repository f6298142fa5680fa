"""What an evaluation says, in the shapes that pages and the API show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from annotation.models import Project
from annotation.task_types import registry as task_types
from training.models import Evaluation, ModelVersion


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A figure with its 95 % interval (None where it has none) and n, how many items it rests on."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int = 0


@dataclass(frozen=True, kw_only=True)
class ClassRow:
    """One label's figures; None where the label never stood in the gold labels, or was never predicted."""

    label: str
    name: str
    precision: float | None
    recall: Measured | None
    f1: float | None
    n: int


@dataclass(frozen=True, kw_only=True)
class Report:
    """An evaluation, unpacked. `confusion[i][j]`: items of gold label i that the model calls j."""

    n: int
    accuracy: Measured
    macro_f1: Measured | None
    ece: Measured | None
    bins: list[tuple[float, float, int]]
    classes: list[ClassRow]
    confusion: list[list[int]]
    names: list[str]
    baseline: Measured | None
    difference: Measured | None


def for_project(project: Project) -> QuerySet[Evaluation]:
    return Evaluation.objects.filter(project=project).select_related("model", "baseline", "dataset")


def get_model(project: Project, number: int) -> ModelVersion:
    """Raises Http404 where the project has no such model."""
    found = (
        ModelVersion.objects.filter(project=project, number=number)
        .select_related("project", "run__dataset__schema_version", "run__job", "artifact")
        .first()
    )
    if found is None:
        raise Http404(_("This project has no model m%(number)s.") % {"number": number})
    return found


def _measured(figures: dict[str, Any], name: str, n: int) -> Measured | None:
    """One figure of a metrics table with its interval; None where it could not be worked out."""
    value = figures.get(name)
    if value is None:
        return None
    low, high = figures.get("intervals", {}).get(name, (None, None))
    return Measured(value=value, low=low, high=high, n=n)


def accuracy(evaluation: Evaluation) -> Measured:
    own = evaluation.figures["model"]
    found = _measured(own, "accuracy", own["n"])
    assert found is not None  # an evaluation has at least one item
    return found


def difference(evaluation: Evaluation) -> Measured | None:
    """Accuracy of the model less that of the deployed one on the same items; None where there was none."""
    given = evaluation.figures.get("difference")
    return Measured(**given) if given else None


def report(evaluation: Evaluation) -> Report:
    """Everything an evaluation's page shows."""
    own = evaluation.figures["model"]
    n, names = own["n"], label_names(evaluation)
    baseline = evaluation.figures.get("baseline")
    return Report(
        n=n,
        accuracy=accuracy(evaluation),
        macro_f1=_measured(own, "macro_f1", n),
        ece=_measured(own, "ece", n),
        bins=[(b["confidence"], b["accuracy"], b["count"]) for b in own["reliability"] if b["count"]],
        classes=[_class_row(entry, names) for entry in own["per_class"]],
        confusion=own["confusion"],
        names=[names.get(label, label) for label in own["labels"]],
        baseline=_measured(baseline, "accuracy", n) if baseline else None,
        difference=difference(evaluation),
    )


def _class_row(entry: dict[str, Any], names: dict[str, str]) -> ClassRow:
    return ClassRow(
        label=entry["label"],
        name=names.get(entry["label"], entry["label"]),
        precision=entry["precision"],
        recall=_measured(entry, "recall", entry["support"]),
        f1=entry["f1"],
        n=entry["support"],
    )


def label_names(evaluation: Evaluation) -> dict[str, str]:
    """Label id -> name in the reader's language, by the schema that the dataset was frozen with."""
    key = "name_zh" if (get_language() or "").startswith("zh") else "name"
    field = task_types.field_of(evaluation.dataset.schema_version.definition)
    return {label["id"]: label.get(key) or label["name"] for label in field["labels"]}
