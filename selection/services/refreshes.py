"""The quick one of two speeds: as labels arrive, a linear head on the frozen embeddings is fitted again.

It ranks the pool in seconds, and the free part of the newest batch becomes what it would pick. The model that
suggests labels and the control arm stay as the round left them.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from django.conf import settings
from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import audit
from annotation.models import Batch, Item, Project, Resolution, Slot
from annotation.selectors import schemas
from annotation.services import batches, refills
from annotation.task_types import registry as task_types
from jobs.models import Job
from jobs.models import State as JobState
from jobs.services import artifacts, jobs
from jobs.services.context import JobContext
from selection.errors import NothingToRefresh
from selection.models import Column, Refresh, RefreshPolicy, Round
from selection.round_spec import RoundSpec
from selection.selectors import column_files
from selection.selectors import picks as picks_of
from selection.selectors.picks import Picked
from selection.services import item_columns, losses, picking, pool, publishing
from selection.strategies.registry import STRATEGIES
from training import learners
from training.services import programs

KIND = "selection.refresh_batch"
PROGRAM = "selection.programs.refresh"
MOST_ROWS = 2_000_000  # vectors that are read at once: 3 GB


def policy(project: Project) -> RefreshPolicy:
    """The project's own, or the defaults (not stored)."""
    return RefreshPolicy.objects.filter(project=project).first() or RefreshPolicy(project=project)


def set_policy(project: Project, *, is_on: bool, labels: int, seconds: int, by: User | None = None) -> None:
    """Keep how often a project's batch is refreshed."""
    with transaction.atomic():
        RefreshPolicy.objects.update_or_create(
            project=project, defaults={"is_on": is_on, "labels": max(1, labels), "seconds": seconds}
        )
        audit.record(
            "refresh.policy",
            actor=by,
            scope=project.uuid,
            target=project,
            is_on=is_on,
            labels=labels,
            seconds=seconds,
        )


def refreshable(project: Project) -> Round | None:
    """The round whose batch people work on, if its kind of label can be learnt; None while a round runs."""
    newest = Round.objects.filter(project=project).select_related("batch", "model", "project").first()
    if newest is None or newest.state != Round.State.DONE or newest.batch is None:
        return None
    schema = schemas.current(project)
    if (
        not project.is_active
        or schema is None
        or not learners.learns("probe", schemas.label_field(schema)["type"])
    ):
        return None
    return newest


def launch(project: Project, *, by: User | None = None) -> Job:
    """Add the job that refreshes the project's batch now.

    Raises:
        NothingToRefresh: no batch is out, or nothing of it is free.
    """
    round_ = refreshable(project)
    if round_ is None or round_.batch is None or not refills.replaceable(round_.batch).exists():
        raise NothingToRefresh(_("No free item of a finished round is in the queue: launch a round first."))
    return _at_work(project).first() or _enqueue(round_, by)


def _at_work(project: Project) -> QuerySet[Job]:
    waiting = [JobState.QUEUED, JobState.RUNNING]
    return Job.objects.filter(kind=KIND, scope=project.uuid, state__in=waiting)


def _enqueue(round_: Round, by: User | None) -> Job:
    """One job for each state of the labels: what failed is not tried again before there are new ones."""
    newest = Resolution.objects.filter(project=round_.project, is_current=True).aggregate(last=Max("pk"))[
        "last"
    ]
    key = None if by is not None else f"refresh:{round_.uuid}:{newest}"
    return jobs.enqueue(KIND, subject=round_, scope=round_.project.uuid, created_by=by, key=key)


def refresh_due() -> int:
    """The tick: refresh where enough labels have come since the last time; how many jobs it added."""
    added = 0
    off = RefreshPolicy.objects.filter(is_on=False).values("project")
    open_ = Batch.objects.filter(is_open=True, project__state=Project.State.ACTIVE).exclude(project__in=off)
    for project in Project.objects.filter(pk__in=open_.values("project")):
        round_ = refreshable(project)
        if round_ is not None and _is_due(round_):
            _enqueue(round_, None)
            added += 1
    return added


def _is_due(round_: Round) -> bool:
    assert round_.batch is not None
    rule, project = policy(round_.project), round_.project
    # A refresh that failed, or found nothing to do, is waited after as well.
    last = Job.objects.filter(kind=KIND, scope=project.uuid).order_by("-pk").first()
    since = max(round_.batch.created_at, last.created_at) if last else round_.batch.created_at
    if (timezone.now() - since) < timedelta(seconds=rule.seconds):
        return False
    newest = Resolution.objects.filter(project=project, is_current=True).order_by("-pk")
    at = newest.values_list("created_at", flat=True)[rule.labels - 1 : rule.labels].first()
    if at is None or at <= since:
        return False
    return not _at_work(project).exists() and refills.replaceable(round_.batch).exists()


def perform(ctx: JobContext) -> dict[str, Any]:
    """The job: fit, rank, pick, and switch what is still free."""
    started = time.monotonic()
    round_ = Round.objects.select_related("batch", "model", "project").get(pk=ctx.job.subject_id)
    current = refreshable(round_.project)
    if current is None or current.pk != round_.pk or round_.batch is None:
        return {"note": _("Another round has begun meanwhile: nothing was changed.")}
    free = refills.replaceable(round_.batch).values("item").distinct().count()
    labelled = ctx.attempt_folder() / "labelled.parquet"
    count, kinds = _write_labelled(round_.project, labelled)
    if not free:
        return {"note": _("Nothing of the batch is free any more: nothing was changed.")}
    if kinds < 2:
        return {"note": _("Labels of one kind only are in: a model needs two, nothing was changed.")}
    order = _order(ctx, round_, free, str(labelled))
    result = programs.run_light(ctx, PROGRAM, order)
    picks = picks_of.read_picks(result)
    summary = picks_of.read_summary(result)
    _suggest(round_, picks, result)
    number = round_.refreshes.count() + 1
    reasons = picks_of.explanations(result, picks)
    named = [_pick(round_, pick, number, why) for pick, why in zip(picks, reasons, strict=True)]
    done = refills.refill(round_.batch, named)
    with transaction.atomic():
        refresh, _made = Refresh.objects.get_or_create(
            round=round_,
            number=number,
            defaults={
                "job": ctx.job,
                "picks": artifacts.store(result, "picks"),
                "labels": count,
                "pool": summary["pool"],
                "replaced": done.replaced,
                "kept": done.kept,
                "switch_s": done.switch_s,
                "seconds": round(time.monotonic() - started, 2),
            },
        )
    note = _("%(replaced)s of %(free)s free items replaced, after %(labels)s labels.") % {
        "replaced": refresh.replaced,
        "free": free,
        "labels": count,
    }
    return {
        "number": number,
        "replaced": refresh.replaced,
        "kept": refresh.kept,
        "seconds": refresh.seconds,
        "note": note,
    }


def _order(ctx: JobContext, round_: Round, count: int, labelled: str) -> dict[str, Any]:
    """The refresh program's spec: the round's own strategy over all that has a vector and is not queued
    otherwise.
    """
    spec = RoundSpec.from_json(round_.spec)
    rows, clusters = pool.ready(round_.project, max(spec.pool_limit, MOST_ROWS), spec.seed)
    own = refills.replaceable(round_.batch).values("item")  # type: ignore[arg-type]
    queued = Slot.objects.filter(project=round_.project, state=Slot.State.FREE).exclude(item__in=own)
    other = np.fromiter(queued.values_list("item__row", flat=True), dtype=np.int64)
    free = ~np.isin(rows, other)
    folder = ctx.attempt_folder()
    np.save(folder / "rows.npy", rows[free])
    np.save(folder / "clusters.npy", clusters[free])
    model, strategy, key = round_.model, _strategy(spec), pool.embedding_key(round_.project)
    kept = losses.order(
        round_.project, strategy["strategy"], labelled=labelled, seed=spec.seed, embedding_key=key
    )
    return {
        "rows": str(folder / "rows.npy"),
        "clusters": str(folder / "clusters.npy"),
        "embeddings": pool.embedding_shards(round_.project, key),
        "labelled": labelled,
        **kept,
        **strategy,
        **item_columns.write(round_.project, rows[free], **strategy, folder=folder),
        "modules": list(settings.STRATEGY_MODULES),
        "count": count,
        "seed": spec.seed,
        "turn": round_.number - 1,
        "suggesting": column_files.shards(round_.project, Column.Kind.PROBABILITY, str(model.uuid))
        if model
        else [],
    }


def _strategy(spec: RoundSpec) -> dict[str, Any]:
    """The round's own; one of several versions of a model goes by the margin, since the head is one alone."""
    if "versions" in STRATEGIES[spec.strategy].needs:
        return {"strategy": picking.ONE_MODEL, "settings": {}}
    return {"strategy": spec.strategy, "settings": spec.settings}


def _write_labelled(project: Project, path: Any) -> tuple[int, int]:
    """Write (row, label) of the train items with a final label and a vector; how many, and of how many kinds."""
    field = schemas.label_field(schemas.require(project))
    category = task_types.task_type(field).category
    found = Resolution.objects.filter(
        project=project, is_current=True, item__split=Item.Split.TRAIN, item__held_back=""
    )
    rows, labels = [], []
    for row, value in found.values_list("item__row", "value").iterator(chunk_size=20_000):
        if field["name"] in value and (label := category(field, value[field["name"]])):
            rows.append(row)
            labels.append(label)
    held = np.isin(np.asarray(rows, dtype=np.int64), picking.held_rows(project))
    kept = [(row, label) for row, label, has in zip(rows, labels, held, strict=True) if has]
    table = {
        "row": pa.array([k[0] for k in kept], pa.int64()),
        "label": pa.array([k[1] for k in kept], pa.string()),
    }
    pq.write_table(pa.table(table), path)
    return len(kept), len({label for _row, label in kept})


def _pick(round_: Round, pick: Picked, number: int, why: dict[str, Any]) -> batches.Pick:
    return batches.Pick(
        row=pick.row,
        purpose=Slot.Purpose.LABEL,
        design=round_.spec["strategy"],
        inclusion_probability=None,  # that of one redraw is not that of the round and its refreshes together
        explanation={**why, "round": round_.number, "refresh": number, "note": ""},
    )


def _suggest(round_: Round, picks: list[Picked], result: Any) -> None:
    """What the round's model suggests for new picks, stored before anybody can be handed one."""
    if round_.model is None or not (result / "suggested.npy").is_file():
        return
    places = np.load(result / "suggested_at.npy")
    publishing.suggest(round_, [picks[at] for at in places], np.load(result / "suggested.npy"))
