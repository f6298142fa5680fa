"""Which labels people take for one another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from annotation.quality.intervals import Ints
from annotation.quality.ratings import Ratings, rating_pairs


def matrix(rows: npt.ArrayLike, columns: npt.ArrayLike, n_labels: int) -> Ints:
    """Counts (k, k) of label codes that stand at the same place of `rows` and `columns` (n,).

    ValueError on unequal lengths or a code outside 0 .. k - 1.
    """
    a, b = np.asarray(rows, dtype=np.int64), np.asarray(columns, dtype=np.int64)
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"found {a.shape} and {b.shape} labels: both sides must label the same items")
    if len(a) and (min(a.min(), b.min()) < 0 or max(a.max(), b.max()) >= n_labels):
        raise ValueError(
            f"a label code is outside 0 to {n_labels - 1}: code the labels by their place in the schema"
        )
    return (
        np.bincount(a * n_labels + b, minlength=n_labels * n_labels)
        .reshape(n_labels, n_labels)
        .astype(np.int64)
    )


def between_people(ratings: Ratings) -> Ints:
    """How often two people gave one item the labels c and d: (k, k), symmetric.

    Every pair of ratings counts in both orders, so an agreeing pair adds 2 to the diagonal, and a row
    divided by its sum says what another person gives where one gave that label.
    """
    pairs = rating_pairs(ratings)
    one_way = matrix(pairs.label_a, pairs.label_b, ratings.n_labels)
    return one_way + one_way.T


def of_pair(ratings: Ratings, rater_a: int, rater_b: int) -> Ints:
    """Labels of `rater_a` (rows) against those of `rater_b` (columns) on the items of both: (k, k)."""
    pairs = rating_pairs(ratings)
    low, high = sorted((rater_a, rater_b))
    own = (pairs.rater_a == low) & (pairs.rater_b == high)
    found = matrix(pairs.label_a[own], pairs.label_b[own], ratings.n_labels)
    return found if rater_a == low else found.T


class LabelDisagreement(NamedTuple):
    """How often others disagree where one person gave `label`.

    `pairs` counts comparisons, `share` those that disagree, `rival` is the label that others give most
    often instead (None where all agree; the first in schema order on a tie) and `rival_share` its share of
    all comparisons.
    """

    label: int
    pairs: int
    share: float
    rival: int | None
    rival_share: float


def by_label(between: npt.ArrayLike) -> list[LabelDisagreement]:
    """Disagreement label by label, from `between_people`; labels that were never compared are left out."""
    counts = np.asarray(between, dtype=np.int64)
    found = []
    for label, row in enumerate(counts):
        pairs = int(row.sum())
        if pairs:
            others = row.copy()
            others[label] = 0
            rival = int(others.argmax()) if others.any() else None
            rival_share = 0.0 if rival is None else others[rival] / pairs
            found.append(
                LabelDisagreement(label, pairs, float(1 - row[label] / pairs), rival, float(rival_share))
            )
    return found


class ConfusedPair(NamedTuple):
    """Two labels, `a` < `b`, that people take for one another: in `pairs` pairs of ratings, `share` of all
    the pairs in which either occurs."""

    a: int
    b: int
    pairs: int
    share: float


def most_confused(between: npt.ArrayLike, limit: int = 10) -> list[ConfusedPair]:
    """The pairs of labels with most disagreements, from `between_people`; ties in schema order."""
    counts = np.asarray(between, dtype=np.int64)
    upper = np.triu(counts, 1)
    order = np.argsort(-upper, axis=None, kind="stable")[:limit]
    found = []
    for a, b in zip(*np.unravel_index(order, upper.shape), strict=True):
        count = int(upper[a, b])
        if count:
            # Pairs with a, plus pairs with b, less those with both; agreeing pairs stand twice on the
            # diagonal.
            involved = counts[a].sum() - counts[a, a] // 2 + counts[b].sum() - counts[b, b] // 2 - count
            found.append(ConfusedPair(int(a), int(b), count, float(count / involved)))
    return found
