"""Who gave which item which label, as three arrays; and the two views that the figures are made from."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from annotation.quality.intervals import Ints


@dataclass(frozen=True, eq=False)
class Ratings:
    """n ratings as codes from 0: the rating i says that `raters[i]` gave `items[i]` the label `labels[i]`.

    At most one label by one person on one item. All arrays (n,) int64. ValueError at the door otherwise.
    """

    items: Ints
    raters: Ints
    labels: Ints
    n_items: int
    n_raters: int
    n_labels: int

    def __post_init__(self) -> None:
        for name, size in (("items", self.n_items), ("raters", self.n_raters), ("labels", self.n_labels)):
            codes = np.ascontiguousarray(getattr(self, name), dtype=np.int64)
            object.__setattr__(self, name, codes)
            if codes.shape != self.items.shape or codes.ndim != 1:
                raise ValueError(
                    f"{name} has shape {codes.shape}, items {self.items.shape}: give three equal lengths"
                )
            if len(codes) and (codes.min() < 0 or codes.max() >= size):
                raise ValueError(
                    f"{name} holds codes from {codes.min()} to {codes.max()}: expected 0 to {size - 1}"
                )
        pairs = np.sort(self.items * max(1, self.n_raters) + self.raters)
        twice = int((pairs[1:] == pairs[:-1]).sum())
        if twice:
            raise ValueError(
                f"{twice} ratings are by a person who has already rated the item: keep one of them"
            )

    @classmethod
    def from_triples(
        cls,
        triples: Iterable[tuple[Hashable, Hashable, Hashable]],
        *,
        labels: Sequence[Hashable] | None = None,
        repeats: str = "error",
    ) -> tuple[Ratings, Codes]:
        """Ratings from (item, rater, label), and what their codes stand for: items and raters in order of
        appearance.

        `labels` fixes the order of the labels (the schema's); without it they are sorted by their text. A
        label outside of it is a ValueError. `repeats` says which of a person's labels for one item counts:
        "first", "last", or "error".
        """
        if repeats not in ("error", "first", "last"):
            raise ValueError(f"repeats is {repeats!r}: expected error, first or last")
        chosen: dict[tuple[Hashable, Hashable], Hashable] = {}
        for item, rater, label in triples:
            if (item, rater) not in chosen or repeats == "last":
                chosen[item, rater] = label
            elif repeats == "error":
                raise ValueError(
                    f"{rater!r} has rated {item!r} twice: say which counts by repeats='first' or 'last'"
                )
        names = list(labels) if labels is not None else sorted(set(chosen.values()), key=str)
        item_code: dict[Hashable, int] = {}
        rater_code: dict[Hashable, int] = {}
        label_code = {label: i for i, label in enumerate(names)}
        unknown = next((label for label in chosen.values() if label not in label_code), None)
        if unknown is not None:
            raise ValueError(
                f"label {unknown!r} is not among the {len(names)} labels: add it, or leave the rating out"
            )
        coded = np.array(
            [
                (
                    item_code.setdefault(item, len(item_code)),
                    rater_code.setdefault(rater, len(rater_code)),
                    label_code[label],
                )
                for (item, rater), label in chosen.items()
            ],
            dtype=np.int64,
        ).reshape(-1, 3)
        ratings = cls(coded[:, 0], coded[:, 1], coded[:, 2], len(item_code), len(rater_code), len(names))
        return ratings, Codes(list(item_code), list(rater_code), names)

    @classmethod
    def from_matrix(cls, matrix: npt.ArrayLike, n_labels: int | None = None) -> Ratings:
        """Ratings from a reliability matrix (raters, items) of label codes; NaN or a negative code is a
        missing rating."""
        table = np.asarray(matrix, dtype=np.float64)
        raters, items = np.nonzero(~np.isnan(table) & (table >= 0))
        labels = table[raters, items].astype(np.int64)
        found = int(labels.max()) + 1 if len(labels) else 0
        return cls(items, raters, labels, table.shape[1], table.shape[0], max(n_labels or 0, found))


class Codes(NamedTuple):
    """What the codes of `Ratings` stand for: the code is the position in the list."""

    items: list[Hashable]
    raters: list[Hashable]
    labels: list[Hashable]


class Profiles(NamedTuple):
    """Items grouped by which labels they got, whoever gave them.

    `counts` (p, k): how often each profile has each label; `multiplicity` (p,): how many items have it;
    `of_item` (n_items,): each item's profile. Items without a rating have a profile of zeros.
    """

    counts: Ints
    multiplicity: Ints
    of_item: Ints


class RatingPairs(NamedTuple):
    """Every two ratings of one item, `rater_a` < `rater_b`. All arrays (number of pairs,)."""

    items: Ints
    rater_a: Ints
    rater_b: Ints
    label_a: Ints
    label_b: Ints


def profiles(ratings: Ratings) -> Profiles:
    """Group the items by their labels. Exact; O(n log n) time, O(n + p k) memory."""
    order = np.lexsort((ratings.labels, ratings.items))
    labels = ratings.labels[order]
    sizes = np.bincount(ratings.items, minlength=ratings.n_items)
    starts = np.cumsum(sizes) - sizes
    # Label by label in sorted order, items that began alike stay together: after r labels, equal codes are
    # equal prefixes.
    codes = np.zeros(ratings.n_items, dtype=np.int64)
    for position in range(int(sizes.max(initial=0))):
        longer = np.flatnonzero(sizes > position)
        keys = codes[longer] * ratings.n_labels + labels[starts[longer] + position]
        codes[longer] = np.unique(keys, return_inverse=True)[1]
    keys = sizes * (codes.max(initial=0) + 1) + codes
    _, representatives, of_item, multiplicity = np.unique(
        keys, return_index=True, return_inverse=True, return_counts=True
    )
    row_of_item = np.full(ratings.n_items, -1)
    row_of_item[representatives] = np.arange(len(representatives))
    rows = row_of_item[ratings.items]
    cells = rows[rows >= 0] * ratings.n_labels + ratings.labels[rows >= 0]
    shape = (len(representatives), ratings.n_labels)
    counts = np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)
    return Profiles(counts.astype(np.int64), multiplicity.astype(np.int64), of_item.astype(np.int64))


def rating_pairs(ratings: Ratings) -> RatingPairs:
    """All pairs of ratings of one item. O(number of pairs) time and memory."""
    order = np.lexsort((ratings.raters, ratings.items))
    items, raters, labels = ratings.items[order], ratings.raters[order], ratings.labels[order]
    sizes = np.bincount(items, minlength=ratings.n_items)
    ends = np.cumsum(sizes)
    after = ends[items] - np.arange(len(items)) - 1  # ratings of the same item that follow
    firsts, seconds = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    alive = np.flatnonzero(after > 0)
    lag = 1
    while len(alive):
        firsts.append(alive)
        seconds.append(alive + lag)
        lag += 1
        alive = alive[after[alive] >= lag]
    first, second = np.concatenate(firsts), np.concatenate(seconds)
    return RatingPairs(items[first], raters[first], raters[second], labels[first], labels[second])
