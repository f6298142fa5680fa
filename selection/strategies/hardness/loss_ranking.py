"""The hardest few per cent by loss, and how far a predicted loss is to be trusted.

n items        m labelled items        d width of an embedding
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from selection.strategies.errors import BadHardness, NothingLabelled
from selection.strategies.hardness.losses import NEIGHBOURS, deal
from selection.strategies.pool import Floats, Indices, Picks, Pool, candidates
from selection.strategies.ranking import top

PERCENTILE = 95.0
LEAST_RESOLVED = 10  # a rank correlation over fewer items says nothing


def above_percentile(losses: Floats, percentile: float = PERCENTILE) -> Indices:
    """Positions of the items whose loss is above the percentile, highest first; ties by position.

    Args:
        losses: (n,) of items that the model has not learnt from (see `cross_validated_losses`): the training
        loss of
            a memorised item says nothing. percentile: 0 to 100, interpolated linearly.

    Strictly above: of equal losses none is hard, and an easy set gives none. O(n + c log c).

    >>> above_percentile(np.array([0.1, 3.0, 0.2, 0.1]), 50).tolist()
    [1, 2]
    """
    check_percentile(percentile)
    if not len(losses):
        raise NothingLabelled("losses are of labelled items, and none is labelled: label some first")
    if not np.isfinite(losses).all():
        raise BadHardness("a loss of a labelled item is not a number: measure the losses again")
    return top(losses, int((losses > np.percentile(losses, percentile)).sum()))


def check_percentile(value: float) -> None:
    """ValueError unless 0 <= value < 100."""
    if not 0 <= value < 100:
        raise ValueError(f"percentile: found {value}, expected a number from 0 to less than 100")


@dataclass(frozen=True)
class Trust:
    """How well carried losses foretell true ones.

    Attributes:
        correlation: Spearman's, in [-1, 1]; NaN where one side is constant or too few items are resolved.
        low, high: 95 % interval by Fisher's z with Bonett & Wright's (2000) variance, NaN with it.
        n: resolved items it was measured on.
    """

    correlation: float
    low: float
    high: float
    n: int


def rank_correlation(predicted: Floats, true: Floats) -> Trust:
    """Spearman's rank correlation with its interval; mid-ranks for ties. predicted, true: (n,). O(n log
    n).
    """
    n, nothing = len(true), float("nan")
    if n < LEAST_RESOLVED or np.ptp(predicted) == 0 or np.ptp(true) == 0:
        return Trust(nothing, nothing, nothing, n)
    found = float(np.corrcoef(rankdata(predicted), rankdata(true))[0, 1])
    inner = float(np.clip(found, -0.999999, 0.999999))
    wide = 1.959964 * np.sqrt((1 + inner**2 / 2) / (n - 3))
    return Trust(found, float(np.tanh(np.arctanh(inner) - wide)), float(np.tanh(np.arctanh(inner) + wide)), n)


def trust_of_carried(
    embeddings: Floats, losses: Floats, *, neighbours: int = NEIGHBOURS, folds: int = 5, seed: int = 0
) -> Trust:
    """How well the loss of an item is foretold by its neighbours, on resolved items held out by folds.

    Args:
        embeddings: (m, d), rows of length one. losses: (m,) cross-validated.

    Each item's loss is carried from the other folds only, as a pool item's is carried from labelled ones.
    O(m^2 d).
    """
    from selection.strategies.hardness.losses import carry_to_pool

    if len(losses) < LEAST_RESOLVED:
        return rank_correlation(losses, losses)
    fold = deal(np.zeros(len(losses), dtype=np.int64), folds, np.random.default_rng(seed))
    carried = np.empty(len(losses))
    for number in range(folds):
        held, rest = fold == number, fold != number
        carried[held] = carry_to_pool(embeddings[rest], losses[rest], embeddings[held], neighbours=neighbours)
    return rank_correlation(carried, losses)


@dataclass(frozen=True, kw_only=True)
class TailSettings:
    """`percentile`: what lies above it among the free items is the tail that picks are drawn from."""

    percentile: float = PERCENTILE

    def __post_init__(self) -> None:
        check_percentile(self.percentile)


def pick_hard_tail(pool: Pool, count: int, *, settings: TailSettings, rng: np.random.Generator) -> Picks:
    """A uniform draw from the items of predicted loss above the percentile.

    Drawn, not ranked: a predicted loss is coarse, its order within the tail is mostly noise, and a draw has
    an inclusion probability (count / size of the tail), so that what it labels can be weighed later. Where
    the tail is smaller than the batch, all of it is picked and the next hardest fill up: then nothing is
    drawn. O(n log n).
    """
    open_ = candidates(pool, count, {"hardness"})
    assert pool.hardness is not None
    scores = pool.hardness[open_]
    tail = np.flatnonzero(scores > np.percentile(scores, settings.percentile))
    if len(tail) <= count:
        chosen, chance = top(scores, count), None
    else:
        chosen = rng.choice(tail, size=count, replace=False)
        chosen = chosen[np.lexsort((chosen, -scores[chosen]))]
        chance = np.full(count, count / len(tail))
    parts = {"hardness": scores[chosen], "score": scores[chosen]}
    return Picks(open_[chosen], parts, chance)
