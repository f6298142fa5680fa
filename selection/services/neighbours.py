"""Items of the pool that are like a given one, or like a text, for labelling many at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from django.utils.translation import gettext as _

from annotation.models import Item, Project
from jobs.errors import BrokenArtifact
from jobs.services import artifacts
from selection.errors import BadQuery
from selection.index import scan
from selection.models import PoolIndex
from selection.programs import columns
from selection.programs.columns import Rows, Shard
from selection.services import indexing, pool

MOST = 60
MOST_CHARACTERS = 2_000  # of a text that is searched for
AT_FIRST = 8  # so many times what is wanted is looked at, since labelled items are neighbours too
AT_MOST = 8_000  # vectors looked at in a request: among labelled items alone, fewer than wanted are found

Vector = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Neighbour:
    item: Item
    similarity: float


def near(project: Project, row: int, *, most: int = MOST) -> list[Neighbour]:
    """The item at `row` first, where it may still be labelled, then what is like it in the pool (cosine of the
    default encoder's vectors, most similar first). Empty where the item has no vector yet.
    """
    query = scan.vector_of(pool.embedding_shards(project), row)
    return [] if query is None else near_vector(project, query, most=most)


def near_text(project: Project, text: str, *, most: int = MOST) -> list[Neighbour]:
    """What is like a text that a person typed, most similar first; it need not be an item.

    Raises:
        BadQuery: no text, one that is too long, or an encoder that pages cannot run.
    """
    text = text.strip()
    if not text:
        raise BadQuery(_("There is nothing to search for: write a sentence that you look for."))
    if len(text) > MOST_CHARACTERS:
        raise BadQuery(
            _("The text has %(found)s characters, at most %(most)s are searched for: shorten it.")
            % {"found": len(text), "most": MOST_CHARACTERS}
        )
    from training.learning import encoder, light_encoder

    try:
        query = light_encoder.encode(text, encoder.default_encoder_path(), pool.layer_of(project))
    except ValueError as error:
        raise BadQuery(error) from error
    return near_vector(project, query, most=most)


def near_vector(project: Project, query: Vector, *, most: int = MOST) -> list[Neighbour]:
    """Items of the pool nearest to a unit vector (d,): by the index and what is newer than it, or exactly where
    there is none.
    """
    shards = pool.embedding_shards(project)
    if not shards:
        return []
    wanted, total = AT_FIRST * most, indexing.vectors(project)
    while True:
        rows, similarity = _most_similar(project, shards, query, wanted, total)
        found = _open_items(project, rows)
        if len(found) >= most or wanted >= min(total, AT_MOST) or len(rows) < wanted:
            break
        wanted = min(wanted * AT_FIRST, max(AT_MOST, most))
    pairs = zip(rows.tolist(), similarity.tolist(), strict=True)
    return [Neighbour(found[row], float(close)) for row, close in pairs if row in found][:most]


def _most_similar(
    project: Project, shards: list[Shard], query: Vector, wanted: int, total: int
) -> tuple[Rows, Vector]:
    from selection.index import stored  # loads FAISS, which pages do only here

    held = indexing.current(project)
    folder = _usable(held)
    if held is None or folder is None:
        return scan.most_similar(shards, query, wanted)
    newer = np.empty(0, dtype=np.int64)
    if held.count < total:
        newer = np.setdiff1d(columns.held(shards), np.load(folder / "rows.npy"))
    try:
        return stored.most_similar(folder, shards, query, wanted, newer=newer)
    except (ValueError, OSError):  # damaged: the next build notices and says so
        return scan.most_similar(shards, query, wanted)


def _usable(held: PoolIndex | None) -> Path | None:
    """The index's folder, if its files are there; else, and for a flat one, all vectors are looked at."""
    if held is None or held.kind == "flat":
        return None
    try:
        folder = artifacts.path(held.artifact)
    except BrokenArtifact:
        return None
    return folder if (folder / "rows.npy").is_file() else None


def _open_items(project: Project, rows: Rows) -> dict[int, Item]:
    """Those of the rows that may still be labelled, by row."""
    found: dict[int, Item] = {}
    for start in range(0, len(rows), 500):
        part = rows[start : start + 500].tolist()
        found |= {item.row: item for item in pool.candidates(project).filter(row__in=part)}
    return found


def some_row(project: Project, seed: int) -> int | None:
    """A row of the pool to begin with, drawn by `seed` among those with a vector; None where there is none."""
    rng = np.random.default_rng(seed)
    held = columns.held(pool.embedding_shards(project))
    for _attempt in range(5):  # most rows of a pool are open: a few draws find one without reading all
        if not len(held):
            return None
        few = np.unique(rng.choice(held, size=min(200, len(held))))
        if found := list(pool.candidates(project).filter(row__in=few.tolist()).values_list("row", flat=True)):
            return int(rng.choice(np.sort(found)))
    rows, _clusters = pool.ready(project, 1, seed)
    return int(rows[0]) if len(rows) else None
