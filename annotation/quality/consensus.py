"""One label from many: the majority, and nothing where there is none; or a model of who is how right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse

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


SMOOTHING = 4.0  # pseudo-answers that each row of a confusion matrix begins with
PRIOR_ACCURACY = 0.7  # how right somebody is of whom nothing is known
PRIOR_ANSWERS = 10.0  # so many answers of one's own weigh as much as what is known of everybody


@dataclass(frozen=True, eq=False)
class DawidSkene:
    """What a fit says of n items, their classes k and their raters r. "Said" is a label that a rater gave.

    `posterior` (n, k): belief in each class of each item, rows sum to 1; a row of NaN without ratings.
    `prior` (k,): how often each class is the true one (p_j of the paper).
    `accuracy` (r,): how often a rater is right over all classes; `pooled_accuracy`: that of all together.
    `said_by`, `said` (g,): the pairs of a rater and a label that occur; `counts` (g, k): how often they did,
    in expectation, for items of each class (the numerator of pi_jl^(k) of the paper).
    """

    posterior: Floats
    prior: Floats
    accuracy: Floats
    pooled_accuracy: float
    said_by: Ints
    said: Ints
    counts: Floats
    smoothing: float
    log_likelihood: float
    iterations: int
    converged: bool

    def confusion(self, rater: int) -> Floats:
        """One rater's matrix (k, k): row the true class, column what they say; rows sum to 1."""
        k = len(self.prior)
        counts = np.zeros((k, k))
        mine = self.said_by == rater
        counts[self.said[mine]] = self.counts[mine]
        accuracy = np.full(k, self.accuracy[rater])
        totals = np.broadcast_to(counts.sum(axis=0), (k, k))
        return said_given_true(counts, totals, np.arange(k), accuracy, self.smoothing).T


def said_given_true(
    counts: Floats, totals: Floats, said: Ints, accuracy: Floats, smoothing: float = SMOOTHING
) -> Floats:
    """How likely m answers are if the item is of each class: (m, k), in [0, 1].

    `counts` (m, k): how often the person who gave the answer gave that label to items of each class;
    `totals` (m, k): how often they answered items of each class at all; `said` (m,): the label;
    `accuracy` (m,): the person's over all classes. Each row of a confusion matrix is shrunk, by `smoothing`
    pseudo-answers, to the matrix of somebody who is equally right on every class and errs evenly. Without
    smoothing a class that the person never met says nothing: 1 / k. O(m k).
    """
    k = counts.shape[1]
    wrong = (1.0 - accuracy) / max(1, k - 1)
    one_coin = np.repeat(wrong[:, None], k, axis=1)
    one_coin[np.arange(len(said)), said] = accuracy if k > 1 else 1.0
    given = totals + smoothing
    return np.divide(
        counts + smoothing * one_coin, given, out=np.full(counts.shape, 1.0 / k), where=given > 0
    )


def posterior_of(prior: Floats, likelihoods: Floats) -> Floats:
    """The E-step for one item: belief in each class (k,) after m independent answers, `likelihoods` (m, k).

    Proportional to the prior times the product of the rows (eq. 2.5 of Dawid & Skene), worked out in
    logarithms. All NaN where the answers contradict one another with certainty. O(m k).

    >>> posterior_of(np.array([0.5, 0.5]), np.array([[0.9, 0.1], [0.9, 0.1]])).round(3).tolist()
    [0.988, 0.012]
    """
    with np.errstate(divide="ignore"):
        logs = np.log(prior) + np.log(likelihoods).sum(axis=0)
    return _normalised(logs[None, :])[0][0]


def dawid_skene(
    items: Ints,
    raters: Ints,
    labels: Ints,
    *,
    n_items: int,
    n_raters: int,
    n_labels: int,
    known: Ints | None = None,
    smoothing: float = SMOOTHING,
    max_iterations: int = 200,
    tolerance: float = 1e-5,
) -> DawidSkene:
    """Who is how right, and what the items are, from answers alone, by expectation maximisation.

    A. P. Dawid and A. M. Skene, Maximum likelihood estimation of observer error-rates using the EM algorithm,
    Applied Statistics 28 (1979) 20-28. Rater k says l of an item of class j with probability pi_jl^(k),
    independently of everybody else; item i is of class j with probability p_j. The M-step is eq. 2.3 and 2.4,
    the E-step eq. 2.5.

    `items`, `raters`, `labels` (m,) int: one answer each, codes from 0; a rater may answer an item several
    times, each answer counts. `known` (n_items,): the class of items that is certain (a reviewer's word, a gold
    item), -1 elsewhere; such rows stay as they are. `smoothing` 0 is the plain estimate of the paper, which
    needs many answers of every rater to every class; above 0 see `said_given_true`, and each rater's accuracy
    is shrunk to that of all (`PRIOR_ANSWERS`), theirs to `PRIOR_ACCURACY`.

    The classes are told apart by the labels themselves: the first belief in each item is its vote shares
    (eq. 3.1), so the fit starts, and in practice stays, where most people are right more often than not.
    It ends once no belief moves by more than `tolerance`, or after `max_iterations`. `log_likelihood` is that
    of the answers under the last estimates, natural logarithm; higher is better; it never falls from step to
    step where `smoothing` is 0. Items without an answer and without a known class get NaN and count nowhere.
    Two sparse products an iteration: O((m + g) k) time, O((n + g) k) memory, g the pairs of rater and label.

    ValueError where a code is out of range or an array is shorter than another.
    """
    codes = _codes(items, raters, labels, n_items, n_raters, n_labels)
    votes = np.zeros((n_items, n_labels))
    np.add.at(votes, (codes[0], codes[2]), 1.0)
    rated = votes.sum(axis=1) > 0
    belief = np.divide(
        votes, votes.sum(axis=1, keepdims=True), out=np.zeros_like(votes), where=rated[:, None]
    )
    pinned = np.full(n_items, NO_LABEL) if known is None else np.asarray(known, dtype=np.int64)
    if pinned.shape != (n_items,) or (n_items and pinned.max() >= n_labels):
        raise ValueError(f"known has shape {pinned.shape} or a class beyond {n_labels - 1}: give one an item")
    certain = np.flatnonzero(pinned >= 0)
    belief[certain] = np.eye(n_labels)[pinned[certain]]
    said_by, said, answers = _pairs(*codes, n_items=n_items, n_labels=n_labels)
    converged, log_likelihood, iteration = not len(codes[0]), 0.0, 0
    model = _estimate(belief, rated, said_by, said, answers, n_raters, smoothing)
    while not converged and iteration < max_iterations:
        iteration += 1
        with np.errstate(divide="ignore"):
            logs = np.log(model.prior) + answers.T @ np.log(model.given)
        fresh, evidence = _normalised(logs)
        log_likelihood = float(evidence[rated & (pinned < 0)].sum() + logs[certain, pinned[certain]].sum())
        fresh[~rated] = 0.0
        fresh[certain] = belief[certain]
        converged = bool(np.abs(fresh - belief).max(initial=0.0) <= tolerance)
        belief = fresh
        model = _estimate(belief, rated, said_by, said, answers, n_raters, smoothing)
    belief = np.where((rated | (pinned >= 0))[:, None], belief, np.nan)
    return DawidSkene(
        posterior=belief,
        prior=model.prior,
        accuracy=model.accuracy,
        pooled_accuracy=model.pooled_accuracy,
        said_by=said_by,
        said=said,
        counts=model.counts,
        smoothing=smoothing,
        log_likelihood=log_likelihood,
        iterations=iteration,
        converged=converged,
    )


class _Estimate(NamedTuple):
    prior: Floats
    counts: Floats  # (g, k)
    given: Floats  # (g, k): how likely the pair's label is, from its rater, for each class
    accuracy: Floats
    pooled_accuracy: float


def _estimate(
    belief: Floats,
    rated: np.ndarray,
    said_by: Ints,
    said: Ints,
    answers: sparse.csr_array,
    n_raters: int,
    smoothing: float,
) -> _Estimate:
    """The M-step: what the current beliefs say of classes and raters."""
    n, k = int(rated.sum()), belief.shape[1]
    prior = (belief[rated].sum(axis=0) + smoothing / max(1, k)) / max(1.0, n + smoothing)
    counts = answers @ belief
    totals = np.zeros((n_raters, k))
    np.add.at(totals, said_by, counts)
    hits = np.bincount(said_by, counts[np.arange(len(said)), said], minlength=n_raters)
    total = totals.sum(axis=1)
    weight = PRIOR_ANSWERS if smoothing else 0.0
    pooled = (hits.sum() + weight * PRIOR_ACCURACY) / max(total.sum() + weight, 1e-300)
    accuracy = np.divide(
        hits + weight * pooled, total + weight, out=np.full(n_raters, float(pooled)), where=total + weight > 0
    )
    given = said_given_true(counts, totals[said_by], said, accuracy[said_by], smoothing)
    return _Estimate(prior, counts, given, accuracy, float(pooled))


def _codes(
    items: Ints, raters: Ints, labels: Ints, n_items: int, n_raters: int, n_labels: int
) -> tuple[Ints, Ints, Ints]:
    """The answers as int64 codes, checked."""
    found = []
    for name, values, size in (
        ("items", items, n_items),
        ("raters", raters, n_raters),
        ("labels", labels, n_labels),
    ):
        codes = np.ascontiguousarray(values, dtype=np.int64)
        if codes.shape != np.shape(items) or codes.ndim != 1:
            raise ValueError(f"{name} has shape {codes.shape}, items {np.shape(items)}: give equal lengths")
        if len(codes) and (codes.min() < 0 or codes.max() >= size):
            raise ValueError(f"{name} has codes {codes.min()} to {codes.max()}: expected 0 to {size - 1}")
        found.append(codes)
    return found[0], found[1], found[2]


def _pairs(
    items: Ints, raters: Ints, labels: Ints, *, n_items: int, n_labels: int
) -> tuple[Ints, Ints, sparse.csr_array]:
    """Who said what at all, (g,) each, and how often of which item, a sparse (g, n_items)."""
    keys, pair = np.unique(raters * max(1, n_labels) + labels, return_inverse=True)
    ones = np.ones(len(items))
    answers = sparse.csr_array((ones, (pair, items)), shape=(len(keys), n_items))
    return keys // max(1, n_labels), keys % max(1, n_labels), answers


def _normalised(logs: Floats) -> tuple[Floats, Floats]:
    """Rows of logarithms (n, k) as shares that sum to 1, and the logarithm of each row's sum; NaN where all
    of a row are impossible."""
    top = logs.max(axis=1, keepdims=True, initial=-np.inf)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.exp(logs - top)
        sums = shares.sum(axis=1, keepdims=True)
        return shares / sums, (top + np.log(sums))[:, 0]
