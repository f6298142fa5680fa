"""The labelled file that simulate learns from: read, divided, and embedded ahead of time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from annotation.intake import normalise, read
from annotation.intake.records import IntakeError, Row
from annotation.intake.split import assign_splits
from annotation.models import Item, Project
from annotation.task_types import registry as task_types
from jobs.services import processes
from selection.errors import SimulationRefused

TEST_SHARE = 0.2  # held out by the product's own split where no test file is given


class Files(Protocol):
    """The part of a SimulationSpec that says where the examples are."""

    data: str
    test: str
    text: str
    label: str


@dataclass(frozen=True)
class Example:
    text: str
    label: str
    split: str | None = None  # None: the product's split decides


@dataclass(frozen=True)
class Examples:
    rows: list[Example]
    labels: list[str]  # names, sorted


def read_examples(files: Files) -> Examples:
    """All usable rows; test rows first, so that a text that is in both files stays a test item.

    Raises:
        SimulationRefused: a file or column is missing, or there are fewer than two labels.
    """
    given = _file(files.test, files, "test") if files.test else []
    given += _file(files.data, files, "train" if files.test else None)
    counts = Counter(row.label for row in given)
    if len(counts) < 2:
        raise SimulationRefused(
            f"{files.data} has {len(counts)} labels in column {files.label!r}: simulate needs two or more"
        )
    return Examples(rows=given, labels=sorted(counts))


def _file(path: str, files: Files, split: str | None) -> list[Example]:
    try:
        info = read.sniff(Path(path))
    except (IntakeError, OSError) as error:
        raise SimulationRefused(f"{path}: {error}") from error
    for column in (files.text, files.label):
        if column not in info.columns:
            raise SimulationRefused(
                f"{path} has no column {column!r}; it has {', '.join(info.columns)}: "
                "name yours with --text and --label"
            )
    found = []
    for row in read.rows(Path(path), info):
        if isinstance(row, Row):
            text, label = (
                str(row.fields.get(files.text) or ""),
                str(row.fields.get(files.label) or "").strip(),
            )
            if text.strip() and label:
                found.append(Example(text, label, split))
    return found


def divided(examples: Examples, seed: int) -> list[Example]:
    """The same rows with a split each: the given one, or the one the product will draw for this seed."""
    if all(row.split for row in examples.rows):
        return examples.rows
    hashes = [normalise.content_hash(normalise.normalise(row.text)) for row in examples.rows]
    splits = assign_splits(hashes, seed, 0.0, TEST_SHARE)
    return [
        Example(row.text, row.label, row.split or split)
        for row, split in zip(examples.rows, splits, strict=True)
    ]


def label_ids(definition: dict[str, Any]) -> dict[str, str]:
    """Label name -> label id."""
    return {label["name"]: label["id"] for label in task_types.field_of(definition)["labels"]}


def embed_ahead(examples: Examples, folder: Path, *, on_event: Callable[[dict[str, Any]], None]) -> None:
    """Embed every different text once, by the embed program in a process of its own, into `folder`."""
    from training.learning import encoder

    folder.mkdir(parents=True, exist_ok=True)
    hashes: dict[str, int] = {}
    texts: list[str] = []
    for row in examples.rows:
        digest = normalise.content_hash(normalise.normalise(row.text))
        if digest not in hashes:
            hashes[digest] = len(texts)
            texts.append(row.text)
    table = pa.table({"row": pa.array(range(len(texts)), pa.int64()), "text": pa.array(texts, pa.string())})
    pq.write_table(table, folder / "texts.parquet")
    (folder / "hashes.json").write_text(json.dumps(hashes))
    spec = {
        "spec_version": 1,
        "result": str(folder / "embedded"),
        "texts": str(folder / "texts.parquet"),
        "encoder": str(encoder.default_encoder_path()),
    }
    processes.run(
        "selection.programs.embed",
        spec,
        spec_path=folder / "spec.json",
        on_event=on_event,
        check=lambda: None,
    )


def embedded_ahead(project: Project, folder: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Rows and vectors of all items of a project whose texts were embedded ahead."""
    hashes: dict[str, int] = json.loads((folder / "hashes.json").read_text())
    vectors = np.load(folder / "embedded" / "embeddings.npy", mmap_mode="r")
    pairs = Item.objects.filter(project=project).order_by("row").values_list("row", "content_hash")
    found = [(row, hashes[digest]) for row, digest in pairs]
    rows = np.asarray([row for row, _index in found], dtype=np.int64)
    return rows, np.ascontiguousarray(vectors[[index for _row, index in found]])
