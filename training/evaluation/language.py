"""How good a language model is on held-out replies: figures an item, their intervals, and two models compared.

numpy only. Everything is by item: an item with several pairs counts once, by their mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from annotation.quality.intervals import CONFIDENCE, percentile_interval
from training.evaluation.compare import Difference

RESAMPLES = 2_000
_DRAWS = 200_000  # at once: what fits into a processor's cache
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Figure:
    value: float
    low: float
    high: float


def by_item(rows: Ints, values: Floats) -> Floats:
    """(n,) mean over the entries of each item, items ascending.

    >>> by_item(np.array([3, 3, 1]), np.array([1.0, 0.0, 5.0])).tolist()
    [5.0, 0.5]
    """
    _items, place = np.unique(rows, return_inverse=True)
    return np.bincount(place, weights=values) / np.bincount(place)


def bootstrapped(
    values: Floats, rng: np.random.Generator, weights: Floats | None = None, resamples: int = RESAMPLES
) -> Figure:
    """(Weighted) mean over items with its 95 % percentile interval over resampled items (Efron 1979)."""
    weights = np.ones(len(values)) if weights is None else weights
    weighed = values * weights
    means = np.empty(resamples)
    block = max(1, _DRAWS // max(1, len(values)))
    for first in range(0, resamples, block):
        into = means[first : first + block]
        some = rng.integers(len(values), size=(len(into), len(values)))
        into[:] = weighed[some].sum(axis=1) / weights[some].sum(axis=1)
    low, high = percentile_interval(means, CONFIDENCE)
    return Figure(value=float(np.average(values, weights=weights)), low=low, high=high)


def paired(new: Floats, other: Floats, rng: np.random.Generator) -> Difference:
    """Mean of new - other over the same items, with its 95 % interval over resampled items."""
    if new.shape != other.shape or not len(new):
        raise ValueError(f"found {new.shape} and {other.shape} values, expected the same items, one or more")
    found = bootstrapped(new - other, rng)
    return Difference(value=found.value, low=found.low, high=found.high, n=len(new))


def of_responses(
    rows: Ints, sums: Floats, tokens: Ints, right: Ints, rng: np.random.Generator
) -> dict[str, Any]:
    """Figures of written replies.

    accuracy: share of their tokens that are the model's first choice. loss: mean negative log likelihood of a
    token (nats), all tokens alike. perplexity: exp(loss).
    """
    count = tokens.astype(np.float64)
    accuracy = bootstrapped(right / count, rng, count)
    loss = bootstrapped(-sums / count, rng, count)
    return {
        "n": len(rows),
        "accuracy": accuracy.value,
        "loss": loss.value,
        "perplexity": float(np.exp(min(loss.value, 700.0))),
        "tokens": int(tokens.sum()),
        "intervals": {"accuracy": [accuracy.low, accuracy.high], "loss": [loss.low, loss.high]},
    }


def of_pairs(rows: Ints, margins: Floats, rng: np.random.Generator) -> dict[str, Any]:
    """Figures of pairs whose first reply was preferred; `margins`: score of the first less the second's.

    accuracy: share of pairs that the model orders as people did (equal scores count half). margin: their mean.
    loss: Bradley-Terry, mean of -log sigmoid(margin).
    """
    right = by_item(rows, (margins > 0) + 0.5 * (margins == 0))
    accuracy = bootstrapped(right, rng)
    margin = bootstrapped(by_item(rows, margins), rng)
    loss = by_item(rows, np.logaddexp(0.0, -margins))
    return {
        "n": len(right),
        "pairs": len(margins),
        "accuracy": accuracy.value,
        "margin": margin.value,
        "loss": float(loss.mean()),
        "intervals": {"accuracy": [accuracy.low, accuracy.high], "margin": [margin.low, margin.high]},
    }
