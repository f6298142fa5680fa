"""How unsure a model is about an item, and strategies that take the least sure items.

All scores take probs (n, k), rows summing to one, k >= 2, and give (n,), higher = more uncertain; they are
unchanged by a permutation of the labels. Cost O(n k) each. Inputs are trusted here: `pool.candidates` checks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from selection.strategies.blocks import by_item
from selection.strategies.pool import Floats, Indices, Picks, Pool, among, candidates
from selection.strategies.ranking import top

Measure = Literal["margin", "least_confidence", "entropy", "ratio"]


def entropy(probs: Floats) -> Floats:
    """Shannon entropy H = -sum p log p in nats, in [0, log k]; 0 log 0 = 0. (Shannon 1948; Settles 2009.)

    >>> round(float(entropy(np.array([[0.4, 0.35, 0.25]]))[0]), 2)
    1.08
    """

    def work(block: Floats) -> Floats:
        # 0 log 0 has the limit 0: a trace is added that changes no other logarithm.
        logs = block + np.finfo(block.dtype).tiny
        np.log(logs, out=logs)
        return -np.einsum("nk,nk->n", block, logs)

    return by_item(np.asarray(probs, dtype=np.result_type(probs, np.float32)), work, turned=False)


def normalised_entropy(probs: Floats) -> Floats:
    """H / log k, in [0, 1]: comparable between label sets of different sizes."""
    return entropy(probs) / math.log(probs.shape[1])


def least_confidence(probs: Floats) -> Floats:
    """1 - max p, in [0, 1 - 1/k]. (Lewis & Gale 1994.)

    >>> round(float(least_confidence(np.array([[0.4, 0.35, 0.25]]))[0]), 2)
    0.6
    """
    return by_item(probs, lambda turned: 1 - turned.max(axis=0))


def margin_gap(probs: Floats) -> Floats:
    """p(1st) - p(2nd), in [0, 1]: lower = more uncertain. (Scheffer, Decomain & Wrobel 2001.)

    >>> round(float(margin_gap(np.array([[0.4, 0.35, 0.25]]))[0]), 2)
    0.05
    """
    return by_item(probs, lambda turned: np.subtract(*_two_likeliest(turned)))


def margin(probs: Floats) -> Floats:
    """1 - (p(1st) - p(2nd)), in [0, 1]: the margin turned so that higher = more uncertain."""
    return 1 - margin_gap(probs)


def ratio(probs: Floats) -> Floats:
    """p(2nd) / p(1st), in [0, 1]. Orders two labels as the margin does; of many, it looks at the two alone.

    >>> round(float(ratio(np.array([[0.4, 0.35, 0.25]]))[0]), 3)
    0.875
    """

    def work(turned: Floats) -> Floats:
        first, second = _two_likeliest(turned)
        return second / first

    return by_item(probs, work)


def _two_likeliest(turned: Floats) -> tuple[Floats, Floats]:
    """(p(1st), p(2nd)), each (b,), of (k, b), k >= 2."""
    first, second = np.maximum(turned[0], turned[1]), np.minimum(turned[0], turned[1])
    for row in turned[2:]:
        second = np.maximum(second, np.minimum(first, row))
        first = np.maximum(first, row)
    return first, second


def at_temperature(probs: Floats, temperature: float) -> Floats:
    """(n, k) probabilities as they are at another temperature: p^(1/T) over its sum, float64. O(n k).

    For a model whose logits are gone: softmax(log p / T) is what `training.learning.calibration.calibrated`
    gives for logits. Entropy and the like depend on T; the order of two labels by margin does not.

    >>> at_temperature(np.array([[0.8, 0.2]]), 2.0).round(3).tolist()
    [[0.667, 0.333]]
    """
    if not temperature > 0:
        raise ValueError(f"found a temperature of {temperature}, expected a number above 0")
    scaled = np.asarray(probs, dtype=np.float64)
    # Over the greatest first: a cold temperature must not turn a whole row into zeros.
    scaled = (scaled / scaled.max(axis=1, keepdims=True)) ** (1 / temperature)
    return scaled / scaled.sum(axis=1, keepdims=True)


MEASURES: dict[Measure, Callable[[Floats], Floats]] = {
    "margin": margin,
    "least_confidence": least_confidence,
    "entropy": normalised_entropy,
    "ratio": ratio,
}


def measured(pool: Pool, open_: Indices, measure: Measure) -> Floats:
    """(n',) how unsure the model is of each candidate, from its probabilities or, where its answers are no
    single label, from what was worked out of them when the pool was scored."""
    if pool.unsure is not None:
        found: Floats = among(pool.unsure, open_)[:, list(MEASURES).index(measure)]
        return found
    assert pool.probs is not None
    return MEASURES[measure](among(pool.probs, open_))


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
    """The items of highest entropy, -sum p log p; ties by row. Deterministic. O(n k)."""
    return _pick(pool, count, "entropy")


def pick_least_confidence(pool: Pool, count: int, *, settings: NoSettings, rng: np.random.Generator) -> Picks:
    """The items whose likeliest label is least likely, 1 - max p; ties by row. Deterministic. O(n k)."""
    return _pick(pool, count, "least_confidence")


def pick_margin(pool: Pool, count: int, *, settings: NoSettings, rng: np.random.Generator) -> Picks:
    """The items whose two likeliest labels are closest, 1 - (p(1st) - p(2nd)); ties by row. Deterministic.
    O(n k).
    """
    return _pick(pool, count, "margin")


def pick_ratio(pool: Pool, count: int, *, settings: NoSettings, rng: np.random.Generator) -> Picks:
    """The items whose second likeliest label is the greatest share of the likeliest, p(2nd) / p(1st); ties by
    row. Deterministic. O(n k).
    """
    return _pick(pool, count, "ratio")


def pick_margin_clipped(
    pool: Pool, count: int, *, settings: ClippedSettings, rng: np.random.Generator
) -> Picks:
    """By margin, 1 - (p(1st) - p(2nd)), after passing over the most uncertain `skip_share` of the pool; ties by
    row. Deterministic. O(n k).

    Passed over are min(skip_share n, n - c): fewer where the batch needs them.
    """
    return _pick(pool, count, "margin", skip_share=settings.skip_share)


def _pick(pool: Pool, count: int, measure: Measure, *, skip_share: float = 0.0) -> Picks:
    open_ = candidates(pool, count, {"unsure"})
    scores = measured(pool, open_, measure)
    skipped = min(int(skip_share * len(open_)), len(open_) - count)
    chosen = top(scores, skipped + count)[skipped:]
    return Picks(open_[chosen], {"uncertainty": scores[chosen], "score": scores[chosen]})
