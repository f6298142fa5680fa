"""Texts and labels of a real set in a fixed random order: for benchmarks of reading and training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench._sets import SetMissing, _rows

__all__ = ["SetMissing", "Texts", "load"]


@dataclass(frozen=True)
class Texts:
    """`targets` index `labels`, which are those of the whole set in the order of their names."""

    texts: list[str]
    targets: npt.NDArray[np.int64]
    labels: list[str]


def load(name: str, part: str, count: int) -> Texts:
    """So many rows of a set, the same each time.

    Raises:
        SetMissing: the files are not there.
    """
    rows = _rows(name, part)
    labels = sorted({label for _text, label in rows})
    place = {label: at for at, label in enumerate(labels)}
    order = np.random.default_rng(0).permutation(len(rows))[:count]
    return Texts(
        texts=[rows[at][0] for at in order],
        targets=np.array([place[rows[at][1]] for at in order], dtype=np.int64),
        labels=labels,
    )
