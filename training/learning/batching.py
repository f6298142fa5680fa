"""Which items go together through a model: batches of alike length, the same for any number of processes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

BUCKET_BATCHES = 50  # batches among which items are sorted by length; more saves padding, and mixes less


def token_batches(lengths: Sequence[int] | Ints, budget: int) -> list[Ints]:
    """Indices in batches whose padded size (items times longest) stays within `budget` tokens.

    Longest first, so that memory that does not suffice shows at once. An item longer than the budget is a
    batch of its own. Ties keep their order. Every index is in exactly one batch. O(n log n).

    >>> [batch.tolist() for batch in token_batches([3, 9, 2, 4], budget=9)]
    [[1], [3, 0], [2]]
    """
    sizes = np.asarray(lengths, dtype=np.int64)
    order = np.argsort(-sizes, kind="stable")
    batches, start = [], 0
    while start < len(order):
        count = max(1, budget // max(1, int(sizes[order[start]])))
        batches.append(order[start : start + count])
        start += count
    return batches


def schedule(
    lengths: Sequence[int] | Ints,
    *,
    batch_size: int,
    steps: int,
    seed: int,
    weights: Sequence[float] | None = None,
) -> list[Ints]:
    """The global batches of a whole training run, one a step.

    Each pass visits every item once in an order of its own; items of alike length go together (a pass is
    shuffled, cut into runs of 50 batches, each run is sorted by length, and its batches are shuffled).
    Depends on the seed alone and not on the number of processes, so that every rank can work it out for
    itself. The last batch of a pass may be smaller. O(passes n log n).

    Args:
        lengths: (n,) tokens of each item, n >= 1.
        steps: how many batches; the last pass is cut short.
        weights: (n,) above 0; a pass then has as many items as ever, each as often as `drawn` says. For losses
            that cannot be weighted themselves.

    Returns:
        `steps` arrays of item indices.

    Raises:
        ValueError: no items, or a batch size or a number of steps below 1.
    """
    sizes = np.asarray(lengths, dtype=np.int64)
    if not len(sizes) or batch_size < 1 or steps < 1:
        raise ValueError(
            f"found {len(sizes)} items, batches of {batch_size} and {steps} steps, expected 1 or more"
        )
    batches: list[Ints] = []
    number = 0
    while len(batches) < steps:
        batches += _one_pass(sizes, batch_size, np.random.default_rng([seed, 11, number]), weights)
        number += 1
    return batches[:steps]


def drawn(weights: Sequence[float], rng: np.random.Generator) -> Ints:
    """(n,) items of one pass over n items, in a random order, each in proportion to its weight.

    Systematic sampling (Madow 1949) over a random order: an item whose share is c = n * weight / sum of weights
    comes floor(c) or ceil(c) times, c times on average. With equal weights each comes once.
    """
    order = rng.permutation(len(weights))
    given = np.asarray(weights, dtype=np.float64)
    if (given == given[0]).all():
        return order
    ends = np.cumsum(given[order])
    marks = (np.arange(len(order)) + rng.random()) * (ends[-1] / len(order))
    found = np.searchsorted(ends, marks, side="right").clip(max=len(order) - 1)  # the last may be rounded up
    return rng.permutation(order[found])


def _one_pass(
    sizes: Ints, batch_size: int, rng: np.random.Generator, weights: Sequence[float] | None = None
) -> list[Ints]:
    order = rng.permutation(len(sizes)) if weights is None else drawn(weights, rng)
    run = batch_size * BUCKET_BATCHES
    batches: list[Ints] = []
    for start in range(0, len(order), run):
        some = order[start : start + run]
        some = some[np.argsort(sizes[some], kind="stable")]
        batches += [some[at : at + batch_size] for at in range(0, len(some), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def share_of(
    batch: Ints, weights: npt.NDArray[np.floating], rank: int, world: int
) -> tuple[Ints, npt.NDArray[np.float32]]:
    """One rank's part of a global batch, and by what to multiply each item's loss.

    The loss of a batch is its weighted mean, sum(w_i l_i) / sum(w_i). Ranks hold different numbers of items,
    and DDP averages their gradients; with the multipliers world * w_i / sum(w), the average over ranks of
    each rank's plain sum is exactly that mean. A rank that would hold nothing gets one item at multiplier 0,
    since all ranks must take part in the step.

    Args:
        batch: indices of the global batch, one or more.
        weights: weights of all items, by index; above 0 for one of the batch at least.

    Returns:
        (m,) indices, m >= 1, and (m,) float32 multipliers.
    """
    mine = batch[rank::world]
    scale = world / float(weights[batch].sum())
    if not len(mine):
        return batch[:1], np.zeros(1, dtype=np.float32)
    return mine, (weights[mine] * scale).astype(np.float32)
