"""Estimates with intervals: Wilson for shares, the percentile bootstrap for everything else.

The bootstrap draws items. Items that are alike (same labels, same correctness) are exchangeable, so instead
of items the number of each *profile* is drawn from a multinomial distribution: the same distribution of
resamples (Efron 1979), at a cost that grows with the profiles and not with the items.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from accounts.sentences import Sentence
from accounts.sentences import gettext_noop as _

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CONFIDENCE = 0.95
RESAMPLES = 1000
_CHUNK = 4_000_000  # numbers of a resample matrix held at once


@dataclass(frozen=True)
class Estimate:
    """A figure, its interval and how many items (or checks) it rests on.

    Where the figure is not defined `value` is NaN and `note`, a sentence, says why; where only the interval is
    not, `low` and `high` are NaN.
    """

    value: float
    low: float
    high: float
    n: int
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """As a dict with None in place of NaN, which JSON does not know."""
        return {
            key: None if isinstance(value, float) and math.isnan(value) else value
            for key, value in asdict(self).items()
        }


def undefined(n: int, note: str) -> Estimate:
    """The estimate of a figure that these data do not define."""
    return Estimate(math.nan, math.nan, math.nan, n, note)


def wilson(successes: int, n: int, confidence: float = CONFIDENCE) -> Estimate:
    """Share of successes with the score interval of Wilson (1927), which is honest for few trials and
    shares near 0 or 1.

    With no trials the value is NaN and the interval is all of [0, 1]. ValueError unless 0 <= successes <= n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"found {successes} successes in {n} trials: expected 0 <= successes <= trials")
    if n == 0:
        return Estimate(math.nan, 0.0, 1.0, 0, Sentence(_("nothing was checked")))
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Estimate(share, low, high, n)


def wilson_centre(successes: int, n: int, confidence: float = CONFIDENCE) -> float:
    """The centre of Wilson's interval: the share drawn to one half, the more the fewer trials there are.

    ValueError unless 0 <= successes <= n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"found {successes} successes in {n} trials: expected 0 <= successes <= trials")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    return (successes + z * z / 2) / (n + z * z)


def newcombe(
    successes_a: int, n_a: int, successes_b: int, n_b: int, confidence: float = CONFIDENCE
) -> Estimate:
    """Difference of two independent shares, a - b, with Newcombe's hybrid score interval (1998, method 10).

    It is made of the two Wilson intervals, so it stays in [-1, 1] and holds for few trials:
        low  = (a - b) - sqrt((a - low_a)^2 + (high_b - b)^2)
        high = (a - b) + sqrt((high_a - a)^2 + (b - low_b)^2)
    `n` is that of both together. With no trials on one side the value is NaN and the interval is [-1, 1].

    >>> one = newcombe(56, 70, 48, 80)
    >>> round(one.value, 4), round(one.low, 4), round(one.high, 4)
    (0.2, 0.0524, 0.3339)
    """
    a, b = wilson(successes_a, n_a, confidence), wilson(successes_b, n_b, confidence)
    if not n_a or not n_b:
        return Estimate(math.nan, -1.0, 1.0, n_a + n_b, Sentence(_("one of the two has no trials")))
    value = a.value - b.value
    low = value - math.hypot(a.value - a.low, b.high - b.value)
    high = value + math.hypot(a.high - a.value, b.value - b.low)
    return Estimate(value, max(-1.0, low), min(1.0, high), n_a + n_b)


def bootstrap(
    multiplicity: Ints,
    statistic: Callable[[Floats], Floats],
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    rng: np.random.Generator | None = None,
) -> Estimate:
    """A statistic of items and its percentile interval over resampled items.

    `multiplicity` (p,) says how many items have each profile; `statistic` maps weights (b, p), the number
    of items of each profile in each of b samples, to values (b,), NaN where a sample does not define it.
    Such samples are left out of the interval and counted in the note. `resamples` 0 gives no interval.
    Without `rng` a fixed seed is used, so that a page shows the same interval twice. O(resamples * p) time,
    memory bounded.
    """
    n = int(multiplicity.sum())
    value = float(statistic(multiplicity[None, :].astype(np.float64))[0])
    if resamples == 0 or math.isnan(value):
        return Estimate(value, math.nan, math.nan, n)
    parts = [
        statistic(weights) for weights in _resampled(multiplicity, resamples, rng or np.random.default_rng(0))
    ]
    samples = np.concatenate(parts)
    low, high = percentile_interval(samples, confidence)
    lost = int(np.isnan(samples).sum())
    note = Sentence(_("%(lost)s of %(resamples)s resamples do not define it"), lost=lost, resamples=resamples)
    return Estimate(value, low, high, n, note if lost else "")


def percentile_interval(samples: Floats, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The central interval that holds `confidence` of the samples (b,); NaN samples are left out, (NaN,
    NaN) if all are."""
    defined = samples[~np.isnan(samples)]
    if not len(defined):
        return math.nan, math.nan
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def bootstrap_mean(
    values: npt.ArrayLike,
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    rng: np.random.Generator | None = None,
) -> Estimate:
    """The mean of `values` (n,) with its interval; undefined without values. ValueError where one is NaN."""
    array = np.asarray(values, dtype=np.float64).reshape(-1)
    if not len(array):
        return undefined(0, Sentence(_("there are no values")))
    if np.isnan(array).any():
        raise ValueError("a value is NaN: leave out what was not measured")
    distinct, counts = np.unique(array, return_counts=True)
    return bootstrap(
        counts.astype(np.int64),
        lambda weights: weights @ distinct / weights.sum(axis=1),
        resamples=resamples,
        confidence=confidence,
        rng=rng,
    )


def paired(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    rng: np.random.Generator | None = None,
) -> Estimate:
    """Mean of a - b over the same n items, with its interval: above 0 where `a` is larger. ValueError on
    unequal lengths.

    Resampling pairs keeps what an item's difficulty does to both, so the interval is narrower than that of
    two means.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape:
        raise ValueError(
            f"found {first.shape} and {second.shape} values: pairs need the same items on both sides"
        )
    return bootstrap_mean(first - second, resamples=resamples, confidence=confidence, rng=rng)


def median(values: npt.ArrayLike, *, confidence: float = CONFIDENCE) -> Estimate:
    """The median of `values` (n,) with the interval that holds for any distribution (Thompson 1936).

    The interval runs between two order statistics: the number of values below the true median is binomial
    with share 1/2, whatever the values look like, so skewed times need no bootstrap. Its coverage is at
    least `confidence`. Fewer than 6 values (at 95 %) do not bound it: then `low` and `high` are NaN.
    Undefined without values. ValueError where one is NaN. O(n log n).
    """
    array = np.sort(np.asarray(values, dtype=np.float64).reshape(-1))
    n = len(array)
    if not n:
        return undefined(0, Sentence(_("there are no values")))
    if np.isnan(array[-1]):
        raise ValueError("a value is NaN: leave out what was not measured")
    below = _values_outside(n, (1 - confidence) / 2)
    if below == 0:
        return Estimate(
            float(np.median(array)), math.nan, math.nan, n, Sentence(_("too few values for an interval"))
        )
    return Estimate(float(np.median(array)), float(array[below - 1]), float(array[n - below]), n)


def _values_outside(n: int, tail: float) -> int:
    """The largest r with P(fewer than r of n fair coins show heads) <= tail; 0 if there is none."""
    if n > 1000:  # beyond this the normal approximation is exact to a rank
        return int(n / 2 - NormalDist().inv_cdf(1 - tail) * math.sqrt(n) / 2)
    limit, ways, count, r = tail * 2**n, 1, 0, 0
    while count + ways <= limit:
        count += ways
        ways = ways * (n - r) // (r + 1)
        r += 1
    return r


def _resampled(multiplicity: Ints, resamples: int, rng: np.random.Generator) -> Iterator[Floats]:
    """Weights (b, p) of resamples of all items, a chunk at a time."""
    n, profiles = int(multiplicity.sum()), len(multiplicity)
    rows = max(1, _CHUNK // profiles)
    # A binomial draw for each profile costs about as much as eight plain draws of an item; few profiles are
    # drawn for all resamples in one call, which no plain draw can beat.
    by_item = np.repeat(np.arange(profiles), multiplicity) if profiles > 500 and profiles * 8 > n else None
    shares = multiplicity / n
    for start in range(0, resamples, rows):
        count = min(rows, resamples - start)
        if by_item is None:
            yield rng.multinomial(n, shares, size=count).astype(np.float64)
        else:
            drawn = (np.bincount(by_item[rng.integers(0, n, n)], minlength=profiles) for _ in range(count))
            yield np.stack(list(drawn)).astype(np.float64)
