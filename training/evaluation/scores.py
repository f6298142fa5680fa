"""Figures that are functions of sums over items, with bootstrap intervals; and two models on the same items.

F1, kappa and the like are no means of a figure per item, but they are functions of sums over items (true
positives, cells of a table). So an item is a row of numbers, a resample is a weighted sum of rows, and a figure
is worked out of that sum: the bootstrap over items at the price of one matrix product (Efron 1979).

n  items        s  numbers an item        b  resamples
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from annotation.quality.intervals import CONFIDENCE, Estimate, percentile_interval
from training.evaluation.compare import Difference

Floats = npt.NDArray[np.float64]
RESAMPLES = 2_000
_CHUNK = 4_000_000  # numbers of a matrix of weights held at once


@dataclass(frozen=True)
class Score:
    """`rows` (n, s): what each item adds. `of`: sums (b, s) -> (b,) figures, NaN where they do not define it."""

    rows: Floats
    of: Callable[[Floats], Floats]

    @property
    def value(self) -> float:
        return float(self.of(self.rows.sum(axis=0, keepdims=True))[0])


def estimate(score: Score, *, rng: np.random.Generator, resamples: int = RESAMPLES) -> Estimate:
    """The figure with its percentile interval over resampled items. O(resamples n s)."""
    samples = np.concatenate([score.of(weights @ score.rows) for weights in _draws(score, rng, resamples)])
    return Estimate(score.value, *percentile_interval(samples), len(score.rows))


def difference(
    new: Score,
    deployed: Score,
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Difference:
    """The new model's figure less the deployed one's, both worked out on the same resamples of the same items.

    Raises:
        ValueError: not the same items.
    """
    if len(new.rows) != len(deployed.rows) or not len(new.rows):
        raise ValueError(
            f"found {len(new.rows)} and {len(deployed.rows)} items, expected the same ones, one or more"
        )
    samples = np.concatenate(
        [
            new.of(weights @ new.rows) - deployed.of(weights @ deployed.rows)
            for weights in _draws(new, rng, resamples)
        ]
    )
    low, high = percentile_interval(samples, confidence)
    return Difference(value=new.value - deployed.value, low=low, high=high, n=len(new.rows))


def _draws(score: Score, rng: np.random.Generator, resamples: int) -> Iterator[Floats]:
    """Weights (b, n) in blocks that fit memory: how often each item is drawn."""
    n = len(score.rows)
    step = max(1, _CHUNK // n)
    for at in range(0, resamples, step):
        size = min(step, resamples - at)
        yield rng.multinomial(n, np.full(n, 1 / n), size=size).astype(np.float64)


def f1(shared: Floats, true: Floats, given: Floats) -> Floats:
    """2 shared / (true + given), elementwise; NaN where nothing is true or given."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = 2.0 * shared / (true + given)
    return found


def mean_of_defined(values: Floats) -> Floats:
    """Mean along the last axis of what is not NaN; NaN where all is."""
    held = ~np.isnan(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.where(held, values, 0.0).sum(axis=-1) / held.sum(axis=-1)
    return found


def share(rows: npt.NDArray[np.bool_] | Floats) -> Score:
    """The mean of (n,) numbers, as a share of items that are right."""
    numbers = np.asarray(rows, dtype=np.float64)
    table = np.stack([numbers, np.ones(len(numbers))], axis=1)
    return Score(table, lambda sums: sums[:, 0] / sums[:, 1])


def matches(shared: Floats, true: Floats, given: Floats) -> tuple[Score, Score]:
    """Micro- and macro-F1 of counts (n, k): of each item and label what is shared, true and given. Macro is the
    mean over labels that are true or given somewhere."""
    k = shared.shape[1]
    rows = np.concatenate([shared, true, given], axis=1).astype(np.float64)
    micro = np.stack([shared.sum(axis=1), true.sum(axis=1), given.sum(axis=1)], axis=1).astype(np.float64)
    return (
        Score(micro, lambda sums: f1(sums[:, 0], sums[:, 1], sums[:, 2])),
        Score(rows, lambda sums: mean_of_defined(f1(sums[:, :k], sums[:, k : 2 * k], sums[:, 2 * k :]))),
    )
