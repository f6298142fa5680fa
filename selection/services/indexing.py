"""The index of a project's vectors: built and brought up to date in the background, and measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from accounts.figures import percent
from accounts.models import User
from annotation.models import Project
from jobs.errors import BrokenArtifact
from jobs.models import Job
from jobs.models import State as JobState
from jobs.services import artifacts, jobs
from jobs.services.context import JobContext
from selection.errors import BadQuery
from selection.index.choice import FLAT_BELOW, FLOOR, KINDS
from selection.models import Column, PoolIndex
from selection.services import pool
from training.services import programs

KIND = "selection.build_index"
PROGRAM = "selection.programs.index"
ASKED_FOR = ("hnsw", "ivf_pq")  # where no other was tried somebody has chosen them, and they stay
STALE_SHARE = 0.1  # so much of the column may be newer than the index: it is looked at row by row


def current(project: Project) -> PoolIndex | None:
    """The index in use, over the default encoder's vectors."""
    found = PoolIndex.objects.filter(project=project, model_key=pool.embedding_key(project))
    return found.select_related("artifact").first()


def asked_for(held: PoolIndex | None) -> str:
    """The kind that somebody chose for the index in use; "" where its size, the budget and measuring did."""
    return held.kind if held is not None and held.kind in ASKED_FOR and len(held.tried) < 2 else ""


def vectors(project: Project) -> int:
    """How many rows the embedding column has."""
    column = Column.objects.filter(
        project=project, kind=Column.Kind.EMBEDDING, model_key=pool.embedding_key(project)
    )
    return int(column.aggregate(n=Sum("count"))["n"] or 0)


def ensure(project: Project, *, kind: str = "", by: User | None = None, key: str | None = None) -> Job:
    """Add the job that builds the index or brings it up to date; while one is open, that one.

    kind: one of `choice.KINDS`, or "" for the least lossy that fits into POOL_INDEX_MB.

    Raises:
        BadQuery: there is no such kind.
    """
    if kind and kind not in KINDS:
        raise BadQuery(
            _("There is no index of the kind %(kind)s: use one of %(kinds)s.")
            % {"kind": kind, "kinds": ", ".join(KINDS)}
        )
    waiting = Job.objects.filter(
        kind=KIND, scope=project.uuid, state__in=[JobState.QUEUED, JobState.RUNNING]
    ).first()
    params = {"kind": kind}
    return waiting or jobs.enqueue(
        KIND, subject=project, scope=project.uuid, params=params, created_by=by, key=key
    )


def build_due() -> int:
    """The tick: large columns without an index, and those that have grown; how many jobs it added.

    One job for each size of a column, so that what fails is not tried for ever.
    """
    added = 0
    columns = Column.objects.filter(kind=Column.Kind.EMBEDDING).order_by()
    sizes = columns.values_list("project", "model_key").annotate(n=Sum("count")).filter(n__gte=FLAT_BELOW)
    for project_id, key, count in sizes:
        project = Project.objects.get(pk=project_id)
        if key != pool.embedding_key(project):
            continue
        held = PoolIndex.objects.filter(project=project, model_key=key).first()
        if held is None or count > (1 + STALE_SHARE) * held.count:
            ensure(project, kind=asked_for(held), key=f"index:{project.uuid}:{count}")
            added += 1
    return added


def perform(ctx: JobContext) -> dict[str, Any]:
    """The job: build or add, measure, and put it in the place of the one before."""
    project: Project = ctx.subject
    key = pool.embedding_key(project)  # the project may choose another layer meanwhile
    base, note = _base(project)
    if note:
        ctx.log(note)
    spec = {
        "embeddings": pool.embedding_shards(project, key),
        "base": str(base or ""),
        "kind": ctx.params.get("kind", ""),
        "memory_mb": settings.POOL_INDEX_MB,
        "floor": FLOOR,
        "seed": project.seed,
    }
    result = programs.run_light(ctx, PROGRAM, spec)
    facts = json.loads((result / "index.json").read_text())
    seconds = json.loads((result / "result.json").read_text())["seconds"]
    note = " ".join(filter(None, [note, _too_little(facts, ctx.params.get("kind", ""))]))
    stored = artifacts.store(result, "index")
    with transaction.atomic():
        made = PoolIndex.objects.create(
            project=project,
            model_key=key,
            artifact=stored,
            seconds=seconds,
            note=note,
            **{name: facts[name] for name in _KEPT},
        )
        PoolIndex.objects.filter(project=project, pk__lt=made.pk).delete()
    return {"kind": made.kind, "count": made.count, "recall_at_10": made.recall_at_10, "note": note}


_KEPT = ("kind", "factory", "count", "lists", "probes", "queries", "recall_at_10", "tried")


def _too_little(facts: dict[str, Any], asked: str) -> str:
    """A sentence where the index finds less than is aimed at."""
    if facts["recall_at_10"] >= FLOOR:
        return ""
    if asked:
        words = _(
            "This kind was asked for and finds %(found)s of the ten nearest, less than the %(aim)s aimed at: "
            "choose what fits the memory best to have others tried."
        )
    else:
        words = _(
            "No kind that fits into the memory (POOL_INDEX_MB, %(mb)s MB) finds the %(aim)s of the ten nearest "
            "that are aimed at: the best one measured is in use, with %(found)s. Allow more memory for another."
        )
    return words % {
        "found": percent(facts["recall_at_10"], 1),
        "aim": percent(FLOOR),
        "mb": settings.POOL_INDEX_MB,
    }


def _base(project: Project) -> tuple[Path | None, str]:
    """The folder to add to, after every byte of it was compared, and what people are told if it is damaged."""
    held = current(project)
    if held is None:
        return None, ""
    try:
        return artifacts.open_verified(held.artifact), ""
    except BrokenArtifact as error:
        return None, _("The index was damaged and is built anew (%(error)s).") % {"error": error}
