"""What an evaluation says, in the shapes that pages and the API show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
class Figure:
    """A headline figure of a report. `is_share`: told in percent; else as a number."""

    name: str
    measured: Measured
    is_share: bool = True


@dataclass(frozen=True, kw_only=True)
class Table:
    """`counts[i][j]`: items whose true value is names[i] and which the model calls names[j]."""

    title: str
    counts: list[list[int]]
    names: list[str]


@dataclass(frozen=True, kw_only=True)
class Report:
    """An evaluation, unpacked. `figures`: those of the type of label, the one that decides first; `difference`
    is that one's. `bins` are empty where the answer is no single label. `is_scale`: the classes are points of
    scales, in their order."""

    n: int
    figures: list[Figure]
    levels: list[Figure]
    bins: list[tuple[float, float, int]]
    classes: list[ClassRow]
    tables: list[Table]
    difference: Figure | None
    is_scale: bool = False


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


# Figures by type of label, the one that decides first.
_SHOWN = {
    "classification": ("accuracy", "macro_f1", "ece"),
    "multilabel": ("micro_f1", "macro_f1", "accuracy"),
    "spans": ("f1", "macro_f1", "accuracy"),
    "rating": ("kappa", "mae", "accuracy"),
}
_NUMBERS = {"kappa", "mae"}


def _words(name: str) -> str:
    """What a figure is called."""
    if name.startswith("level_"):
        return _("Right down to level %(level)s") % {"level": name.removeprefix("level_")}
    return {
        "accuracy": _("Accuracy"),
        "macro_f1": _("Macro F1"),
        "micro_f1": _("Micro F1"),
        "f1": _("F1 of exact spans"),
        "ece": _("Calibration error"),
        "kappa": _("Weighted kappa"),
        "mae": _("Points off, on average"),
        "path_f1": _("F1 of paths"),
    }[name]


def figure_of(name: str, measured: Measured) -> Figure:
    """A figure under the name that people read."""
    return Figure(name=_words(name), measured=measured, is_share=name not in _NUMBERS)


def measured_figure(own: dict[str, Any], name: str) -> Figure | None:
    """One figure of a model's; None where its test items do not define it."""
    measured = _measured(own, name, own["n"])
    return None if measured is None else figure_of(name, measured)


def _figures(evaluation: Evaluation, names: Sequence[str]) -> list[Figure]:
    own = evaluation.figures["model"]
    return [figure for name in names if (figure := measured_figure(own, name)) is not None]


def accuracy(evaluation: Evaluation) -> Measured:
    """The share of test items that are right as a whole, whatever the type of label."""
    own = evaluation.figures["model"]
    found = _measured(own, "accuracy", own["n"])
    assert found is not None  # an evaluation has at least one item
    return found


def headline(evaluation: Evaluation) -> Figure | None:
    """The figure by which the model was compared; None where its test items do not define it."""
    found = _figures(evaluation, [evaluation.figures.get("headline", "accuracy")])
    return found[0] if found else None


def difference(evaluation: Evaluation) -> Figure | None:
    """That figure of the model less that of the deployed one on the same items; None where there was none (a
    tuned model is compared with its base then).
    """
    given = evaluation.figures.get("difference") if evaluation.figures.get("against") != "base" else None
    name = evaluation.figures.get("headline", "accuracy")
    if not given:
        return None
    return figure_of(name, Measured(**given))


def report(evaluation: Evaluation) -> Report:
    """Everything an evaluation's page shows."""
    own = evaluation.figures["model"]
    n, names = own["n"], label_names(evaluation)
    kind = evaluation.figures.get("type", "classification")
    tables = [
        Table(title=names.get(name, name), counts=counts, names=own["points"])
        for name, counts in own.get("tables", {}).items()
    ]
    if "confusion" in own:
        labels = [names.get(label, label) for label in own["labels"]]
        tables.append(Table(title="", counts=own["confusion"], names=labels))
    return Report(
        n=n,
        figures=_figures(evaluation, _SHOWN[kind]),
        levels=_figures(evaluation, own.get("levels", ())),
        bins=[(b["confidence"], b["accuracy"], b["count"]) for b in own.get("reliability", ()) if b["count"]],
        classes=[_class_row(entry, names) for entry in own["per_class"]],
        tables=tables,
        difference=difference(evaluation),
        is_scale=kind == "rating",
    )


def _class_row(entry: dict[str, Any], names: dict[str, str]) -> ClassRow:
    label, _equals, point = entry["label"].partition("=")  # of a rating a dimension and a point
    return ClassRow(
        label=entry["label"],
        name=f"{names.get(label, label)} {point}".strip(),
        precision=entry["precision"],
        recall=_measured(entry, "recall", entry["support"]),
        f1=entry["f1"],
        n=entry["support"],
    )


@dataclass(frozen=True, kw_only=True)
class LanguageRow:
    """One model's figures on the test items; `loss` in nats (of a token, or of a pair), `margin` of pairs."""

    name: str
    accuracy: Measured
    loss: Measured
    perplexity: float | None
    margin: Measured | None


@dataclass(frozen=True, kw_only=True)
class LanguageReport:
    """An evaluation of a tuned language model, beside the deployed one and the base it came from.

    `likelihood`: of responses, what the model gains in log likelihood of a character, by which it is decided.
    """

    kind: str
    n: int
    rows: list[LanguageRow]
    against: str
    difference: Measured
    likelihood: Measured | None


def language_report(evaluation: Evaluation) -> LanguageReport | None:
    """None where a classifier was judged."""
    figures = evaluation.figures
    if "kind" not in figures:
        return None
    named = (
        (str(evaluation.model), figures["model"]),
        (str(evaluation.baseline or ""), figures["baseline"]),
        (_("base model"), figures["base"]),
    )
    likelihood = figures["likelihood_difference"]
    against = str(evaluation.baseline) if evaluation.baseline else _("the base model")
    return LanguageReport(
        kind=figures["kind"],
        n=figures["n"],
        rows=[_language_row(name, own) for name, own in named if own],
        against=against,
        difference=Measured(**figures["difference"]),
        likelihood=Measured(**likelihood) if likelihood else None,
    )


def _language_row(name: str, own: dict[str, Any]) -> LanguageRow:
    n = own["n"]
    accuracy = _measured(own, "accuracy", n)
    loss = _measured(own, "loss", n)
    assert accuracy is not None and loss is not None
    return LanguageRow(
        name=name,
        accuracy=accuracy,
        loss=loss,
        perplexity=own.get("perplexity"),
        margin=_measured(own, "margin", n),
    )


def label_names(evaluation: Evaluation) -> dict[str, str]:
    """As `names_in`, by the schema that the dataset was frozen with."""
    return names_in(task_types.field_of(evaluation.dataset.schema_version.definition))


def names_in(field: Mapping[str, Any]) -> dict[str, str]:
    """Label or dimension id -> name in the reader's language."""
    key = "name_zh" if (get_language() or "").startswith("zh") else "name"
    named = [*field.get("labels", ()), *field.get("dimensions", ())]
    return {one["id"]: one.get(key) or one["name"] for one in named}
