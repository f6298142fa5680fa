"""Items of the pool that are like a given one, for labelling many at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from annotation.models import Item, Project
from selection.index import scan
from selection.services import pool

MOST = 60


@dataclass(frozen=True)
class Neighbour:
    item: Item
    similarity: float


def near(project: Project, row: int, *, most: int = MOST) -> list[Neighbour]:
    """The item at `row` first, where it may still be labelled, then what is like it in the pool (cosine of the
    default encoder's vectors, most similar first). Empty where the item has no vector yet.

    Exact: reads the whole embedding column, about a second for a million items.
    """
    shards = pool.embedding_shards(project)
    query = scan.vector_of(shards, row)
    if query is None:
        return []
    found = pool.candidates(project).values_list("row", flat=True)
    allowed = np.fromiter(found.iterator(chunk_size=20_000), dtype=np.int64)
    rows, similarity = scan.most_similar(shards, query, most, allowed=allowed)
    items = {item.row: item for item in Item.objects.filter(project=project, row__in=rows.tolist())}
    return [
        Neighbour(items[one], float(close))
        for one, close in zip(rows.tolist(), similarity.tolist(), strict=True)
        if one in items
    ]


def some_row(project: Project, seed: int) -> int | None:
    """A row of the pool to begin with, drawn by `seed` among those with a vector; None where there is none."""
    rows, _clusters = pool.ready(project, 1, seed)
    return int(rows[0]) if len(rows) else None
