"""How far several predictions of one item lie apart: of a committee, of versions of a model, of MC dropout.

All take samples (n, v, k): of n items v predictions over k labels, rows summing to one, and give (n,), higher =
more disagreement; O(n v k). With one sample nothing disagrees: 0.
"""

from __future__ import annotations

import numpy as np

from selection.strategies.pool import Floats
from selection.strategies.uncertainty import entropy


def consensus(samples: Floats) -> Floats:
    """(n, k) the mean prediction."""
    return samples.mean(axis=1)


def bald(samples: Floats) -> Floats:
    """Mutual information of label and model, H(mean p) - mean H(p), in nats, in [0, log min(v, k)].

    What is unsure because models differ, less what every one of them finds unclear. (Houlsby et al. 2011; with
    MC dropout Gal, Islam & Ghahramani 2017.) Rounding below 0 is cut off.

    >>> bald(np.array([[[1.0, 0.0], [0.0, 1.0]]])).round(3).tolist()  # sure, and of two minds: log 2
    [0.693]
    >>> bald(np.array([[[0.5, 0.5], [0.5, 0.5]]])).tolist()  # at one that it is unclear
    [0.0]
    """
    own = np.mean([entropy(one) for one in np.moveaxis(samples, 1, 0)], axis=0)
    return np.maximum(entropy(consensus(samples)) - own, 0.0)


def consensus_kl(samples: Floats) -> Floats:
    """Mean Kullback-Leibler divergence to the consensus, mean over v of sum p log(p / mean p), in nats.

    (McCallum & Nigam 1998.) With the mean as consensus it equals `bald` but for rounding; both names are met,
    and one is the check of the other.
    """
    middle = consensus(samples)
    total = np.zeros(len(samples))
    for one in np.moveaxis(samples, 1, 0):
        # Where p is 0 the term is 0; where p is above 0 so is the mean.
        logs = np.log(np.where(one > 0, one, 1.0)) - np.log(np.where(one > 0, middle, 1.0))
        total += (one * logs).sum(axis=1)
    return np.maximum(total / samples.shape[1], 0.0)


def vote_entropy(samples: Floats) -> Floats:
    """Entropy of the votes over log min(v, k), in [0, 1]. (Dagan & Engelson 1995.)

    A vote is the likeliest label, the first of equal ones.
    """
    n, v, k = samples.shape
    if min(v, k) < 2:
        return np.zeros(n)
    return np.asarray(entropy(_votes(samples) / v) / np.log(min(v, k)))


def variation_ratio(samples: Floats) -> Floats:
    """Share of votes that are not for the most voted label, in [0, 1 - 1/k]. (Freeman 1965.)"""
    return np.asarray(1 - _votes(samples).max(axis=1) / samples.shape[1])


def pairwise(samples: Floats) -> Floats:
    """Share of the pairs of predictions whose likeliest labels differ, in [0, 1].

    By counting votes: 1 - sum_c n_c (n_c - 1) / (v (v - 1)), so no pair is looked at.
    """
    v = samples.shape[1]
    if v < 2:
        return np.zeros(len(samples))
    votes = _votes(samples)
    return np.asarray(1.0 - (votes * (votes - 1)).sum(axis=1) / (v * (v - 1)))


def churn(before: Floats, after: Floats) -> float:
    """The share of items whose likeliest label differs between two models (n, k): what people would notice.

    (Milani Fard et al. 2016, predictive churn.) O(n k).
    """
    return float((before.argmax(axis=1) != after.argmax(axis=1)).mean())


def _votes(samples: Floats) -> Floats:
    """(n, k) votes for each label."""
    n, v, k = samples.shape
    votes = np.zeros((n, k))
    for number in range(v):
        votes[np.arange(n), samples[:, number].argmax(axis=1)] += 1
    return votes
