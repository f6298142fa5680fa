"""Single-label classification: one label out of k for each text, learnt by weighted cross-entropy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    import torch

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Examples:
    """One split of a frozen dataset: aligned arrays of n items.

    `targets` are columns of the schema's labels; `weights` are above or equal to 0.
    """

    rows: Ints
    texts: list[str]
    targets: Ints
    weights: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.texts)

    def counted(self) -> Examples:
        """Those whose weight is above 0: the others teach nothing."""
        kept = np.flatnonzero(self.weights > 0)
        return Examples(
            rows=self.rows[kept],
            texts=[self.texts[i] for i in kept],
            targets=self.targets[kept],
            weights=self.weights[kept],
        )

    def counts(self, labels: Sequence[str]) -> dict[str, int]:
        """Items of each label, in the order of the schema, zeros included."""
        found = Counter(self.targets.tolist())
        return {label: found[i] for i, label in enumerate(labels)}


def read(folder: Path, split: str, labels: Sequence[str]) -> Examples:
    """Read <split>.parquet (row, text, label, weight) of a frozen dataset; a missing weight counts as 1.

    Raises:
        ValueError: the file is missing or damaged, lacks a column, has a label outside `labels`, an empty
        cell, or a weight that is negative or not finite.
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
    weights = _weights(table, path)
    return Examples(
        rows=table["row"].to_numpy().astype(np.int64),
        texts=table["text"].to_pylist(),
        targets=columns_of(table["label"].to_pylist(), labels, path),
        weights=weights,
    )


def columns_of(given: Sequence[str], labels: Sequence[str], where: Path) -> Ints:
    """(n,) place of each given label id among `labels`.

    Raises:
        ValueError: one is not among them; the message names a few.
    """
    place = {label: i for i, label in enumerate(labels)}
    if unknown := sorted({label for label in given if label not in place}):
        raise ValueError(
            f"{where} has labels that the schema does not know: {', '.join(unknown[:5])}; "
            f"expected some of the {len(labels)} labels given"
        )
    return np.array([place[label] for label in given], dtype=np.int64)


def _weights(table: pa.Table, path: Path) -> npt.NDArray[np.float64]:
    if "weight" not in table.column_names:
        return np.ones(len(table))
    weights = np.asarray(table["weight"].fill_null(1.0).to_numpy(), dtype=np.float64)
    if not np.isfinite(weights).all() or (len(weights) and weights.min() < 0):
        raise ValueError(f"{path} has weights that are negative or not numbers, expected 0 or more")
    return weights


def check(examples: Examples) -> None:
    """Whether there is something to learn.

    Raises:
        ValueError: no item, none that counts, or one label only.
    """
    counted = examples.targets[examples.weights > 0]
    if not len(counted):
        raise ValueError("found no labelled item to train on, expected some: label items and freeze again")
    if len(np.unique(counted)) < 2:
        raise ValueError(
            f"found one label among the {len(counted)} items to train on, expected two or more: "
            "label items of other labels"
        )


def losses(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """(b,) cross-entropy of each item in nats, from logits (b, k) and columns (b,)."""
    from torch.nn.functional import cross_entropy

    return cross_entropy(logits.float(), targets, reduction="none")
