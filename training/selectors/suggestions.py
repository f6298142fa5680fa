"""What can be suggested for a project before it has a model, what was, and how right it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from annotation.models import Project
from annotation.quality.intervals import Estimate, wilson
from annotation.selectors import schemas
from annotation.selectors.choices import in_language
from annotation.task_types.registry import TASK_TYPES
from jobs.models import Job, State
from training.errors import NotSuggestible
from training.learning import label_words
from training.suggestion_sources import DESCRIPTIONS, SOURCES, Source

KIND = "training.suggest"
LABELLER_KEY = "suggest:"  # of the labellers under which sources suggest


@dataclass(frozen=True, kw_only=True)
class FieldOption:
    """A field that some source suggests for. `undescribed`: names of its labels without a description."""

    name: str
    title: str
    type: str
    undescribed: list[str]
    is_described: bool  # one label at least has a description


@dataclass(frozen=True, kw_only=True)
class Measured:
    """How right a source was on resolved items when it was last used for a field. `commonest`: the share that
    always giving the commonest answer would get right.
    """

    source: str
    field: str
    right: Estimate
    commonest: float
    is_calibrated: bool
    job: Job


@dataclass(frozen=True, kw_only=True)
class Run:
    """A job as the page and the API show it."""

    job: Job
    source: str
    field: str
    limit: int
    order: str
    looked_at: int | None  # None until it is done
    stored: int | None


def field_options(project: Project) -> list[FieldOption]:
    """The fields of the schema that a source can suggest for, in schema order."""
    known = {kind for source in SOURCES.values() for kind in source.types}
    found = []
    for field in schemas.require(project).definition["fields"]:
        if field["type"] in known:
            has_labels = field["type"] in label_words.LABEL_TYPES
            bare = label_words.undescribed(field) if has_labels else []
            found.append(
                FieldOption(
                    name=field["name"],
                    title=in_language(field, "title") or field["name"],
                    type=str(TASK_TYPES[field["type"]].label),
                    undescribed=bare,
                    is_described=has_labels and len(bare) < len(label_words.columns(field)),
                )
            )
    return found


def field_for(project: Project, source: Source, name: str = "") -> Mapping[str, Any]:
    """The schema's field `name`, or the first one that the source can suggest for.

    Raises:
        NotSuggestible: there is none such, or its labels say nothing that the source could go by.
    """
    fields = schemas.require(project).definition["fields"]
    chosen = [field for field in fields if not name or field["name"] == name]
    usable = [field for field in chosen if field["type"] in source.types]
    if not usable:
        raise NotSuggestible(_refusal(source, chosen, name))
    field: Mapping[str, Any] = usable[0]
    if source.name == DESCRIPTIONS and len(label_words.undescribed(field)) == len(label_words.columns(field)):
        raise NotSuggestible(
            _(
                "No label of “%(field)s” has a description, and names alone say too little: describe each label "
                "in a sentence, in the schema."
            )
            % {"field": in_language(field, "title") or field["name"]}
        )
    return field


def _refusal(source: Source, chosen: Sequence[Mapping[str, Any]], name: str) -> str:
    if not chosen:
        return _("There is no field “%(field)s” in the schema.") % {"field": name}
    if any(field["type"] == "preference" for field in chosen):
        return _(
            "Preferences are not suggested: a model this small likes the commoner words better, not the better "
            "response."
        )
    return _(
        "“%(source)s” works for %(types)s, found “%(found)s”: use patterns, or label the first items."
    ) % {
        "source": source.label,
        "types": ", ".join(str(TASK_TYPES[kind].label) for kind in source.types),
        "found": ", ".join(str(TASK_TYPES[field["type"]].label) for field in chosen),
    }


def at_work(project: Project) -> QuerySet[Job]:
    return Job.objects.filter(kind=KIND, scope=project.uuid, state__in=[State.QUEUED, State.RUNNING])


def runs(project: Project, most: int = 20) -> list[Run]:
    """The newest jobs first. One query."""
    found = Job.objects.filter(kind=KIND, scope=project.uuid).select_related("created_by")
    return [run_of(job) for job in found[:most]]


def run_of(job: Job) -> Run:
    result = job.result or {}
    return Run(
        job=job,
        source=job.params["source"],
        field=job.params["field"],
        limit=job.params["limit"],
        order=job.params["order"],
        looked_at=result.get("looked_at"),
        stored=result.get("stored"),
    )


def measured(project: Project) -> list[Measured]:
    """The newest figures of each source and field that were measured on at least one item."""
    found: dict[tuple[str, str], Measured] = {}
    done = Job.objects.filter(kind=KIND, scope=project.uuid, state=State.DONE)
    for job in done[:200]:
        result = job.result or {}
        key = (job.params["source"], job.params["field"])
        if result.get("judged") and key not in found:
            found[key] = Measured(
                source=key[0],
                field=key[1],
                right=wilson(result["right"], result["judged"]),
                commonest=result["commonest"],
                is_calibrated=result["calibrated"],
                job=job,
            )
    return sorted(found.values(), key=lambda one: (one.field, list(SOURCES).index(one.source)))


def commonest(answers: Sequence[Any]) -> float:
    """The share of the commonest answer; 0 for none."""
    if not answers:
        return 0.0
    return Counter(map(repr, answers)).most_common(1)[0][1] / len(answers)
