"""Agreement on answers that are no categories (spans, sets of labels, texts, several ratings): by a distance."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np

from accounts.sentences import Sentence
from accounts.sentences import gettext_noop as _
from annotation.quality.agreement import NO_PAIRS
from annotation.quality.intervals import (
    CONFIDENCE,
    RESAMPLES,
    Estimate,
    Ints,
    bootstrap_mean,
    percentile_interval,
    undefined,
)

MOST_PAIRS = 20_000  # pairs of answers that expected disagreement is estimated from
NO_SPREAD = Sentence(_("all answers are alike, so agreement beyond chance is not defined"))
Apart = Callable[[int, int], float]


def closeness_by_item(items: Ints, apart: Apart) -> tuple[Ints, np.ndarray]:
    """(items with two answers or more, 1 − the mean distance over the pairs of each item's answers).

    `items` (n,) names the item of each answer by a code; `apart(i, j)` is the distance of answers i and j in
    [0, 1]. Cost: a call for every pair of answers to one item.
    """
    if not len(items):
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float64)
    order = np.argsort(items, kind="stable")
    codes, starts = np.unique(items[order], return_index=True)
    kept, close = [], []
    for code, own in zip(codes.tolist(), np.split(order, starts[1:]), strict=True):
        if len(own) > 1:
            kept.append(code)
            close.append(1.0 - float(np.mean([apart(int(i), int(j)) for i, j in combinations(own, 2)])))
    return np.asarray(kept, dtype=np.int64), np.asarray(close, dtype=np.float64)


def mean_closeness(items: Ints, apart: Apart, *, resamples: int = RESAMPLES) -> Estimate:
    """The mean over items of `closeness_by_item` with its bootstrap interval; undefined without such an item."""
    _kept, close = closeness_by_item(items, apart)
    return bootstrap_mean(close, resamples=resamples) if len(close) else undefined(0, NO_PAIRS)


def alpha_by_distance(
    items: Ints,
    apart: Apart,
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    rng: np.random.Generator | None = None,
) -> Estimate:
    """Krippendorff's alpha, 1 − D_o / D_e, for any distance (Krippendorff, 2004; 2011).

    D_o: mean distance over pairs of answers to one item, an item of m answers weighing m. D_e: mean distance
    over all pairs of answers to items with two or more, whatever the item; from `MOST_PAIRS` random pairs
    where there are more (its error is then below 0.01 for distances in [0, 1]). The interval resamples items
    in D_o and keeps D_e, as Hayes & Krippendorff (2007) do. `n` counts the items used. At most 1; undefined
    without pairs and where all answers are alike. With a nominal distance it is the nominal alpha, but for
    that interval.
    """
    rng = rng or np.random.default_rng(0)
    kept, close = closeness_by_item(items, apart)
    if not len(kept):
        return undefined(0, NO_PAIRS)
    answers = np.flatnonzero(np.isin(items, kept))
    expected = _expected(answers, apart, rng)
    if expected <= 0:
        return undefined(len(kept), NO_SPREAD)
    weights = np.array([(items == code).sum() for code in kept], dtype=np.float64)
    apart_within = 1.0 - close
    value = 1.0 - float(weights @ apart_within / weights.sum()) / expected
    if resamples == 0:
        return Estimate(value, float("nan"), float("nan"), len(kept))
    chosen = rng.integers(0, len(kept), size=(resamples, len(kept)))
    observed = (weights * apart_within)[chosen].sum(axis=1) / weights[chosen].sum(axis=1)
    low, high = percentile_interval(1.0 - observed / expected, confidence)
    return Estimate(value, low, min(1.0, high), len(kept))


def _expected(answers: Ints, apart: Apart, rng: np.random.Generator) -> float:
    n = len(answers)
    if n * (n - 1) // 2 <= MOST_PAIRS:
        return float(np.mean([apart(int(i), int(j)) for i, j in combinations(answers, 2)]))
    first = rng.integers(0, n, size=MOST_PAIRS)
    second = (first + rng.integers(1, n, size=MOST_PAIRS)) % n  # never the answer itself
    pairs = zip(answers[first].tolist(), answers[second].tolist(), strict=True)
    return float(np.mean([apart(i, j) for i, j in pairs]))
