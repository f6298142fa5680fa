"""Agreement between people: percent, Cohen's kappa, Fleiss' kappa, Krippendorff's alpha, each with an
interval.

Higher is better; 1 is full agreement and 0, for kappa and alpha, what chance alone would give. Where the
data do not define a figure its value is NaN and its note says why: no item with two labels, or only one
label in use (then nothing could have disagreed, and agreement beyond chance has no meaning). Intervals come
from resampling items (see intervals).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from accounts.sentences import Sentence
from accounts.sentences import gettext_noop as _
from annotation.quality.intervals import (
    CONFIDENCE,
    RESAMPLES,
    Estimate,
    Floats,
    Ints,
    bootstrap,
    undefined,
    wilson,
)
from annotation.quality.ratings import Profiles, Ratings, profiles, rating_pairs

__all__ = [
    "PairAgreement",
    "Ratings",
    "cohen_kappa",
    "fleiss_kappa",
    "krippendorff_alpha",
    "pairwise",
    "percent_agreement",
]

NO_PAIRS = Sentence(_("no item has labels by two people"))
ONE_LABEL = Sentence(_("only one label was used, so agreement beyond chance is not defined"))
Distance = npt.ArrayLike | Callable[[int, int], float]


def percent_agreement(
    ratings: Ratings,
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    rng: np.random.Generator | None = None,
) -> Estimate:
    """The chance that two people agree on an item: for each item with two labels or more the share of its
    pairs that agree, averaged over items (Fleiss' P). In [0, 1]; `n` counts these items. Undefined without
    one."""
    counts, multiplicity = _pairable(profiles(ratings))
    if not len(counts):
        return undefined(0, NO_PAIRS)
    agreeing = _agreeing_share(counts)
    return bootstrap(
        multiplicity,
        lambda weights: weights @ agreeing / weights.sum(axis=1),
        resamples=resamples,
        confidence=confidence,
        rng=rng,
    )


def fleiss_kappa(
    counts: npt.ArrayLike | Ratings,
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    rng: np.random.Generator | None = None,
) -> Estimate:
    """Fleiss' kappa (Fleiss 1971) from `counts` (items, labels): how many people gave the item the label.

    With an equal number of labels an item it is the published figure. Items with fewer than two labels are
    left out, and where the numbers differ the usual generalisation holds: each item's own share of agreeing
    pairs, label shares over all labels given. In [-1, 1]. ValueError for a negative count.
    """
    if isinstance(counts, Ratings):
        table, multiplicity = _pairable(profiles(counts))
    else:
        array = np.asarray(counts, dtype=np.int64)
        if array.ndim != 2 or (array.size and array.min() < 0):
            raise ValueError(
                f"counts has shape {array.shape}: expected (items, labels) with no negative count"
            )
        distinct, of_item, repeats = np.unique(array, axis=0, return_inverse=True, return_counts=True)
        table, multiplicity = _pairable(
            Profiles(distinct, repeats.astype(np.int64), of_item.astype(np.int64))
        )
    if not len(table):
        return undefined(0, NO_PAIRS)
    agreeing = _agreeing_share(table)

    def statistic(weights: Floats) -> Floats:
        observed = weights @ agreeing / weights.sum(axis=1)
        given = weights @ table
        by_chance = ((given / given.sum(axis=1, keepdims=True)) ** 2).sum(axis=1)
        return _beyond_chance(observed, by_chance)

    found = bootstrap(multiplicity, statistic, resamples=resamples, confidence=confidence, rng=rng)
    return _explained(found)


def cohen_kappa(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    rng: np.random.Generator | None = None,
) -> Estimate:
    """Cohen's kappa (Cohen 1960) of two people's labels `a` and `b` (n,) for the same items, as codes from 0.

    Observed agreement against that of two people who label by their own frequencies. In [-1, 1]. ValueError
    on unequal lengths. O(n + resamples * distinct pairs of labels).
    """
    first, second = np.asarray(a, dtype=np.int64), np.asarray(b, dtype=np.int64)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(
            f"found {first.shape} and {second.shape} labels: both people must have labelled the same items"
        )
    if not len(first):
        return undefined(0, NO_PAIRS)
    size = int(max(first.max(), second.max())) + 1
    cells, multiplicity = np.unique(first * size + second, return_counts=True)
    rows, columns = np.divmod(cells, size)
    by_a, by_b = np.eye(size)[rows], np.eye(size)[columns]
    same = (rows == columns).astype(np.float64)

    def statistic(weights: Floats) -> Floats:
        n = weights.sum(axis=1)
        by_chance = ((weights @ by_a) * (weights @ by_b)).sum(axis=1) / n**2
        return _beyond_chance(weights @ same / n, by_chance)

    found = bootstrap(
        multiplicity.astype(np.int64), statistic, resamples=resamples, confidence=confidence, rng=rng
    )
    return _explained(found)


def krippendorff_alpha(
    ratings: Ratings,
    distance: Distance | None = None,
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    rng: np.random.Generator | None = None,
) -> Estimate:
    """Krippendorff's alpha (Krippendorff 2011): 1 - observed / expected disagreement, missing ratings
    allowed.

    `distance` is the difference function, which Krippendorff writes as a squared delta: a matrix (k, k) or
    a function of two label codes, 0 on the diagonal, symmetric, not negative. Without it 0 for equal and 1
    for different labels (nominal). Items with one label only are left out, as everywhere in alpha. At most
    1; below 0 where people disagree more than by chance. `n` counts the items used. The interval resamples
    items, where Hayes and Krippendorff (2007) resample pairs.
    """
    counts, multiplicity = _pairable(profiles(ratings))
    if not len(counts):
        return undefined(0, NO_PAIRS)
    apart = _distances(distance, ratings.n_labels)
    table = counts.astype(np.float64)
    # o_p: the sum over ordered pairs of one profile's labels, each label weighing 1 / (m - 1).
    observed = np.einsum("pk,pk->p", table @ apart, table) / (table.sum(axis=1) - 1)

    def statistic(weights: Floats) -> Floats:
        given = weights @ table
        n = given.sum(axis=1)
        expected = np.einsum("bk,bk->b", given @ apart, given) / (n - 1)
        return _one_minus_ratio(weights @ observed, expected)

    found = bootstrap(multiplicity, statistic, resamples=resamples, confidence=confidence, rng=rng)
    return _explained(found)


class PairAgreement(NamedTuple):
    """How two people agree on the `n` items that both have labelled."""

    rater_a: int
    rater_b: int
    n: int
    percent: Estimate
    kappa: Estimate


def pairwise(
    ratings: Ratings,
    *,
    minimum: int = 1,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    rng: np.random.Generator | None = None,
) -> list[PairAgreement]:
    """Agreement of every two people with at least `minimum` items in common, ordered by their codes.

    Percent agreement with Wilson's interval, Cohen's kappa with the bootstrap's.
    """
    rng = rng or np.random.default_rng(0)
    pairs = rating_pairs(ratings)
    keys = pairs.rater_a * ratings.n_raters + pairs.rater_b
    order = np.argsort(keys, kind="stable")
    found, starts = np.unique(keys[order], return_index=True)
    table = []
    for key, own in zip(found.tolist(), np.split(order, starts[1:]), strict=False):
        if len(own) < minimum:
            continue
        a, b = pairs.label_a[own], pairs.label_b[own]
        kappa = cohen_kappa(a, b, resamples=resamples, confidence=confidence, rng=rng)
        percent = wilson(int((a == b).sum()), len(own), confidence)
        rater_a, rater_b = divmod(key, ratings.n_raters)
        table.append(PairAgreement(rater_a, rater_b, len(own), percent, kappa))
    return table


def _pairable(grouped: Profiles) -> tuple[Ints, Ints]:
    """(counts, multiplicity) of the profiles with two labels or more."""
    kept = grouped.counts.sum(axis=1) >= 2
    return grouped.counts[kept], grouped.multiplicity[kept]


def _agreeing_share(counts: Ints) -> Floats:
    """Share of agreeing pairs of each profile: (p, k) -> (p,)."""
    sizes = counts.sum(axis=1)
    return (counts * (counts - 1)).sum(axis=1) / (sizes * (sizes - 1))


def _beyond_chance(observed: Floats, by_chance: Floats) -> Floats:
    """(observed - chance) / (1 - chance), NaN where chance alone already agrees always."""
    room = 1 - by_chance
    room[room < 1e-12] = np.nan
    return (observed - by_chance) / room


def _one_minus_ratio(observed: Floats, expected: Floats) -> Floats:
    return 1 - observed / np.where(expected > 0, expected, np.nan)


def _explained(found: Estimate) -> Estimate:
    return undefined(found.n, ONE_LABEL) if np.isnan(found.value) else found


def _distances(distance: Distance | None, n_labels: int) -> Floats:
    """The difference function as a matrix (k, k); ValueError unless it is one."""
    if distance is None:
        return 1 - np.eye(n_labels)
    if callable(distance):
        apart = np.array(
            [[distance(a, b) for b in range(n_labels)] for a in range(n_labels)], dtype=np.float64
        )
    else:
        apart = np.asarray(distance, dtype=np.float64)
    if apart.shape != (n_labels, n_labels):
        raise ValueError(
            f"distance has shape {apart.shape}: expected ({n_labels}, {n_labels}), a row for each label"
        )
    if not (
        np.isfinite(apart).all()
        and (apart >= 0).all()
        and (apart == apart.T).all()
        and not np.diag(apart).any()
    ):
        raise ValueError(
            "distance must be symmetric, 0 between equal labels, and never negative, infinite or NaN"
        )
    return apart
