"""Other ways to say what a label is worth, beside KNN-Shapley: by gradients of a linear head, by retraining.

n  training items      m  validation items      d  width, the ones behind included      k  labels
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from selection.programs.columns import Rows
from selection.programs.value_state import Part
from selection.strategies.value.data_shapley import Utility, Walks, data_shapley, with_player
from selection.strategies.value.gradient_similarity import gradient_similarity
from selection.strategies.value.head import Array, Head, Ints
from selection.strategies.value.tracin import Checkpoint, tracin

FILE = "walks.npz"
STEPS = 20  # of gradient descent; vectors of length one and a one behind make a rate of 1 safe
MOST_PLAYERS = 200  # of data Shapley: each order retrains once for every item
MOST_ORDERS = 200
HALF_WIDTH = 0.002  # of an interval of a value, at which no more orders are walked


def by_gradients(head: Head, x: Array, labels: Ints, val_x: Array, val_labels: Ints) -> dict[str, Array]:
    """(n,) each: gradient_similarity at the head, and tracin over the way to one. O(STEPS (n + m) k d)."""
    return {
        "gradient_similarity": gradient_similarity(
            x, head.residuals(x, labels), val_x, head.residuals(val_x, val_labels)
        ),
        "tracin": tracin(_course(len(head.weight), head.ridge, x, labels, val_x, val_labels)),
    }


def _course(
    k: int, ridge: float, x: Array, labels: Ints, val_x: Array, val_labels: Ints
) -> Iterator[Checkpoint]:
    """Every step of gradient descent on the mean loss, from a head of zeros."""
    weight = np.zeros((k, x.shape[1]))
    penalty = np.ones(x.shape[1]) * ridge / len(x)
    penalty[-1] = 0.0
    for _step in range(STEPS):
        now = Head(weight, ridge)
        residuals = now.residuals(x, labels)
        yield Checkpoint(
            x=x,
            residuals=residuals,
            val_x=val_x,
            val_residuals=now.residuals(val_x, val_labels),
            rate=1.0 / len(x),
        )
        weight = weight - residuals.T @ x / len(x) - weight * penalty


def by_retraining(train: Part, validation: Part, k: int, before: str, seed: int) -> tuple[Array, Walks, Ints]:
    """(n,) Data Shapley values for the accuracy of the nearest class mean; the orders; the players.

    Goes on from the orders of the run before (`before`: its result folder), into which new items are put; where
    an item has gone or changed its label, or the validation items are others, they are walked anew. At most
    MOST_ORDERS orders of n retrainings.
    """
    kept = _read(Path(before) / FILE, validation) if before else None
    rng = np.random.default_rng([seed, 8])
    walks, order = None, np.argsort(train.rows)
    if kept is not None:
        walks, rows, codes = kept
        place = {int(row): at for at, row in enumerate(train.rows)}
        known = [place.get(int(row), -1) for row in rows]
        if min(known, default=-1) >= 0 and train.codes[known].tolist() == codes.tolist():
            new = np.setdiff1d(np.arange(len(train.rows)), known)
            order = np.concatenate([np.asarray(known, dtype=np.int64), new])
            for size in range(len(rows), len(order)):
                walks = with_player(walks, _utility(train, validation, k, order[: size + 1]), rng=rng)
        else:
            walks = None
    found = data_shapley(
        _utility(train, validation, k, order),
        len(order),
        rng=rng,
        before=walks,
        half_width=HALF_WIDTH,
        most_orders=MOST_ORDERS,
    )
    values = np.empty(len(order))
    values[order] = found.values
    return values, found.walks, order


def _utility(train: Part, validation: Part, k: int, order: Ints) -> Utility:
    """Accuracy on validation of the nearest class mean among some of the players, `order` by position."""
    vectors, codes = train.vectors[order].astype(np.float64), train.codes[order]
    one_hot = np.eye(k)[codes]
    held = validation.vectors.astype(np.float64)

    def utility(who: Ints) -> float:
        if not len(who):
            return 1.0 / k  # a guess
        means = one_hot[who].T @ vectors[who]
        lengths = np.linalg.norm(means, axis=1, keepdims=True)
        likeness = held @ np.divide(means, lengths, out=np.zeros_like(means), where=lengths > 0).T
        likeness[:, lengths[:, 0] == 0] = -np.inf
        return float((likeness.argmax(axis=1) == validation.codes).mean())

    return utility


def write(folder: Path, walks: Walks, train: Part, players: Ints, validation: Part) -> None:
    """Keep the orders for the next run, with what they were walked over."""
    np.savez(
        folder / FILE,
        orders=walks.orders,
        marginals=walks.marginals,
        reached=walks.reached,
        evaluations=walks.evaluations,
        rows=train.rows[players],
        codes=train.codes[players],
        val_rows=validation.rows,
        val_codes=validation.codes,
    )


def _read(path: Path, validation: Part) -> tuple[Walks, Rows, Ints] | None:
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as held:
        same = held["val_rows"].tolist() == validation.rows.tolist()
        if not same or held["val_codes"].tolist() != validation.codes.tolist():
            return None
        walks = Walks(held["orders"], held["marginals"], held["reached"], int(held["evaluations"]))
        return walks, held["rows"], held["codes"]
