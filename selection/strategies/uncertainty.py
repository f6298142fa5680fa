"""How unsure a model is about an item, and strategies that take the least sure items.

All scores take probs (n, k), rows summing to one, k >= 2, and give (n,), higher = more uncertain; they are
unchanged by a permutation of the labels. Cost O(n k) each. Inputs are trusted here: `pool.candidates` checks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from selection.strategies.pool import Floats, Picks, Pool, candidates
from selection.strategies.ranking import top

Measure = Literal["margin", "least_confidence", "entropy"]


def entropy(probs: Floats) -> Floats:
    """Shannon entropy H = -sum p log p in nats, in [0, log k]; 0 log 0 = 0. (Shannon 1948; Settles 2009.)

    >>> round(float(entropy(np.array([[0.4, 0.35, 0.25]]))[0]), 2)
    1.08
    """
    # 0 log 0 has the limit 0: the logarithm of one stands in for it.
    logs = np.log(np.where(probs > 0, probs, 1))
    return -np.einsum("nk,nk->n", probs, logs)


def normalised_entropy(probs: Floats) -> Floats:
    """H / log k, in [0, 1]: comparable between label sets of different sizes."""
    return entropy(probs) / np.log(probs.shape[1])


def least_confidence(probs: Floats) -> Floats:
    """1 - max p, in [0, 1 - 1/k]. (Lewis & Gale 1994.)

    >>> round(float(least_confidence(np.array([[0.4, 0.35, 0.25]]))[0]), 2)
    0.6
    """
    return 1 - probs.max(axis=1)


def margin_gap(probs: Floats) -> Floats:
    """p(1st) - p(2nd), in [0, 1]: lower = more uncertain. (Scheffer, Decomain & Wrobel 2001.)

    >>> round(float(margin_gap(np.array([[0.4, 0.35, 0.25]]))[0]), 2)
    0.05
    """
    k = probs.shape[1]
    two = np.partition(probs, k - 2, axis=1)[:, k - 2 :]
    return two[:, 1] - two[:, 0]


def margin(probs: Floats) -> Floats:
    """1 - (p(1st) - p(2nd)), in [0, 1]: the margin turned so that higher = more uncertain."""
    return 1 - margin_gap(probs)


MEASURES: dict[Measure, Callable[[Floats], Floats]] = {
    "margin": margin,
    "least_confidence": least_confidence,
    "entropy": normalised_entropy,
}


@dataclass(frozen=True, kw_only=True)
class NoSettings:
    """A strategy without choices."""


@dataclass(frozen=True, kw_only=True)
class ClippedSettings:
    """`skip_share`: this share of the pool, its most uncertain items, is passed over: mostly noise."""

    skip_share: float = 0.02

    def __post_init__(self) -> None:
        check_share("skip_share", self.skip_share, below_one=True)


def check_share(name: str, value: float, *, below_one: bool = False) -> None:
    """ValueError unless `value` lies in [0, 1], or in [0, 1) with `below_one`."""
    if not (0 <= value < 1 or (value == 1 and not below_one)):
        most = "less than 1" if below_one else "1"
        raise ValueError(f"{name}: found {value}, expected a number from 0 to {most}")


def pick_entropy(pool: Pool, count: int, *, settings: NoSettings, rng: np.random.Generator) -> Picks:
    """The items of highest entropy; ties by row. Deterministic. O(n k)."""
    return _pick(pool, count, "entropy")


def pick_least_confidence(pool: Pool, count: int, *, settings: NoSettings, rng: np.random.Generator) -> Picks:
    """The items whose likeliest label is least likely; ties by row. Deterministic. O(n k)."""
    return _pick(pool, count, "least_confidence")


def pick_margin(pool: Pool, count: int, *, settings: NoSettings, rng: np.random.Generator) -> Picks:
    """The items whose two likeliest labels are closest; ties by row. Deterministic. O(n k)."""
    return _pick(pool, count, "margin")


def pick_margin_clipped(
    pool: Pool, count: int, *, settings: ClippedSettings, rng: np.random.Generator
) -> Picks:
    """By margin, after passing over the most uncertain `skip_share` of the pool; ties by row. O(n k).

    Fewer are passed over where the batch needs them.
    """
    return _pick(pool, count, "margin", skip_share=settings.skip_share)


def _pick(pool: Pool, count: int, measure: Measure, *, skip_share: float = 0.0) -> Picks:
    open_ = candidates(pool, count, {"probs"})
    assert pool.probs is not None
    scores = MEASURES[measure](pool.probs[open_])
    skipped = min(int(skip_share * len(open_)), len(open_) - count)
    chosen = top(scores, skipped + count)[skipped:]
    return Picks(open_[chosen], {"uncertainty": scores[chosen], "score": scores[chosen]})
