"""What a strategy chooses from and what it gives back: arrays, aligned by position.

Every strategy is a plain function `(pool, count, *, settings, rng) -> Picks` and starts at the same door:
`candidates` checks the pool and lists what may be picked, one item of each duplicate cluster, in the order of
`rows`. So the answer does not depend on the order in which the pool is given, ties go to the lower row, and
two items of one cluster are never picked.

Letters: n pool items, k labels, d dimensions, m labelled items, c picks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from selection.strategies.errors import (
    BadEmbeddings,
    BadHardness,
    BadProbabilities,
    MissingColumn,
    OneClass,
    PoolError,
    PoolTooSmall,
)

Floats = npt.NDArray[np.floating[Any]]
Indices = npt.NDArray[np.int64]

SUM_TOLERANCE = 1e-3  # float32 softmax over a thousand labels stays within it
PARTS = (  # of a pick's score
    *("uncertainty", "diversity", "hardness"),
    *("density", "balance", "cost", "factor"),
    *("chance", "score"),
)
LENGTH_TOLERANCE = 1e-2  # unit vectors kept as float16 stay within it


@dataclass(frozen=True)
class Pool:
    """The unlabelled items.

    Attributes:
        rows: (n,) int64, distinct; the item's row in its project. Ties are broken by the lower row.
        probs: (n, k) in [0, 1], rows summing to one; None before there is a model.
        versions: (n, v, k) probabilities by v earlier versions of the model, or v draws with dropout, of the
            same labels; None without.
        unsure: (n, 4) in [0, 1], of a model whose answers are no single label, in place of `probs`: how unsure
            it is by each of `uncertainty.MEASURES`, in their order.
        embeddings: (n, d), rows of length one.
        hardness: (n,), higher is harder.
        labelled_embeddings: (m, d), rows of length one; None or m = 0 where nothing is labelled.
        labelled_near: (n,) float32 similarity to some labelled item, best the nearest; None where it is not
            known. It changes no pick and saves comparisons.
        clusters: (n,) int64, duplicate cluster of each; None says that there are no duplicates.
        taken: positions in the pool picked before (by the control arm): they and their duplicates are out.
        seconds: (n,) expected time to label each item, > 0; None where it is not known.
        sources: (n,) int64, where each item comes from; None where it is not known.
        class_counts: (k,) labelled items of each label; None where it is not known.
        turn: rounds before this one.
    """

    rows: Indices
    probs: Floats | None = None
    embeddings: Floats | None = None
    hardness: Floats | None = None
    labelled_embeddings: Floats | None = None
    labelled_near: Floats | None = None
    clusters: Indices | None = None
    taken: Indices | None = None
    seconds: Floats | None = None
    sources: Indices | None = None
    class_counts: Indices | None = None
    turn: int = 0
    versions: Floats | None = None
    unsure: Floats | None = None

    def __post_init__(self) -> None:
        if np.ndim(self.rows) != 1:
            raise PoolError(
                f"rows have shape {np.shape(self.rows)}, expected one dimension: give a row an item"
            )
        for name in (
            "probs",
            "unsure",
            "versions",
            "embeddings",
            "hardness",
            "labelled_near",
            "clusters",
            "seconds",
            "sources",
        ):
            column = getattr(self, name)
            if column is not None and len(column) != len(self.rows):
                raise PoolError(
                    f"{name} has {len(column)} entries, the pool has {len(self.rows)} items: "
                    "give one for each item"
                )


@dataclass(frozen=True)
class Picks:
    """What a strategy chose, in the order of choice.

    Attributes:
        indices: (c,) int64 positions in the pool's arrays.
        parts: score parts by name (see PARTS), each (c,); higher speaks more for the item; NaN where a part
            played no role for it.
        weights: of the parts in the score, by name, where it is a weighted sum of them.
        inclusion_probability: (c,) probability that the design picks the item, NaN where the design has none;
            None if no pick has one.
        note: a sentence on what was unusual, or empty.
    """

    indices: Indices
    parts: dict[str, Floats] = field(default_factory=dict)
    inclusion_probability: Floats | None = None
    note: str = ""
    weights: dict[str, float] = field(default_factory=dict)


def candidates(pool: Pool, count: int, needs: Iterable[str] = ()) -> Indices:
    """The door of every strategy: check what it needs, list what may be picked.

    Args:
        count: the batch size.
        needs: columns the strategy reads: "probs", "versions", "embeddings", "hardness". Others are left alone.
            "unsure" says that it asks only how unsure the model is: `pool.unsure`, or without it "probs".

    Returns:
        (n',) positions by ascending row: the lowest row of each duplicate cluster that has no taken item.
        Cost O(n) if rows ascend and there are no clusters, else O(n log n); plus a pass over what is needed.

    Raises:
        PoolTooSmall, MissingColumn, BadProbabilities, OneClass, BadEmbeddings, BadHardness, PoolError.
    """
    if count < 1:
        raise PoolError(f"found a batch size of {count}, expected 1 or more")
    found = distinct(pool)
    if count > len(found):
        merged = f" ({len(found)} that differ and are free)" if len(found) != len(pool.rows) else ""
        raise PoolTooSmall(
            f"pool has {len(pool.rows)} items{merged}, batch needs {count}: "
            "lower the batch size or import more data"
        )
    for name in sorted(set(needs)):
        if name == "unsure" and pool.unsure is not None:
            check_unsure(pool.unsure)
            continue
        name = "probs" if name == "unsure" else name
        column = getattr(pool, name)
        if column is None:
            raise MissingColumn(f"the strategy needs {name}, and the pool has none: {_REMEDIES[name]}")
        if name == "probs":
            check_probabilities(column)
        elif name == "embeddings":
            check_embeddings(column, pool.labelled_embeddings)
        elif name == "versions":
            check_versions(column, pool.probs)
        else:
            check_hardness(column)
    return found


_REMEDIES = {
    "probs": "train a model and score the pool first, or use cold_start",
    "embeddings": "embed the pool first",
    "versions": "train a second model first, or use a strategy of one model",
    "hardness": "label some items first, or use a strategy without hardness",
}


def distinct(pool: Pool) -> Indices:
    """Positions by ascending row: the lowest row of each duplicate cluster that has no taken item.

    >>> distinct(Pool(rows=np.array([7, 3, 5]), clusters=np.array([1, 1, 2]))).tolist()
    [1, 2]
    """
    rows = pool.rows
    steps = np.diff(rows)
    order = np.arange(len(rows), dtype=np.int64)
    if not (steps > 0).all():
        order = np.argsort(rows, kind="stable").astype(np.int64)
        if (np.diff(rows[order]) == 0).any():
            raise PoolError("a row stands in the pool more than once: give each item once")
    open_ = np.ones(len(rows), dtype=bool)
    if pool.taken is not None and len(pool.taken):
        open_[pool.taken] = False
        if pool.clusters is not None:
            open_ &= ~np.isin(pool.clusters, pool.clusters[pool.taken])
    if pool.clusters is not None:
        clusters = pool.clusters[order]
        if not (np.diff(clusters) > 0).all():  # else all differ, and a million need no sorting
            keep = np.zeros(len(rows), dtype=bool)
            keep[order[np.unique(clusters, return_index=True)[1]]] = True
            open_ &= keep
    return order[open_[order]]


def among(column: Any, open_: Indices) -> Any:
    """The entries of a column at `open_`; the column itself, not a copy, where that is all of it in order."""
    if len(open_) == len(column) and bool((np.diff(open_) > 0).all()):
        return column
    return column[open_]


def check_unsure(unsure: Floats) -> None:
    """Raise BadProbabilities unless every value of (n, 4) lies in [0, 1]. O(n)."""
    if unsure.ndim != 2 or not ((unsure >= 0) & (unsure <= 1)).all():
        raise BadProbabilities(
            f"uncertainties of shape {np.shape(unsure)} are not all between 0 and 1: score the pool again"
        )


def check_hardness(hardness: Floats) -> None:
    """Raise BadHardness unless every value of (n,) is a finite number. O(n)."""
    good = np.isfinite(hardness)
    if not good.all():
        raise BadHardness(
            f"{int((~good).sum())} of {len(hardness)} hardness values are not numbers: compute them again"
        )


def check_probabilities(probs: Floats) -> None:
    """Raise unless `probs` is (n, k) with k >= 2, in [0, 1], each row summing to one within 1e-3. O(n k)."""
    if probs.ndim != 2:
        raise BadProbabilities(f"probabilities have shape {np.shape(probs)}, expected (items, labels)")
    if probs.shape[1] < 2:
        raise OneClass(
            f"the model knows {probs.shape[1]} label, expected at least 2: label items of another kind, "
            "or use random or cold_start until then"
        )
    from selection.strategies.blocks import by_item

    # A NaN makes every comparison false, so a row is good only if all of them hold.
    good: npt.NDArray[np.bool_] = by_item(
        probs,
        lambda turned: (
            (np.abs(turned.sum(axis=0) - 1) <= SUM_TOLERANCE) & (turned.min(axis=0) >= -SUM_TOLERANCE)
        ),
    )
    if not good.all():
        sums = probs.sum(axis=1)
        at = int(np.argmin(good))
        raise BadProbabilities(
            f"{int((~good).sum())} of {len(probs)} rows of probabilities are not distributions "
            f"(position {at} sums to {sums[at]:.4g}): expected numbers from 0 to 1 that sum to one; "
            "score the pool again"
        )


def check_versions(versions: Floats, probs: Floats | None) -> None:
    """Raise unless `versions` is (n, v, k), v >= 1, with k as `probs` has it, and distributions. O(n v k)."""
    if (
        versions.ndim != 3
        or versions.shape[1] < 1
        or (probs is not None and versions.shape[2] != probs.shape[1])
    ):
        labels = probs.shape[1] if probs is not None else "labels"
        raise BadProbabilities(
            f"probabilities of earlier versions have shape {np.shape(versions)}, expected (items, versions, "
            f"{labels}): leave out versions that know other labels"
        )
    check_probabilities(versions.reshape(-1, versions.shape[2]))


def check_embeddings(embeddings: Floats, labelled: Floats | None = None) -> None:
    """Raise unless `embeddings` (n, d), and `labelled` (m, d) if given, have rows of length one.

    Cost O((n + m) d).
    """
    if embeddings.ndim != 2:
        raise BadEmbeddings(f"embeddings have shape {np.shape(embeddings)}, expected (items, dimensions)")
    _check_lengths(embeddings, "embeddings of the pool")
    if labelled is None or not len(labelled):
        return
    if labelled.ndim != 2 or labelled.shape[1] != embeddings.shape[1]:
        raise BadEmbeddings(
            f"labelled embeddings have shape {labelled.shape}, the pool has {embeddings.shape[1]} "
            "dimensions: embed both with one encoder"
        )
    _check_lengths(labelled, "embeddings of labelled items")


def _check_lengths(vectors: Floats, what: str) -> None:
    from selection.strategies.blocks import by_item

    squares = by_item(vectors, lambda block: np.einsum("nd,nd->n", block, block), turned=False)
    good = np.abs(squares - 1) <= 2 * LENGTH_TOLERANCE
    if good.all():
        return
    zero = squares == 0
    if zero.any():
        at = int(np.argmax(zero))
        raise BadEmbeddings(
            f"{int(zero.sum())} of {len(vectors)} {what} are all zero (position {at} is one): a text without "
            "content? leave these items out or embed them again"
        )
    at = int(np.argmin(good))
    raise BadEmbeddings(
        f"{int((~good).sum())} of {len(vectors)} {what} are not of length one (position {at} has squared "
        f"length {squares[at]:.4g}): normalise the rows"
    )
