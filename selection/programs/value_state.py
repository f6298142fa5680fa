"""What a valuation hands to the next one: each validation item's order of training items, the head, its
solution.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from selection.programs.columns import Rows
from selection.strategies.value.knn_shapley import State

Floats = npt.NDArray[np.floating[Any]]
Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """Some labelled items: rows (n,), vectors (n, d), codes (n,) into the names of labels, sources (n,)."""

    rows: Rows
    vectors: Floats
    codes: Codes
    sources: list[str]


@dataclass(frozen=True)
class Rowed:
    """A state with the item rows of its positions."""

    state: State
    rows: Rows
    val_rows: Rows


def brought_up_to_date(
    before: dict[str, Any] | None, train: Part, validation: Part, neighbours: int
) -> tuple[Rowed, dict[str, int]]:
    """The state of now, from the one before where there is one; and how much of it is new.

    Labels may have changed and items have come and gone on either side; vectors of a row never change. Of
    equally close items the one that came first counts as nearer.
    """
    n, m = len(train.rows), len(validation.rows)
    if before is None:
        state = State.of(
            train.vectors, train.codes, validation.vectors, validation.codes, neighbours=neighbours
        )
        return Rowed(state, train.rows, validation.rows), {"added": n, "removed": 0, "pairs": n * m}
    stays, val_stays = np.isin(before["rows"], train.rows), np.isin(before["val_rows"], validation.rows)
    if not stays.any() or not val_stays.any():
        return brought_up_to_date(None, train, validation, neighbours)
    rows, val_rows = before["rows"], before["val_rows"][val_stays]
    at, val_at = np.searchsorted(train.rows, rows[stays]), np.searchsorted(validation.rows, val_rows)
    vectors = np.zeros((len(rows), train.vectors.shape[1]), dtype=np.float32)
    vectors[stays] = train.vectors[at]
    codes = np.zeros(len(rows), dtype=np.int64)
    codes[stays] = train.codes[at]
    state = State(
        before["similarity"][val_stays],
        before["order"][val_stays].astype(np.int64),
        *(vectors, codes, validation.vectors[val_at], validation.codes[val_at], neighbours),
    )
    if not stays.all():
        state = state.without_training(np.flatnonzero(~stays))
    new, val_new = ~np.isin(train.rows, rows), ~np.isin(validation.rows, val_rows)
    pairs = 0
    if new.any():
        pairs += int(new.sum()) * len(val_rows)
        state = state.with_training(train.vectors[new], train.codes[new])
    if val_new.any():
        pairs += int(val_new.sum()) * n
        state = state.with_validation(validation.vectors[val_new], validation.codes[val_new])
    now = Rowed(
        state,
        np.concatenate([rows[stays], train.rows[new]]),
        np.concatenate([val_rows, validation.rows[val_new]]),
    )
    return now, {"added": int(new.sum()), "removed": int((~stays).sum()), "pairs": pairs}


def load(folder: str, names: list[str], neighbours: int) -> dict[str, Any] | None:
    """The state of the run before; None where there is none, or it was for another vote."""
    path = Path(folder) / "state.npz"
    if not folder or not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as held:
        found = {name: held[name] for name in held.files}
    if int(found["neighbours"]) != neighbours:
        return None
    if found["names"].tolist() != names:
        found["weight"] = np.empty((0, 0))  # other labels: the head and its solution do not fit
    return found
