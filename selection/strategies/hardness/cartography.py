"""Training dynamics: how an item fared while a model learnt it (Swayamdipta et al. 2020, Dataset
Cartography; Toneva et al. 2019, forgetting).

e  epochs      n  items      d  width of an embedding      k  labels
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

REGIONS = ("easy", "ambiguous", "hard")
LOW_CONFIDENCE, HIGH_VARIABILITY = 0.5, 0.2


@dataclass(frozen=True)
class Dynamics:
    """Attributes, all (n,):
    confidence: mean over epochs of the probability of the given label, in [0, 1].
    variability: its standard deviation over epochs, in [0, 0.5].
    correctness: share of epochs in which the given label was the likeliest, in [0, 1].
    forgotten: how often the item was right in one epoch and wrong in the next.
    never_learnt: it was right in no epoch; by Toneva et al. forgotten without end.
    """

    confidence: Floats
    variability: Floats
    correctness: Floats
    forgotten: Ints
    never_learnt: Flags

    def regions(self) -> npt.NDArray[np.str_]:
        """(n,) "ambiguous" where variability >= 0.2, else "hard" where confidence < 0.5, else "easy".

        Hard items are often wrongly labelled, ambiguous ones teach most. (The paper takes a third of the
        items by each figure; fixed bounds do not call a third of an easy set hard.)
        """
        return np.where(
            self.variability >= HIGH_VARIABILITY,
            REGIONS[1],
            np.where(self.confidence < LOW_CONFIDENCE, REGIONS[2], REGIONS[0]),
        )


def dynamics(gold: Floats, right: Flags) -> Dynamics:
    """Args: gold: (e, n) probability of the given label after each epoch. right: (e, n) it was the
    likeliest. O(e n).

    Raises ValueError: shapes that differ, no epoch, or a probability outside [0, 1].
    """
    if gold.ndim != 2 or gold.shape != right.shape or not len(gold):
        raise ValueError(
            f"found arrays of shapes {gold.shape} and {right.shape}, "
            "expected two of (epochs, items) with an epoch at least"
        )
    if not ((gold >= 0) & (gold <= 1)).all():
        raise ValueError("found probabilities outside 0 to 1: give the probability of the given label")
    return Dynamics(
        confidence=gold.mean(axis=0),
        variability=gold.std(axis=0),
        correctness=right.mean(axis=0),
        forgotten=(right[:-1] & ~right[1:]).sum(axis=0).astype(np.int64),
        never_learnt=right.sum(axis=0) == 0,
    )


def record(
    embeddings: Floats,
    labels: Ints,
    k: int,
    *,
    rng: np.random.Generator,
    epochs: int = 20,
    rate: float = 2.0,
    batch: int = 16,
    ridge: float = 1e-4,
) -> tuple[Floats, Flags]:
    """(gold, right), each (epochs, n), of a linear head that learns frozen embeddings by plain SGD.

    Args:
        embeddings: (n, d), rows of length one. labels: (n,) in 0..k-1. rate: falls linearly to a tenth.

    A head on frozen vectors cannot memorise as a whole network does, so an item that stays wrong disagrees
    with its neighbourhood. Cost O(epochs n k d): seconds for 10,000 items.
    """
    n = len(labels)
    x = np.concatenate([np.asarray(embeddings, dtype=np.float64), np.ones((n, 1))], axis=1)
    weight = np.zeros((k, x.shape[1]))
    gold, right = np.empty((epochs, n)), np.empty((epochs, n), dtype=bool)
    everyone = np.arange(n)
    for epoch in range(epochs):
        step = rate * (1 - 0.9 * epoch / max(1, epochs - 1))
        order = rng.permutation(n)
        for start in range(0, n, batch):
            rows = order[start : start + batch]
            residuals = softmax(x[rows] @ weight.T, axis=1)
            residuals[np.arange(len(rows)), labels[rows]] -= 1.0
            weight -= step * (residuals.T @ x[rows] / len(rows) + ridge * weight)
        probs = softmax(x @ weight.T, axis=1)
        gold[epoch] = probs[everyone, labels]
        right[epoch] = probs.argmax(axis=1) == labels
    return gold, right
