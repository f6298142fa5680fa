"""The pool (what may be picked) and its columns (what is known about each item), kept beside the rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import audit
from annotation.models import GoldItem, Item, Project, Resolution, Slot
from jobs.models import Artifact
from jobs.services import artifacts
from selection.errors import LayerInUse
from selection.models import Column, ColumnBuild, EmbeddingChoice, Round
from selection.programs import columns
from selection.programs.columns import Rows, Shard
from selection.selectors import column_files, integers
from training.models import ModelVersion, TrainingRun

_READ_ROWS = 5_000  # texts held in memory at a time
_SQL_ROWS = 500  # values in one IN (...): SQLite takes few thousands at most


def candidates(project: Project) -> QuerySet[Item]:
    """Items that a round may pick: train split, first of their text, not held back, without a label and
    untouched.

    An item that is queued but that nobody has taken is one of them: the next batch replaces what is left of
    the one before. One that somebody holds, has labelled or has skipped is not, nor is a gold item.
    """
    touched = _touched().filter(item=OuterRef("pk"))
    known = GoldItem.objects.filter(item=OuterRef("pk"), is_active=True)
    decided = Resolution.objects.filter(item=OuterRef("pk"), is_current=True)
    return _usable(project).filter(~Exists(touched), ~Exists(decided), ~Exists(known))


def sample(project: Project, limit: int, seed: int) -> tuple[Rows, Rows]:
    """Rows that a round embeds, ascending, and their clusters: all, or a uniform sample of `limit`."""
    return _thinned(_candidate_table(project), limit, seed)


def ready(project: Project, limit: int, seed: int, *models: ModelVersion) -> tuple[Rows, Rows]:
    """As `sample`, of those candidates only whose embedding is stored, and the probabilities of each of these
    models.

    People label while a round runs, and imports end: what is picked from is what is known and still wanted
    now.
    """
    table = _candidate_table(project)
    table = table[np.isin(table[:, 0], columns.held(embedding_shards(project)))]
    for model in models:
        held = columns.held(column_files.shards(project, Column.Kind.PROBABILITY, str(model.uuid)))
        table = table[np.isin(table[:, 0], held)]
    return _thinned(table, limit, seed)


def _candidate_table(project: Project) -> Rows:
    """(n, 2) row and cluster of every candidate, ascending by row; equal to `candidates`, a few times quicker.

    What is touched, decided or gold is little beside the pool, so it is read apart and taken out here, in
    place of three look-ups an item.
    """
    table = integers.read(_usable(project).order_by("row").values_list("row", "cluster"), 2)
    out = np.concatenate(
        [integers.read(found.values_list("item__row"), 1)[:, 0] for found in _excluded(project)]
    )
    return table[~np.isin(table[:, 0], out)] if len(out) else table


def _usable(project: Project) -> QuerySet[Item]:
    return Item.objects.filter(
        project=project, split=Item.Split.TRAIN, duplicate_of__isnull=True, held_back=""
    )


def _touched() -> QuerySet[Slot]:
    states = [Slot.State.LEASED, Slot.State.DONE, Slot.State.SKIPPED]
    return Slot.objects.filter(state__in=states).exclude(purpose__in=Slot.MEASURING)


def _excluded(project: Project) -> tuple[QuerySet[Any], ...]:
    return (
        _touched().filter(project=project),
        GoldItem.objects.filter(project=project, is_active=True),
        Resolution.objects.filter(project=project, is_current=True).order_by(),
    )


def usable_rows(project: Project) -> Rows:
    """Rows of all items that may be used, whatever their split, ascending: no duplicates, none held back."""
    found = Item.objects.filter(project=project, duplicate_of__isnull=True, held_back="")
    return integers.read(found.order_by("row").values_list("row"), 1)[:, 0]


def _thinned(table: Rows, limit: int, seed: int) -> tuple[Rows, Rows]:
    if len(table) > limit:
        rng = np.random.default_rng([seed, 1])
        table = table[np.sort(rng.choice(len(table), size=limit, replace=False))]
    return np.ascontiguousarray(table[:, 0]), np.ascontiguousarray(table[:, 1])


def labelled_rows(project: Project) -> Rows:
    """Rows of all items that have a final label now, whatever their split, ascending."""
    found = Resolution.objects.filter(project=project, is_current=True)
    return np.sort(integers.read(found.order_by().values_list("item__row"), 1)[:, 0])


def layer_of(project: Project) -> str:
    """The layer of the encoder whose states are the project's vectors."""
    chosen = EmbeddingChoice.objects.filter(project=project).values_list("layer", flat=True).first()
    return chosen or EmbeddingChoice.Layer.LAST.value


def set_layer(project: Project, layer: str, *, by: User | None = None) -> bool:
    """Choose the layer; vectors by another one stay, and what is lacking by this one is computed anew. True if
    that changed something.

    Raises:
        LayerInUse: a probe has learnt from the vectors there are, or something works with them now.
    """
    if layer == layer_of(project):
        return False
    if ModelVersion.objects.filter(project=project, run__learner=TrainingRun.Learner.PROBE).exists():
        raise LayerInUse(
            _("A probe of this project has learnt from the vectors there are, and would not know others.")
        )
    with transaction.atomic():
        at_work = Round.objects.filter(project=project, state=Round.State.RUNNING).exists()
        if at_work or ColumnBuild.objects.filter(project=project, state=ColumnBuild.State.RUNNING).exists():
            raise LayerInUse(_("A round or a build works with the vectors now: choose the layer after it."))
        EmbeddingChoice.objects.update_or_create(project=project, defaults={"layer": layer})
        audit.record("pool.layer", actor=by, scope=project.uuid, target=project, layer=layer)
    return True


def embedding_key(project: Project) -> str:
    """The name of the column of the project's vectors: the default encoder and the layer chosen."""
    from training.learning import encoder

    return encoder.encoder_key(encoder.default_encoder_path(), layer_of(project))


def embedding_shards(project: Project, key: str = "") -> list[Shard]:
    """The project's vectors; those named `key` where it is given."""
    return column_files.shards(project, Column.Kind.EMBEDDING, key or embedding_key(project))


def missing(project: Project, kind: str, model_key: str, rows: Rows) -> Rows:
    """Those of `rows` that the column does not have yet, ascending."""
    return np.setdiff1d(rows, columns.held(column_files.shards(project, kind, model_key)))


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
