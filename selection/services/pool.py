"""The pool (what may be picked) and its columns (what is known about each item), kept beside the rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet

from accounts.models import User
from annotation.models import GoldItem, Item, Project, Resolution, Slot
from jobs.models import Artifact, Job
from jobs.services import artifacts, jobs
from jobs.services.context import JobContext
from selection.models import Column
from selection.programs import columns
from selection.programs.columns import Rows, Shard
from training.models import ModelVersion, TrainingRun
from training.services import evaluations

EMBED_KIND = "selection.embed_pool"
EMBED_PROGRAM = "selection.programs.embed"
SHARD_ROWS = 50_000  # a killed worker loses at most one shard's work
_READ_ROWS = 5_000  # texts held in memory at a time
_SQL_ROWS = 500  # values in one IN (...): SQLite takes few thousands at most


def candidates(project: Project) -> QuerySet[Item]:
    """Items that a round may pick: train split, first of their text, not held back, without a label and
    untouched.

    An item that is queued but that nobody has taken is one of them: the next batch replaces what is left of
    the one before. One that somebody holds, has labelled or has skipped is not, nor is a gold item.
    """
    touched = Slot.objects.filter(
        item=OuterRef("pk"), state__in=[Slot.State.LEASED, Slot.State.DONE, Slot.State.SKIPPED]
    ).exclude(purpose__in=Slot.MEASURING)
    known = GoldItem.objects.filter(item=OuterRef("pk"), is_active=True)
    decided = Resolution.objects.filter(item=OuterRef("pk"), is_current=True)
    return Item.objects.filter(
        ~Exists(touched),
        ~Exists(decided),
        ~Exists(known),
        project=project,
        split=Item.Split.TRAIN,
        duplicate_of__isnull=True,
        held_back="",
    )


def sample(project: Project, limit: int, seed: int) -> tuple[Rows, Rows]:
    """Rows that a round embeds, ascending, and their clusters: all, or a uniform sample of `limit`."""
    return _thinned(_candidate_table(project), limit, seed)


def ready(project: Project, limit: int, seed: int, model: ModelVersion | None = None) -> tuple[Rows, Rows]:
    """As `sample`, of those candidates only whose embedding is stored, and with a model also its
    probabilities.

    People label while a round runs, and imports end: what is picked from is what is known and still wanted
    now.
    """
    table = _candidate_table(project)
    table = table[np.isin(table[:, 0], columns.held(embedding_shards(project)))]
    if model is not None:
        held = columns.held(shards(project, Column.Kind.PROBABILITY, str(model.uuid)))
        table = table[np.isin(table[:, 0], held)]
    return _thinned(table, limit, seed)


def _candidate_table(project: Project) -> Rows:
    pairs = candidates(project).order_by("row").values_list("row", "cluster").iterator(chunk_size=20_000)
    return np.fromiter(pairs, dtype=np.dtype((np.int64, 2))).reshape(-1, 2)


def _thinned(table: Rows, limit: int, seed: int) -> tuple[Rows, Rows]:
    if len(table) > limit:
        rng = np.random.default_rng([seed, 1])
        table = table[np.sort(rng.choice(len(table), size=limit, replace=False))]
    return np.ascontiguousarray(table[:, 0]), np.ascontiguousarray(table[:, 1])


def labelled_rows(project: Project) -> Rows:
    """Rows of all items that have a final label now, whatever their split, ascending."""
    found = Resolution.objects.filter(project=project, is_current=True).values_list("item__row", flat=True)
    return np.sort(np.fromiter(found.iterator(chunk_size=20_000), dtype=np.int64))


def embedding_key() -> str:
    """The name of the default encoder's column."""
    from training.learning import encoder

    return encoder.encoder_key(encoder.default_encoder_path())


def shards(project: Project, kind: str, model_key: str) -> list[Shard]:
    """Where a column lies, as programs want it."""
    stored = Column.objects.filter(project=project, kind=kind, model_key=model_key).select_related("artifact")
    return [_shard(column) for column in stored]


def _shard(column: Column) -> Shard:
    folder = artifacts.path(column.artifact)
    return Shard(values=str(folder / column.file_name), rows=str(folder / "rows.npy"))


def embedding_shards(project: Project) -> list[Shard]:
    return shards(project, Column.Kind.EMBEDDING, embedding_key())


def missing(project: Project, kind: str, model_key: str, rows: Rows) -> Rows:
    """Those of `rows` that the column does not have yet, ascending."""
    return np.setdiff1d(rows, columns.held(shards(project, kind, model_key)))


def ensure_embeddings(project: Project, *, by: User | None = None) -> Job:
    """Add the job that embeds every item without an embedding. A round does it for itself; this does it
    ahead.
    """
    return jobs.enqueue(EMBED_KIND, subject=project, scope=project.uuid, created_by=by)


def perform_embed(ctx: JobContext) -> dict[str, int]:
    """The job: embed all items that lack it."""
    project: Project = ctx.subject
    rows = np.fromiter(
        Item.objects.filter(project=project).order_by("row").values_list("row", flat=True).iterator(),
        dtype=np.int64,
    )
    return {"embedded": embed(ctx, project, rows), "items": len(rows)}


def embed(ctx: JobContext, project: Project, rows: Rows) -> int:
    """Add what the embedding column lacks of `rows`, a shard at a time; return how many rows were added."""
    key = embedding_key()
    lacking = missing(project, Column.Kind.EMBEDDING, key, rows)
    for number, part in enumerate(_parts(lacking)):
        ctx.log(f"embedding {len(part)} items")
        texts = write_texts(project, part, ctx.attempt_folder() / f"embed-{number}.parquet")
        from training.learning import encoder

        spec = {"texts": str(texts), "encoder": str(encoder.default_encoder_path())}
        result = ctx.run_program(EMBED_PROGRAM, spec)
        add_shard(
            project, Column.Kind.EMBEDDING, key, artifacts.store(result, "embeddings"), "embeddings.npy"
        )
    return len(lacking)


def score(ctx: JobContext, project: Project, model: ModelVersion, rows: Rows) -> int:
    """Add what the model's probability column lacks of `rows`; return how many rows were added."""
    key = str(model.uuid)
    lacking = missing(project, Column.Kind.PROBABILITY, key, rows)
    is_probe = model.run.learner == TrainingRun.Learner.PROBE
    for number, part in enumerate(_parts(lacking)):
        target = ctx.attempt_folder() / f"score-{number}"
        wanted = target.with_suffix(".npy")
        np.save(wanted, part)
        result = evaluations.predict(
            ctx,
            model,
            texts=wanted if is_probe else write_texts(project, part, target.with_suffix(".parquet")),
            features=[dict(shard) for shard in embedding_shards(project)] if is_probe else [],
            rows=wanted,
        )
        add_shard(
            project, Column.Kind.PROBABILITY, key, artifacts.store(result, "probabilities"), "probs.npy"
        )
    return len(lacking)


def add_shard(project: Project, kind: str, model_key: str, artifact: Artifact, file_name: str) -> Column:
    """Book a shard: values are in `file_name`, their rows in rows.npy. Booking twice gives one."""
    folder = artifacts.path(artifact)
    values, rows = np.load(folder / file_name, mmap_mode="r"), np.load(folder / "rows.npy", mmap_mode="r")
    shape = {
        "last_row": int(rows[-1]),
        "count": len(rows),
        "width": int(values.shape[1]),
        "dtype": str(values.dtype),
        "file_name": file_name,
        "artifact": artifact,
    }
    which = {"project": project, "kind": kind, "model_key": model_key, "first_row": int(rows[0])}
    try:
        with transaction.atomic():
            return Column.objects.create(**which, **shape)
    except IntegrityError:
        return Column.objects.get(**which)  # another attempt has booked the same rows


def write_texts(project: Project, rows: Rows, path: Path) -> Path:
    """Write (row, text) of `rows` as Parquet, a few thousand at a time."""
    schema = pa.schema([("row", pa.int64()), ("text", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, len(rows), _READ_ROWS):
            found = list(texts_of(project, rows[start : start + _READ_ROWS]))
            writer.write_table(
                pa.table({"row": [f[0] for f in found], "text": [f[1] for f in found]}, schema=schema)
            )
    return path


def texts_of(project: Project, rows: Rows) -> Iterator[tuple[int, str]]:
    """(row, text) of `rows`, ascending within blocks."""
    for start in range(0, len(rows), _SQL_ROWS):
        block = [int(row) for row in rows[start : start + _SQL_ROWS]]
        yield from (
            Item.objects.filter(project=project, row__in=block).order_by("row").values_list("row", "text")
        )


def _parts(rows: Rows) -> list[Rows]:
    return [rows[start : start + SHARD_ROWS] for start in range(0, len(rows), SHARD_ROWS)]
