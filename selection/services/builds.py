"""Bringing a column up to date: what it lacks is cut into parts, and each part is a job of its own.

Several workers take them as they are free, a lost worker costs one part, and nobody holds a worker while it
waits: `advance` looks at the jobs and ends the build with the last one. What fits into one part is computed by
whoever asks, in its own job. Every part is safe to run twice: it computes what the column lacks when it starts,
and books what it still lacks when it has ended.
"""

from __future__ import annotations

import shutil
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import User
from annotation.models import Project
from jobs import program
from jobs.errors import NotCancellable, NotRetryable
from jobs.models import Job
from jobs.models import State as JobState
from jobs.services import artifacts, jobs
from jobs.services.context import JobContext
from selection.models import Column, ColumnBuild
from selection.programs.columns import Rows
from selection.selectors import builds as reads
from selection.services import pool
from selection.strategies import measured
from training.models import ModelVersion, TrainingRun
from training.programs import predictions
from training.selectors import models
from training.services import evaluations, tuning

KIND = "selection.embed_pool"
UNSURE = "uncertainty.npy"
ARTIFACTS = {
    Column.Kind.EMBEDDING: "embeddings",
    Column.Kind.PROBABILITY: "probabilities",
    Column.Kind.LOSS: "losses",
}
EMBED_KIND, SCORE_KIND = "selection.embed_shard", "selection.score_shard"
PART_KINDS = (EMBED_KIND, SCORE_KIND)
EMBED_PROGRAM = "selection.programs.embed"
PART_ROWS = 20_000  # of the encoder or a fine-tuned model: about a minute on two cores
PROBE_PART_ROWS = 1_000_000  # a probe is one matrix product: starting it takes longer


@dataclass(frozen=True)
class Planned:
    """How many rows the column lacked, and the build that computes them; None where that was done at once."""

    lacking: int
    build: ColumnBuild | None = None


def ensure_embeddings(project: Project, *, by: User | None = None) -> Job:
    """Add the job that embeds every usable item without an embedding; while one is open, that one. A round does
    it for itself; this does it ahead.
    """
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).only("pk").get(pk=project.pk)
        waiting = Job.objects.filter(
            kind=KIND, scope=project.uuid, state__in=[JobState.QUEUED, JobState.RUNNING]
        ).first()
        return waiting or jobs.enqueue(KIND, subject=project, scope=project.uuid, created_by=by)


def perform_embed(ctx: JobContext) -> dict[str, Any]:
    """The job: see what is lacking, and embed it here or by jobs of its own."""
    project: Project = ctx.subject
    rows = pool.usable_rows(project)
    planned = compute(ctx, project, rows, origin=f"ahead:{ctx.job.uuid}")
    build = str(planned.build.uuid) if planned.build else ""
    return {"embedded": planned.lacking, "items": len(rows), "build": build}


def compute(
    ctx: JobContext, project: Project, rows: Rows, *, model: ModelVersion | None = None, origin: str
) -> Planned:
    """Have `rows` in the embedding column, or with a model in its probability column.

    Within the calling job if what is lacking fits into one part, else by jobs that begin now: see `Planned`.
    With an `origin` that was planned before, that build is returned.
    """
    known = ColumnBuild.objects.filter(origin=origin).first()
    if known is not None:
        return Planned(known.count, known)
    kind, key = column_of(project, model)
    lacking = pool.missing(project, kind, key, rows)
    size = _part_rows(model)
    if len(lacking) > size:
        return Planned(
            len(lacking), _plan(project, kind, key, model, lacking, size, origin, ctx.job.created_by)
        )
    if len(lacking):
        _compute(ctx, project, model, lacking, key)
    return Planned(len(lacking))


def column_of(project: Project, model: ModelVersion | None) -> tuple[str, str]:
    """Kind and key of the model's column; without a model the encoder's."""
    if model is None:
        return Column.Kind.EMBEDDING, pool.embedding_key(project)
    return Column.Kind.PROBABILITY, str(model.uuid)


def _part_rows(model: ModelVersion | None) -> int:
    is_probe = model is not None and model.run.learner == TrainingRun.Learner.PROBE
    return PROBE_PART_ROWS if is_probe else PART_ROWS


def _plan(
    project: Project,
    kind: str,
    key: str,
    model: ModelVersion | None,
    rows: Rows,
    size: int,
    origin: str,
    by: User | None,
) -> ColumnBuild:
    result = artifacts.scratch()
    with program.result_folder(result) as folder:
        np.save(folder / "rows.npy", rows)
    stored = artifacts.store(result, "rows")
    with transaction.atomic():
        build, _made = ColumnBuild.objects.get_or_create(
            origin=origin,
            defaults={
                "project": project,
                "kind": kind,
                "model_key": key,
                "model": model,
                "rows": stored,
                "count": len(rows),
                "part_rows": size,
                "created_by": by,
            },
        )
        for number in range(build.parts):
            jobs.enqueue(
                EMBED_KIND if model is None else SCORE_KIND,
                subject=build,
                scope=project.uuid,
                params={"part": number},
                created_by=by,
                key=f"build:{build.uuid}:{number}",
            )
    return build


def perform_part(ctx: JobContext) -> dict[str, int]:
    """The job of one part: compute what the column lacks of its rows now."""
    build: ColumnBuild = ctx.subject
    start = int(ctx.params["part"]) * build.part_rows
    rows = np.load(artifacts.path(build.rows) / "rows.npy", mmap_mode="r")
    part = np.asarray(rows[start : start + build.part_rows])
    lacking = pool.missing(build.project, build.kind, build.model_key, part)
    if len(lacking):
        _compute(ctx, build.project, build.model, lacking, build.model_key)
    return {"computed": len(lacking), "rows": len(part)}


def _compute(ctx: JobContext, project: Project, model: ModelVersion | None, rows: Rows, key: str) -> None:
    """`key`: the column's, as it was when the job began; the project may choose another layer meanwhile."""
    if model is None:
        kind, result, file_name = Column.Kind.EMBEDDING, _embedded(ctx, project, rows, key), "embeddings.npy"
    else:
        kind, result, file_name = (
            Column.Kind.PROBABILITY,
            _scored(ctx, project, model, rows),
            predictions.PROBS,
        )
        if not models.gives_labels(model):
            result, file_name = _unsure(result, model), UNSURE
    book(project, kind, key, result, file_name)


def _embedded(ctx: JobContext, project: Project, rows: Rows, key: str) -> Path:
    from training.learning import encoder

    ctx.log(f"embedding {len(rows)} items")
    texts = pool.write_texts(project, rows, ctx.attempt_folder() / "embed.parquet")
    spec = {
        "texts": str(texts),
        "encoder": str(encoder.default_encoder_path()),
        "layer": encoder.layer_in(key),
    }
    return ctx.run_program(EMBED_PROGRAM, spec)


def _scored(ctx: JobContext, project: Project, model: ModelVersion, rows: Rows) -> Path:
    if tuning.is_tuned(model):
        return tuning.rate(ctx, model, rows.tolist(), ctx.attempt_folder())
    is_probe = model.run.learner == TrainingRun.Learner.PROBE
    wanted = ctx.attempt_folder() / "score.npy"
    np.save(wanted, rows)
    return evaluations.predict(
        ctx,
        model,
        texts=wanted if is_probe else pool.write_texts(project, rows, wanted.with_suffix(".parquet")),
        features=[dict(shard) for shard in pool.embedding_shards(project)] if is_probe else [],
        rows=wanted,
        precision=models.scoring_precision(model),
    )


def _unsure(result: Path, model: ModelVersion) -> Path:
    """Of a model whose answers are no single label: how unsure it is of each item, and the answers."""
    field = model.figures["field"]
    if field["type"] == "spans":
        words = np.load(result / predictions.TOKENS, mmap_mode="r")
        found = measured.of_words(words, np.load(result / predictions.STARTS))
    elif field["type"] == "rating":
        found = measured.of_ratings(np.load(result / predictions.PROBS), field.get("points", 5))
    else:
        found = measured.of_labels(np.load(result / predictions.PROBS))
    part = artifacts.scratch()
    with program.result_folder(part) as folder:
        np.save(folder / UNSURE, found.astype(np.float32))
        for name in ("rows.npy", predictions.ANSWERS):
            shutil.copyfile(result / name, folder / name)
    return part


def book(project: Project, kind: str, key: str, result: Path, file_name: str) -> None:
    """Add the result to the column, less what another job has added meanwhile: shards do not overlap."""
    while True:
        rows = np.load(result / "rows.npy")
        wanted = pool.missing(project, kind, key, rows)
        if not len(wanted):
            return
        if len(wanted) < len(rows):
            result = _part_of(result, file_name, np.isin(rows, wanted))
        artifact = artifacts.store(result, ARTIFACTS[Column.Kind(kind)])
        column = pool.add_shard(project, kind, key, artifact, file_name)
        if column.artifact_id == artifact.pk:
            return
        result = artifacts.path(artifact)  # others were first with some of these rows


def _part_of(result: Path, file_name: str, kept: np.ndarray[Any, np.dtype[np.bool_]]) -> Path:
    part = artifacts.scratch()
    with program.result_folder(part) as folder:
        np.save(folder / "rows.npy", np.load(result / "rows.npy")[kept])
        np.save(folder / file_name, np.load(result / file_name, mmap_mode="r")[kept])
        for name in (predictions.ANSWERS, tuning.ANSWERS):
            if (result / name).is_file():  # by row, so more than are kept do no harm
                shutil.copyfile(result / name, folder / name)
    return part


def jobs_of(build: ColumnBuild) -> QuerySet[Job]:
    return reads.jobs_of(build)


def advance(build: ColumnBuild) -> ColumnBuild:
    """End a build whose jobs have all ended. Safe to call at any time, from anywhere."""
    if build.state == ColumnBuild.State.RUNNING:
        states = Counter(jobs_of(build).values_list("state", flat=True))
        is_open = states[JobState.QUEUED] + states[JobState.RUNNING]
        if states[JobState.FAILED] and not is_open:
            failed = jobs_of(build).filter(state=JobState.FAILED).order_by("pk").first()
            _end(build, ColumnBuild.State.FAILED, error=failed.error if failed else "")
        elif states[JobState.CANCELLED] and not is_open:
            _end(build, ColumnBuild.State.CANCELLED)
        elif states[JobState.DONE] == build.parts:
            _end(build, ColumnBuild.State.DONE)
    build.refresh_from_db()
    return build


def _end(build: ColumnBuild, state: str, *, error: str = "") -> None:
    ColumnBuild.objects.filter(pk=build.pk, state=ColumnBuild.State.RUNNING).update(
        state=state, error=error, finished_at=timezone.now()
    )


def advance_all() -> int:
    """The tick: end builds whose signal was lost; how many it looked at."""
    running = list(ColumnBuild.objects.filter(state=ColumnBuild.State.RUNNING))
    for build in running:
        advance(build)
    return len(running)


def cancel(build: ColumnBuild, *, by: User | None = None) -> None:
    """Stop what is not computed yet; finished parts stay in the column. Nothing happens to an ended build."""
    for job in jobs_of(build).filter(state__in=[JobState.QUEUED, JobState.RUNNING]):
        with suppress(NotCancellable):  # it ended a moment ago
            jobs.cancel(job, by)
    _end(build, ColumnBuild.State.CANCELLED)
    build.refresh_from_db()


@transaction.atomic
def retry(build: ColumnBuild, *, by: User | None = None) -> None:
    """Run the parts again that failed or were cancelled; what is in the column is not computed again."""
    ended = [ColumnBuild.State.FAILED, ColumnBuild.State.CANCELLED]
    if not ColumnBuild.objects.filter(pk=build.pk, state__in=ended).update(
        state=ColumnBuild.State.RUNNING, error="", finished_at=None
    ):
        return
    for job in jobs_of(build).filter(state__in=[JobState.FAILED, JobState.CANCELLED]):
        with suppress(NotRetryable):
            jobs.retry(job, by)
    build.refresh_from_db()
