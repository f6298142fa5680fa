"""Hardness: where a model trained on the other labelled items is wrong, and what lies near to such items.

The loss of a labelled item is measured by a model that has not seen it (cross-validation): the training loss
of a memorised item says nothing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from selection.strategies.errors import BadHardness, NothingLabelled
from selection.strategies.pool import Floats, Indices, Picks, Pool, candidates
from selection.strategies.ranking import top
from selection.strategies.uncertainty import NoSettings
from training.learning import probe

FOLDS = 5
NEIGHBOURS = 10
BLOCK = 65_536  # pool items whose losses are carried at a time
LEAST_PROBABILITY = (
    1e-3  # a loss is at most -log of it, 6.9 nats: one odd item must not rule its neighbourhood
)

_NONE = "hardness is learnt from labelled items, and none is labelled: label some first"


def cross_validated_losses(
    embeddings: Floats, labels: npt.ArrayLike, *, folds: int = FOLDS, c: float = 10.0, seed: int = 0
) -> npt.NDArray[np.float64]:
    """Loss -log p(label) of each labelled item under a probe trained on the other folds.

    Args:
        embeddings: (m, d), rows of length one.
        labels: (m,), integers or text.
        folds: at least 2; each label is dealt evenly over the folds.
        c: the probe's inverse strength of regularisation.
        seed: who goes to which fold.

    Returns:
        (m,) nats in [0, 6.91], higher is harder. With one label in all there is nothing to be wrong about:
        all 0. A label that only one fold holds has the probe's probability for labels never seen there.

    Cost: `folds` fits on (1 - 1/folds) m items.

    Raises:
        NothingLabelled: m is 0. ValueError: fewer than two folds, or lengths that differ.
    """
    given = np.asarray(labels)
    if len(given) != len(embeddings):
        raise ValueError(f"found {len(embeddings)} embeddings and {len(given)} labels, expected as many")
    if not len(given):
        raise NothingLabelled(_NONE)
    if folds < 2:
        raise ValueError(f"found {folds} folds, expected at least 2")
    names, codes = np.unique(given, return_inverse=True)
    if len(names) == 1:
        return np.zeros(len(given))
    probs = held_out_probabilities(embeddings, codes, len(names), folds=folds, c=c, seed=seed)
    own = probs[np.arange(len(codes)), codes]
    return -np.log(np.where(np.isnan(own), LEAST_PROBABILITY, np.maximum(own, LEAST_PROBABILITY)))


def held_out_probabilities(
    embeddings: Floats, codes: Indices, k: int, *, folds: int = FOLDS, c: float = 10.0, seed: int = 0
) -> npt.NDArray[np.float64]:
    """(m, k) probabilities of each labelled item under a probe trained on the other folds.

    embeddings: (m, d); codes: (m,) in 0..k-1. NaN rows where the other folds know fewer than two labels.
    """
    fold = deal(codes, folds, np.random.default_rng(seed))
    probs = np.full((len(codes), k), np.nan)
    for number in range(folds):
        held, rest = fold == number, fold != number
        if held.any() and len(np.unique(codes[rest])) >= 2:
            head = probe.fit(embeddings[rest], codes[rest], k, c=c, seed=seed)
            probs[held] = head.probabilities(embeddings[held])
    return probs


def deal(codes: Indices, folds: int, rng: np.random.Generator) -> Indices:
    """(m,) fold of each item: every label's items are shuffled and dealt like cards, label after label.

    So folds differ by at most one item in all, and by at most one of each label. codes: (m,). O(m log m).
    """
    shuffled = rng.permutation(len(codes))
    order = shuffled[np.argsort(codes[shuffled], kind="stable")]
    fold = np.empty(len(codes), dtype=np.int64)
    fold[order] = np.arange(len(codes)) % folds
    return fold


def carry_to_pool(
    labelled_embeddings: Floats, losses: Floats, pool_embeddings: Floats, *, neighbours: int = NEIGHBOURS
) -> npt.NDArray[np.float64]:
    """Predicted loss of unlabelled items: the mean loss of their nearest labelled items, nearer ones counting
    more.

    h_i = sum over j in N(i) of w_ij loss_j / sum of w_ij,  w_ij = 1 + e_i . e_j in [0, 2], N(i) the
    `neighbours` most similar labelled items (all of them where fewer are labelled), as
    `index.for_many.nearest_for_many` finds them.

    Args:
        labelled_embeddings: (m, d). losses: (m,). pool_embeddings: (n, d). All rows of length one.

    Returns:
        (n,) between the least and the greatest of `losses`. Cost O(n m d), and less once n m is beyond 5e7.

    Raises:
        NothingLabelled: m is 0. BadHardness: a loss that is not a number.
    """
    return carry_with_nearness(labelled_embeddings, losses, pool_embeddings, neighbours=neighbours)[0]


def carry_with_nearness(
    labelled_embeddings: Floats,
    losses: Floats,
    pool_embeddings: Floats,
    *,
    neighbours: int = NEIGHBOURS,
    of: int | None = None,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    """As `carry_to_pool`, and (n,) the similarity to the nearest labelled item found: at most the true one. It
    comes for nothing, and `apart` needs it as well.

    of: how many items the pool has of which these are a part. Neighbours are looked for as they would be for all
    of them, so that a part has the values that it has within the whole.
    """
    from selection.index.for_many import EXACT_PAIRS, nearest_for_many

    if not len(labelled_embeddings):
        raise NothingLabelled(_NONE)
    if not np.isfinite(losses).all():
        raise BadHardness("a loss of a labelled item is not a number: measure the losses again")
    k = min(neighbours, len(labelled_embeddings))
    share = len(pool_embeddings) / max(1, of or len(pool_embeddings))
    found, similarity = nearest_for_many(
        labelled_embeddings, pool_embeddings, k, exact_pairs=int(share * EXACT_PAIRS)
    )
    given, carried = np.asarray(losses), np.empty(len(pool_embeddings))
    for start in range(0, len(carried), BLOCK):
        # The tiny floor keeps a row defined whose neighbours all lie exactly opposite.
        weights = np.maximum(1.0 + similarity[start : start + BLOCK].astype(np.float64), 1e-9)
        sums = (weights * given[found[start : start + BLOCK]]).sum(axis=1)
        carried[start : start + BLOCK] = sums / weights.sum(axis=1)
    return carried, np.ascontiguousarray(similarity[:, 0])


def pick_hardness(pool: Pool, count: int, *, settings: NoSettings, rng: np.random.Generator) -> Picks:
    """The items of greatest predicted loss, h_i = sum of w_ij loss_j / sum of w_ij over the nearest labelled
    items j (`carry_to_pool`, which the caller has done); ties by row. Deterministic. O(n + c log c).
    """
    open_ = candidates(pool, count, {"hardness"})
    assert pool.hardness is not None
    scores = pool.hardness[open_]
    chosen = top(scores, count)
    return Picks(open_[chosen], {"hardness": scores[chosen], "score": scores[chosen]})
