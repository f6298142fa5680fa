"""Reading one split of a frozen dataset: what every objective finds there before it looks at answers."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, kw_only=True)
class Examples:
    """One split, ready to learn from: n aligned entries. `weights` are 0 or more.

    `answers` are as the task type stores them; `targets` are what the objective's loss reads: an array whose
    first axis are the items, or None where they depend on the tokens (see `Task.targets`).
    """

    rows: Ints
    texts: list[str]
    weights: npt.NDArray[np.float64]
    answers: list[Any]
    targets: Any = None

    def __len__(self) -> int:
        return len(self.texts)

    def taken(self, kept: Ints) -> Examples:
        """Those at the positions `kept`, in that order."""
        return replace(
            self,
            rows=self.rows[kept],
            texts=[self.texts[i] for i in kept],
            weights=self.weights[kept],
            answers=[self.answers[i] for i in kept],
            targets=None if self.targets is None else self.targets[kept],
        )

    def counted(self) -> Examples:
        """Those whose weight is above 0: the others teach nothing."""
        return self.taken(np.flatnonzero(self.weights > 0))


def check_varied(train: Examples, alike: str) -> None:
    """Whether there is an item, and one whose targets differ from another's.

    Args:
        alike: ends the sentence "all n items to train on ...".

    Raises:
        ValueError: there is not.
    """
    if not len(train):
        raise ValueError("found no labelled item to train on, expected some: label items and freeze again")
    if not (train.targets != train.targets[0]).any():
        raise ValueError(f"all {len(train)} items to train on {alike}")


@dataclass(frozen=True, kw_only=True)
class Split:
    """The columns of <split>.parquet. `examples` and `posteriors` hold None where the file has nothing."""

    path: Path
    rows: Ints
    texts: list[str]
    labels: list[str]
    weights: npt.NDArray[np.float64]
    examples: list[list[dict[str, Any]] | None]
    posteriors: list[dict[str, float] | None]

    def __len__(self) -> int:
        return len(self.texts)

    def of(self, answers: list[Any], targets: Any = None) -> Examples:
        """The split with what an objective made of it."""
        return Examples(
            rows=self.rows, texts=self.texts, weights=self.weights, answers=answers, targets=targets
        )

    def first_examples(self) -> list[dict[str, Any]]:
        """The task type's first training example of every item.

        Raises:
            ValueError: the file has none, as that of a single-label project.
        """
        found = [rows[0] if rows else None for rows in self.examples]
        if any(one is None for one in found):
            raise ValueError(
                f"{self.path} has items without training examples: freeze the dataset again with this schema"
            )
        return [one for one in found if one is not None]


def read(folder: Path, split: str) -> Split:
    """Read <split>.parquet (row, text, label, weight, examples, posterior) of a frozen dataset.

    A missing weight counts as 1; the columns examples and posterior may be missing.

    Raises:
        ValueError: the file is missing or damaged, lacks a column, has an empty cell, or a weight that is
        negative or not finite.
    """
    path = folder / f"{split}.parquet"
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{path} cannot be read ({error}): freeze the dataset again") from error
    if lacking := {"row", "text", "label"} - set(table.column_names):
        raise ValueError(f"{path} has no column {', '.join(sorted(lacking))}: freeze the dataset again")
    for name in ("row", "text", "label"):
        if table[name].null_count:
            raise ValueError(f"{path} has empty cells in its column {name}: freeze the dataset again")
    return Split(
        path=path,
        rows=table["row"].to_numpy().astype(np.int64),
        texts=table["text"].to_pylist(),
        labels=table["label"].to_pylist(),
        weights=_weights(table, path),
        examples=_json(table, "examples", path),
        posteriors=_json(table, "posterior", path),
    )


def _weights(table: pa.Table, path: Path) -> npt.NDArray[np.float64]:
    if "weight" not in table.column_names:
        return np.ones(len(table))
    weights = np.asarray(table["weight"].fill_null(1.0).to_numpy(), dtype=np.float64)
    if not np.isfinite(weights).all() or (len(weights) and weights.min() < 0):
        raise ValueError(f"{path} has weights that are negative or not numbers, expected 0 or more")
    return weights


def _json(table: pa.Table, name: str, path: Path) -> list[Any]:
    if name not in table.column_names:
        return [None] * len(table)
    try:
        return [None if cell is None else json.loads(cell) for cell in table[name].to_pylist()]
    except ValueError as error:
        raise ValueError(
            f"{path} has a damaged cell in its column {name}: freeze the dataset again"
        ) from error


def shares(
    posteriors: list[dict[str, float] | None], hard: npt.NDArray[np.float32], columns: list[str]
) -> npt.NDArray[np.float32]:
    """(n, k) distributions over `columns`: what people believed of each item, brought to sum to 1.

    Labels that are no column are left out of the sum; where nothing is left, or nothing is stored, the row of
    `hard` (n, k) stands.
    """
    place = {name: at for at, name in enumerate(columns)}
    out = hard.copy()
    for i, posterior in enumerate(posteriors):
        found = {place[name]: share for name, share in (posterior or {}).items() if name in place}
        total = sum(found.values())
        if total > 0:
            out[i] = 0.0
            for at, share in found.items():
                out[i, at] = share / total
    return out
