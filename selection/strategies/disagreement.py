"""How far several predictions of one item lie apart: of a committee, of versions of a model, of MC dropout.

All take samples (s, n, k): s predictions of n items over k labels, rows summing to one, and give (n,), higher =
more disagreement; O(s n k). With one sample nothing disagrees: 0.
"""

from __future__ import annotations

import numpy as np

from selection.strategies.pool import Floats
from selection.strategies.uncertainty import entropy


def consensus(samples: Floats) -> Floats:
    """(n, k) the mean prediction."""
    return samples.mean(axis=0)


def bald(samples: Floats) -> Floats:
    """Mutual information of label and model, H(mean p) - mean H(p), in nats, in [0, log min(s, k)].

    What is unsure because models differ, less what every one of them finds unclear. (Houlsby et al. 2011; with
    MC dropout Gal, Islam & Ghahramani 2017.) Rounding below 0 is cut off.

    >>> bald(np.array([[[1.0, 0.0]], [[0.0, 1.0]]])).round(3).tolist()  # sure, and of two minds: log 2
    [0.693]
    >>> bald(np.array([[[0.5, 0.5]], [[0.5, 0.5]]])).tolist()  # at one that it is unclear
    [0.0]
    """
    own = np.mean([entropy(one) for one in samples], axis=0)
    return np.maximum(entropy(consensus(samples)) - own, 0.0)


def consensus_kl(samples: Floats) -> Floats:
    """Mean Kullback-Leibler divergence to the consensus, mean over s of sum p log(p / mean p), in nats.

    (McCallum & Nigam 1998.) With the mean as consensus it equals `bald`; both names are met, and one is the
    check of the other.
    """
    middle = consensus(samples)
    total = np.zeros(samples.shape[1])
    for one in samples:
        # Where p is 0 the term is 0; where p is above 0 so is the mean.
        logs = np.log(np.where(one > 0, one, 1.0)) - np.log(np.where(one > 0, middle, 1.0))
        total += (one * logs).sum(axis=1)
    return np.maximum(total / len(samples), 0.0)


def vote_entropy(samples: Floats) -> Floats:
    """Entropy of the votes over log min(s, k), in [0, 1]. (Dagan & Engelson 1995.)

    A vote is the likeliest label, the first of equal ones.
    """
    s, n, k = samples.shape
    if min(s, k) < 2:
        return np.zeros(n)
    votes = np.zeros((n, k))
    for one in samples:
        votes[np.arange(n), one.argmax(axis=1)] += 1 / s
    return np.asarray(entropy(votes) / np.log(min(s, k)))


def variation_ratio(samples: Floats) -> Floats:
    """Share of votes that are not for the most voted label, in [0, 1 - 1/k]. (Freeman 1965.)"""
    s, n, k = samples.shape
    votes = np.zeros((n, k))
    for one in samples:
        votes[np.arange(n), one.argmax(axis=1)] += 1
    return np.asarray(1 - votes.max(axis=1) / s)
