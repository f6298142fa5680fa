"""One label from many: the majority, and nothing where there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from annotation.quality.intervals import Floats, Ints
from annotation.quality.ratings import Ratings, profiles

NO_LABEL = -1


class Vote(NamedTuple):
    """The outcome of one item's vote. `label` is None on a tie and without votes; `share` is that of the
    leader(s)."""

    label: str | None
    share: float
    counts: dict[str, int]
    tied: bool


def majority_vote(labels: Iterable[str]) -> Vote:
    """The label with most votes. A tie between leaders decides nothing: it is for a person.

    >>> majority_vote(["a", "b", "a"])
    Vote(label='a', share=0.6666666666666666, counts={'a': 2, 'b': 1}, tied=False)
    """
    counts = Counter(labels)
    if not counts:
        return Vote(None, 0.0, {}, False)
    most = max(counts.values())
    leaders = [label for label, count in counts.items() if count == most]
    tied = len(leaders) > 1
    return Vote(None if tied else leaders[0], most / counts.total(), dict(counts), tied)


class Consensus(NamedTuple):
    """Votes on all items, arrays (n_items,): `labels` codes with -1 on a tie and without votes, `share` of
    the leader(s) with NaN without votes, `votes` their number, `tied` whether several lead."""

    labels: Ints
    share: Floats
    votes: Ints
    tied: np.ndarray


def majority(ratings: Ratings) -> Consensus:
    """`majority_vote` of every item at once. O(n log n)."""
    grouped = profiles(ratings)
    votes = grouped.counts.sum(axis=1)
    if not ratings.n_labels:
        nothing = np.full(ratings.n_items, NO_LABEL)
        return Consensus(nothing, np.full(ratings.n_items, np.nan), nothing * 0, nothing > 0)
    most = grouped.counts.max(axis=1, initial=0)
    tied = ((grouped.counts == most[:, None]).sum(axis=1) > 1) & (votes > 0)
    labels = np.where(tied | (votes == 0), NO_LABEL, grouped.counts.argmax(axis=1))
    share = np.divide(most, votes, out=np.full(len(votes), np.nan), where=votes > 0)
    of_item = grouped.of_item
    return Consensus(labels[of_item], share[of_item], votes[of_item], tied[of_item])


def vote_shares(ratings: Ratings) -> Floats:
    """Soft labels: each item's votes as shares, (n_items, k); a row of NaN without votes. Rows sum to 1."""
    grouped = profiles(ratings)
    votes = grouped.counts.sum(axis=1, keepdims=True)
    shares = np.divide(grouped.counts, votes, out=np.full(grouped.counts.shape, np.nan), where=votes > 0)
    return shares[grouped.of_item]
