"""KNN-Shapley: the exact Shapley value of every training item for a nearest-neighbour vote (Jia et al. 2019).

The utility of a set S of training items for a validation item (x, y) is the share of right votes among its K
nearest in S: v(S) = 1/K sum over the min(K, |S|) nearest of 1[label = y]. Its Shapley value is exact in one
walk from the far end of the items in the order of closeness, a_1 the nearest of n:

    s(a_n) = 1[y(a_n) = y] min(K, n) / (K n)
    s(a_i) = s(a_{i+1}) + (1[y(a_i) = y] - 1[y(a_{i+1}) = y]) min(K, i) / (K i)

and the value is the mean over validation items, so the values add up to the mean utility of all items. An
item below 0 is closest to validation items of other labels: most likely a wrong label.

`State` keeps each validation item's order, so that new items on either side cost their own distances and one
walk.
A frozen encoder's vectors do not change with a model's head, so a new model needs nothing new here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]

NEIGHBOURS = 10
BLOCK = 256  # validation items walked at once


def knn_shapley(
    embeddings: Floats,
    labels: Ints,
    val_embeddings: Floats,
    val_labels: Ints,
    *,
    neighbours: int = NEIGHBOURS,
) -> npt.NDArray[np.float64]:
    """(n,) Shapley values; they sum to the mean utility of all n. Higher = worth more.

    Args:
        embeddings: (n, d), val_embeddings: (m, d); closeness is the inner product. labels: (n,), (m,).
        neighbours: K of the vote.

    Of equally close items the lower position counts as nearer. Cost O(m n (d + log n)), memory O(256 n).
    """
    _check(embeddings, labels, val_embeddings, val_labels, neighbours)
    total = np.zeros(len(labels))
    for start in range(0, len(val_labels), BLOCK):
        part = slice(start, start + BLOCK)
        similarity = val_embeddings[part] @ embeddings.T
        order = np.argsort(-similarity, axis=1, kind="stable")
        total += walk(order, labels, val_labels[part], neighbours).sum(axis=0)
    return total / len(val_labels)


def walk(order: Ints, labels: Ints, val_labels: Ints, neighbours: int) -> npt.NDArray[np.float64]:
    """(m, n) Shapley values for each validation item, by item position, from orders (m, n), nearest first.
    O(m n).
    """
    n = order.shape[1]
    right = (labels[order] == val_labels[:, None]).astype(np.float64)
    rank = np.arange(1, n + 1)
    share = np.minimum(neighbours, rank) / (neighbours * rank)
    steps = right * share[-1]
    steps[:, :-1] = (right[:, :-1] - right[:, 1:]) * share[:-1]
    ranked = np.cumsum(steps[:, ::-1], axis=1)[:, ::-1]
    out = np.empty_like(ranked)
    np.put_along_axis(out, order, ranked, axis=1)
    return out


@dataclass(frozen=True)
class State:
    """What bringing values up to date needs. Memory 12 bytes for each pair of training and validation item.

    Attributes:
        similarity: (m, n) float32, most similar first in every row. order: (m, n) int64 positions.
        embeddings: (n, d), labels: (n,), val_embeddings: (m, d), val_labels: (m,).
    """

    similarity: npt.NDArray[np.float32]
    order: Ints
    embeddings: Floats
    labels: Ints
    val_embeddings: Floats
    val_labels: Ints
    neighbours: int = NEIGHBOURS

    @classmethod
    def of(
        cls,
        embeddings: Floats,
        labels: Ints,
        val_embeddings: Floats,
        val_labels: Ints,
        *,
        neighbours: int = NEIGHBOURS,
    ) -> State:
        """From nothing. Cost O(m n (d + log n))."""
        _check(embeddings, labels, val_embeddings, val_labels, neighbours)
        similarity, order = _ordered(val_embeddings @ embeddings.T)
        return cls(similarity, order, embeddings, labels, val_embeddings, val_labels, neighbours)

    def values(self) -> npt.NDArray[np.float64]:
        """(n,), as `knn_shapley` gives them. O(m n), no distance and no sorting."""
        total = np.zeros(len(self.labels))
        for start in range(0, len(self.val_labels), BLOCK):
            part = slice(start, start + BLOCK)
            total += walk(self.order[part], self.labels, self.val_labels[part], self.neighbours).sum(axis=0)
        return total / len(self.val_labels)

    def with_training(self, embeddings: Floats, labels: Ints) -> State:
        """New training items (b, d), (b,), behind those that are there. O(m b d + m (n + b)): two sorted
        runs merge.
        """
        _check(embeddings, labels, self.val_embeddings, self.val_labels, self.neighbours)
        fresh, own = _ordered(self.val_embeddings @ embeddings.T)
        similarity = np.concatenate([self.similarity, fresh], axis=1)
        order = np.concatenate([self.order, own + len(self.labels)], axis=1)
        merged = np.argsort(-similarity, axis=1, kind="stable")  # a stable sort of two runs is one merge
        return State(
            np.take_along_axis(similarity, merged, axis=1),
            np.take_along_axis(order, merged, axis=1),
            np.concatenate([self.embeddings, embeddings]),
            np.concatenate([self.labels, labels]),
            self.val_embeddings,
            self.val_labels,
            self.neighbours,
        )

    def with_validation(self, val_embeddings: Floats, val_labels: Ints) -> State:
        """New validation items (b, d), (b,). O(b n (d + log n)): the orders of the others stay."""
        _check(self.embeddings, self.labels, val_embeddings, val_labels, self.neighbours)
        similarity, order = _ordered(val_embeddings @ self.embeddings.T)
        return State(
            np.concatenate([self.similarity, similarity]),
            np.concatenate([self.order, order]),
            self.embeddings,
            self.labels,
            np.concatenate([self.val_embeddings, val_embeddings]),
            np.concatenate([self.val_labels, val_labels]),
            self.neighbours,
        )

    def without_training(self, positions: Ints) -> State:
        """Items left out; those behind them move up. O(m n)."""
        kept = np.setdiff1d(np.arange(len(self.labels)), positions)
        if not len(kept):
            raise ValueError("found no training item left, expected at least one")
        new_place = np.full(len(self.labels), -1)
        new_place[kept] = np.arange(len(kept))
        place = new_place[self.order]
        stays, shape = place >= 0, (len(self.val_labels), len(kept))
        return State(
            self.similarity[stays].reshape(shape),
            place[stays].reshape(shape),
            self.embeddings[kept],
            self.labels[kept],
            self.val_embeddings,
            self.val_labels,
            self.neighbours,
        )

    def with_labels(self, labels: Ints) -> State:
        """The same items after some labels were corrected. O(1); only the walk is done again."""
        if len(labels) != len(self.labels):
            raise ValueError(f"found {len(labels)} labels, expected {len(self.labels)}: one an item")
        return State(
            *(self.similarity, self.order, self.embeddings, labels),
            *(self.val_embeddings, self.val_labels, self.neighbours),
        )


def _ordered(similarity: Floats) -> tuple[npt.NDArray[np.float32], Ints]:
    order = np.argsort(-similarity, axis=1, kind="stable").astype(np.int64)
    return np.take_along_axis(similarity, order, axis=1).astype(np.float32), order


def _check(
    embeddings: Floats, labels: Ints, val_embeddings: Floats, val_labels: Ints, neighbours: int
) -> None:
    for what, vectors, given in (
        ("training", embeddings, labels),
        ("validation", val_embeddings, val_labels),
    ):
        if not len(vectors) or len(vectors) != len(given):
            raise ValueError(
                f"found {len(vectors)} embeddings and {len(given)} labels of {what} items, "
                "expected as many and at least one"
            )
        if not np.isfinite(vectors).all():
            raise ValueError(f"found {what} embeddings that are not numbers: embed these items again")
    if embeddings.shape[1] != val_embeddings.shape[1]:
        raise ValueError(
            f"found embeddings of width {embeddings.shape[1]} and {val_embeddings.shape[1]}, "
            "expected one width: embed both with one encoder"
        )
    if neighbours < 1:
        raise ValueError(f"found {neighbours} neighbours, expected 1 or more")
