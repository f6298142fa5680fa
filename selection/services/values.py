"""Working out what the labels of a project are worth, as a job, from where the last one ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from annotation.models import Item, Project, Resolution
from annotation.selectors import datasets, schemas
from jobs.errors import BrokenArtifact
from jobs.models import Job
from jobs.models import State as JobState
from jobs.services import artifacts, jobs
from jobs.services.context import JobContext
from selection.errors import NothingToValue
from selection.models import ColumnBuild, Round
from selection.selectors import values as reads
from selection.services import builds, pool
from training.services import programs

PROGRAM = "selection.programs.value"
LEAST_ITEMS, LEAST_VALIDATION, MOST_RETRAINED = 10, 30, 200  # as the program's own


NEW_LABELS, NEW_SHARE = 100, 0.1  # so many labels, and such a share of those valued, make it due again


def launch(project: Project, *, retrain: bool = False, by: User | None = None, key: str | None = None) -> Job:
    """Add the job that values the labels; the one that waits or runs already, where there is one.

    retrain: work out data Shapley too, which retrains a small model for every item of many orders.
    key: as `jobs.enqueue` has it.

    Raises:
        NothingToValue: the project has no single-label classification, or too few labels; or too many to
            retrain, or too few for validation.
    """
    if running := reads.running(project):
        return running
    field = schemas.label_field(schemas.require(project))
    if field["type"] != "classification":
        raise NothingToValue(
            _(
                "Values are worked out for projects whose first field asks for one label; this one asks for "
                "%(kind)s."
            )
            % {"kind": field["type"]}
        )
    found = _labelled(project)
    labels = zip(found["label"], found["split"], strict=True)
    training = [label for label, split in labels if split == Item.Split.TRAIN]
    if len(training) < LEAST_ITEMS or len(set(training)) < 2:
        raise NothingToValue(
            _(
                "Found %(count)s labelled training items of %(labels)s labels, expected at least %(least)s of "
                "two: label more items first."
            )
            % {"count": len(training), "labels": len(set(training)), "least": LEAST_ITEMS}
        )
    held_out = found["split"].count(Item.Split.VALIDATION)
    if retrain and (len(training) > MOST_RETRAINED or held_out < LEAST_VALIDATION):
        raise NothingToValue(
            _(
                "Data Shapley wants at most %(most)s labelled training items and at least %(least)s validation "
                "items, found %(count)s and %(held)s: take another method."
            )
            % {"most": MOST_RETRAINED, "least": LEAST_VALIDATION, "count": len(training), "held": held_out}
        )
    params = {"retrain": retrain}
    return jobs.enqueue(
        reads.KIND, subject=project, scope=project.uuid, params=params, created_by=by, key=key
    )


def revalue_due() -> int:
    """The tick: bring valuations up to date; how many jobs it added.

    Only of active projects whose labels somebody has had valued. Due is one after a round that has finished
    since, if a label came too (a model alone changes nothing: the head of a valuation is its own), or after so
    many labels.
    """
    valued = Job.objects.filter(kind=reads.KIND, state=JobState.DONE).order_by().values("scope").distinct()
    active = Project.objects.filter(uuid__in=valued, state=Project.State.ACTIVE)
    return sum(_is_due(project) and _revalue(project) for project in active)


def _is_due(project: Project) -> bool:
    # One that failed, or was cancelled, is waited after as well.
    last = Job.objects.filter(kind=reads.KIND, scope=project.uuid).order_by("-pk").first()
    before = reads.newest(project)
    if last is None or before is None or not last.has_ended:
        return False
    came = _new_labels(project).values_list("created_at", flat=True)

    def have_come(count: int) -> bool:
        at = came[count - 1 : count].first()  # a look from the newest on, however many there are
        return at is not None and at > last.created_at

    rounds = Round.objects.filter(project=project, state=Round.State.DONE, finished_at__gt=last.created_at)
    if rounds.exists() and have_come(1):
        return True
    return have_come(max(NEW_LABELS, int(NEW_SHARE * before.result["items"])))


def _revalue(project: Project) -> bool:
    """Launch what the newest valuation was, without data Shapley where that is not possible any more; False
    where nothing is. One job for each state of labels and rounds.
    """
    before = reads.newest(project)
    newest = _new_labels(project).values_list("pk", flat=True).first()
    round_ = Round.objects.filter(project=project, state=Round.State.DONE).values_list("number", flat=True)
    key = f"value:{project.uuid}:{newest}:{round_.first()}"
    retrained = before is not None and bool(before.params.get("retrain"))
    for retrain in (True, False) if retrained else (False,):
        try:
            launch(project, retrain=retrain, key=key)
        except NothingToValue:
            continue
        return True
    return False


def _new_labels(project: Project) -> QuerySet[Resolution]:
    """Labels that a valuation looks at, the newest first."""
    found = Resolution.objects.filter(project=project, is_current=True)
    return found.exclude(item__split=Item.Split.TEST).order_by("-pk")


def perform(ctx: JobContext) -> dict[str, Any]:
    """The job: embed what lacks a vector, run the program, keep its folder."""
    project: Project = ctx.subject
    labelled = ctx.attempt_folder() / "labelled.parquet"
    found = _labelled(project)
    pq.write_table(pa.table(found, schema=_TABLE), labelled)
    rows = np.asarray(found["row"], dtype=np.int64)
    build = builds.compute(ctx, project, rows, origin=f"value:{ctx.job.uuid}").build
    if build is not None and builds.advance(build).state != ColumnBuild.State.DONE:
        raise NothingToValue(
            _(
                "The vectors of many labelled items are being computed by jobs of their own: try again "
                "after them."
            )
        )
    key = pool.embedding_key(project)
    spec = {
        "labelled": str(labelled),
        "features": [dict(shard) for shard in pool.embedding_shards(project)],
        "before": _before(project, key),
        "retrain": bool(ctx.params.get("retrain")),
    }
    result = programs.run_light(ctx, PROGRAM, spec)
    summary = reads.read_summary(result)
    artifact = artifacts.store(result, "values")
    ctx.log(f"{summary['items']} items valued; {summary['pairs']} distances were new")
    told = {name: summary[name] for name in ("items", "harmful", "pairs")}
    return {"artifact": artifact.sha256, "encoder": key, **told}


_TABLE = pa.schema(
    [("row", pa.int64()), ("label", pa.string()), ("split", pa.string()), ("source", pa.string())]
)


def _labelled(project: Project) -> dict[str, list[Any]]:
    """Columns of the items with a final label that is still asked for; test items are left where they are."""
    field = schemas.label_field(schemas.require(project))
    known = {label["id"] for label in field.get("labels", ())}
    found: dict[str, list[Any]] = {"row": [], "label": [], "split": [], "source": []}
    for item in datasets.labelled_items(project):
        label = item.value.get(field["name"])
        if item.split == Item.Split.TEST or not isinstance(label, str) or label not in known:
            continue
        for name, value in zip(found, (item.row, label, item.split, item.source), strict=True):
            found[name].append(value)
    return found


def _before(project: Project, encoder: str) -> str:
    """The result folder of the valuation before, where it is there and its vectors are the same encoder's."""
    job = reads.newest(project)
    if job is None or job.result.get("encoder") != encoder:
        return ""
    try:
        return str(Path(reads.folder(job)))
    except BrokenArtifact:
        return ""
