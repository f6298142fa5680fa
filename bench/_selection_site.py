"""A project of any size with its embedding column, for the figures of the pool: made in seconds, not hours.

Its texts are made up and its vectors are drawn (around as many centres as there are labels), since what is
timed does not look at what they mean. Recall is measured elsewhere, on real vectors.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from bench import _site

LABELS = 20
WIDTH = 384
SHARD = 50_000


def made(slug: str, folder: Path, *, items: int, labels: int) -> Any:
    """The project of this slug, if it was made ahead; else it is made."""
    from annotation.models import Project

    found = Project.objects.filter(slug=slug).first()
    return found or make(slug, folder, items=items, labels=labels)


def make(slug: str, folder: Path, *, items: int, labels: int, seed: int = 1) -> Any:
    """A project of `items` items, `labels` of them labelled, with all embeddings stored."""
    from annotation.services import projects

    names = [f"Intent number {number}" for number in range(LABELS)]
    project = projects.create(
        f"Bench {slug}", slug=slug, labels=names, evaluation_items=0, seed=seed, overlap_share=0.0
    )
    _import(project, folder / f"{slug}.csv", items)
    vectors, kinds = _vectors(items, seed)
    _label(project, names, kinds, labels)
    _store(project, vectors, folder)
    return project


def _import(project: Any, path: Path, count: int) -> None:
    from annotation.services import imports
    from annotation.signals import import_finished
    from bench.intake import write_file
    from jobs.services import dispatch, jobs

    write_file(path, count)
    import_finished.receivers.clear()  # the first round would begin beside the measurement
    with path.open("rb") as stream, dispatch.held():
        import_run = imports.upload(project, stream, path.name)
        jobs.run(imports.start(import_run, {"text": "text", "external_id": "id"}).pk)
    import_run.refresh_from_db()
    assert import_run.state == "done", import_run.error


def _vectors(count: int, seed: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(count, 384) unit vectors around 20 centres, and the centre of each."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((LABELS, WIDTH), dtype=np.float32)
    kinds = rng.integers(LABELS, size=count)
    vectors = rng.standard_normal((count, WIDTH), dtype=np.float32)
    for start in range(0, count, SHARD):
        part = slice(start, start + SHARD)
        vectors[part] += 0.5 * centres[kinds[part]]
        vectors[part] /= np.linalg.norm(vectors[part], axis=1, keepdims=True)
    return vectors, kinds


def _label(project: Any, names: list[str], kinds: np.ndarray[Any, Any], count: int) -> None:
    """Final labels by the import door, on train items spread over the pool."""
    from annotation.models import Item
    from annotation.services import items

    free = Item.objects.filter(project=project, split="train", duplicate_of=None, held_back="")
    rows = np.fromiter(free.values_list("row", flat=True).iterator(), dtype=np.int64)
    chosen = rows[np.linspace(0, len(rows) - 1, count).astype(np.int64)].tolist()
    for start in range(0, len(chosen), 500):
        found = Item.objects.filter(project=project, row__in=chosen[start : start + 500])
        records = [
            items.Record(text=text, label=names[kinds[row]]) for row, text in found.values_list("row", "text")
        ]
        items.add_items(project, records, source="labels")


def _store(project: Any, vectors: np.ndarray[Any, Any], folder: Path) -> None:
    from jobs import program
    from jobs.services import artifacts
    from selection.models import Column
    from selection.services import pool

    for start in range(0, len(vectors), SHARD):
        part = vectors[start : start + SHARD]
        result = folder / "work" / f"embedded-{project.slug}-{start}"
        with program.result_folder(result) as made:
            np.save(made / "embeddings.npy", part)
            np.save(made / "rows.npy", np.arange(start, start + len(part), dtype=np.int64))
        stored = artifacts.store(result, "embeddings")
        pool.add_shard(project, Column.Kind.EMBEDDING, pool.embedding_key(project), stored, "embeddings.npy")


if __name__ == "__main__":
    import sys

    where = Path(sys.argv[1])
    where.mkdir(parents=True, exist_ok=True)
    _site.set_up(where)
    begun = time.perf_counter()
    make(sys.argv[2], where, items=int(sys.argv[3]), labels=int(sys.argv[4]))
    print(f"{time.perf_counter() - begun:.1f} s")
