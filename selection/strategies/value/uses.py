"""What values are for: what to look at again, how much each item should count, which source is worth buying,
and which items have taught a prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata
from scipy.stats import t as student

from selection.strategies.value.head import Array, Head, Ints

LEAST_WEIGHT = 0.1


def cleaning_order(scores: Sequence[Array]) -> tuple[Ints, Array]:
    """Which labels to look at first.

    Args:
        scores: one or more (n,) arrays, each higher = worth more (values, or minus a held-out loss). Each is
            turned into mid-ranks and the ranks are averaged, so that no scale rules.

    Returns:
        order: (n,) positions, most suspect first; ties by position. suspicion: (n,) in [0, 1], by position:
        the share of items that look better, averaged over scores. O(n log n) a score.
    """
    if not scores or not len(scores[0]):
        raise ValueError("found no item to put in order, expected at least one: label some items first")
    for score in scores:
        if len(score) != len(scores[0]) or not np.isfinite(score).all():
            raise ValueError("found scores of different lengths or not finite: give a number an item")
    n = len(scores[0])
    ranks = np.mean([rankdata(-np.asarray(score)) for score in scores], axis=0)
    suspicion = (ranks - 0.5) / n
    return np.argsort(-suspicion, kind="stable").astype(np.int64), suspicion


def found_among_first(order: Ints, wrong: npt.NDArray[np.bool_], share: float) -> float:
    """The share of wrong items (n,) that stand within the first `share` of an order: 1.0 finds all, `share`
    is chance.

    >>> found_among_first(np.array([2, 0, 1, 3]), np.array([True, False, True, False]), 0.25)
    0.5
    """
    if not wrong.any():
        raise ValueError("found no wrong item, expected at least one: there is nothing to find")
    first = order[: int(np.ceil(share * len(order)))]
    return float(wrong[first].sum() / wrong.sum())


def sample_weights(values: Array, *, least: float = LEAST_WEIGHT) -> Array:
    """(n,) weights for training, mean 1: an item of value 0 or more counts fully, the worst counts `least`
    of that.

    Below 0 the weight falls linearly with the value, so that a slightly harmful item is not thrown out, and a
    constant set of values has weights of 1 throughout. O(n).

    >>> sample_weights(np.array([0.2, 0.0, -1.0]), least=0.5).round(2).tolist()
    [1.2, 1.2, 0.6]
    """
    if not 0 <= least <= 1:
        raise ValueError(f"least: found {least}, expected a number from 0 to 1")
    worst = min(0.0, float(np.min(values)))
    weights = np.ones(len(values))
    if worst < 0 and np.ptp(values) > 0:
        weights = 1.0 - (1.0 - least) * np.minimum(values, 0.0) / worst
    return weights / weights.mean()


@dataclass(frozen=True)
class SourceValue:
    """`mean` value of an item of the source with its interval, `total` of all of them, `n` items."""

    source: str
    n: int
    mean: float
    low: float
    high: float
    total: float


def value_by_source(values: Array, sources: Sequence[str], *, confidence: float = 0.95) -> list[SourceValue]:
    """What an item of each source is worth on average, best first; then which source to buy more of.

    values: (n,), sources: (n,) names. Student's interval of the mean over the source's items, NaN for a
    single one: it says how sure the mean is for further items of the same kind. O(n log n).
    """
    names = np.asarray(sources)
    found = []
    for name in np.unique(names):
        own = values[names == name]
        mean, n = float(own.mean()), len(own)
        wide = np.nan
        if n > 1:
            wide = float(student.ppf((1 + confidence) / 2, n - 1) * own.std(ddof=1) / np.sqrt(n))
        found.append(SourceValue(str(name), n, mean, mean - wide, mean + wide, float(own.sum())))
    return sorted(found, key=lambda one: (-one.mean, one.source))


def representers(head: Head, x: Array, labels: Ints, queries: Array, columns: Ints) -> Array:
    """(q, n) what each training item adds to the logit of label `columns[j]` for query j (Yeh et al. 2018).

    At the optimum of the ridge, ridge W = -sum_i r_i x_i^T, so a logit without its intercept is exactly
    sum_i (-r_ic / ridge) x_i . x: above 0 the item speaks for the label, below 0 against it.

    Args:
        x: (n, d + 1), queries: (q, d + 1), both with a one behind; the one takes no part. columns: (q,)
        labels.

    Exact only for the head's own training items at its optimum. Cost O(q n d + n k d).
    """
    strength = -head.residuals(x, labels) / head.ridge
    return strength[:, columns].T * (queries[:, :-1] @ x[:, :-1].T)


def taught_most(contributions: Array, count: int) -> tuple[Ints, Ints]:
    """Of one prediction's contributions (n,): the `count` items most for it and most against it, strongest
    first.

    Items that pull the other way are not listed: fewer may come back. Ties by position.
    """
    order = np.argsort(-contributions, kind="stable")
    for_, against = order[contributions[order] > 0], order[::-1][contributions[order[::-1]] < 0]
    return for_[:count].astype(np.int64), against[:count].astype(np.int64)
