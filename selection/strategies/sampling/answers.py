"""Many answers to one prompt: how many differ, in words and in meaning, and how likely the model finds them.

s  samples for one prompt      d  width of an embedding      t  tokens of the longest answer
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]
Ints = npt.NDArray[np.int64]

SAME_MEANING = 0.85  # cosine of MiniLM embeddings from which two short answers say the same


def folded(answer: str) -> str:
    """An answer as it is compared: without case, outer punctuation and repeated space.

    >>> folded("  Paris. ") == folded("paris")
    True
    """
    return " ".join(answer.split()).strip(" .,!?;:\"'。，！？；：“”").casefold()


def unique_share(answers: Sequence[str]) -> float:
    """Share of different answers, in (0, 1]: 1/s where all are alike, 1 where none is. O(total length)."""
    return len({folded(one) for one in answers}) / _count(answers)


def self_consistency(groups: Sequence[Any] | Ints) -> float:
    """Share of the commonest answer, in (0, 1]; higher = surer. (Wang et al. 2023.)

    Args:
        groups: (s,) what is compared: folded answers, extracted results, or clusters of meaning.

    >>> self_consistency(["a", "b", "a", "a"])
    0.75
    """
    total = _count(groups)
    _names, counts = np.unique(np.asarray(groups), return_counts=True)
    return float(counts.max()) / total


def meanings(embeddings: Floats, *, same: float = SAME_MEANING) -> Ints:
    """(s,) cluster of each answer: two answers mean the same if a chain of pairs with cosine >= `same` joins
    them.

    Args:
        embeddings: (s, d), rows of length one.

    Clusters are numbered by their first answer. Kuhn et al. (2023) join answers that entail each other;
    closeness of embeddings is a cheap stand-in that does not see negation. O(s^2 d).
    """
    joined = np.asarray(embeddings @ embeddings.T) >= same
    found = np.full(len(embeddings), -1, dtype=np.int64)
    for first in range(len(embeddings)):
        if found[first] >= 0:
            continue
        reached, edge = np.zeros(len(embeddings), dtype=bool), np.zeros(len(embeddings), dtype=bool)
        edge[first] = True
        while edge.any():
            reached |= edge
            edge = joined[edge].any(axis=0) & ~reached
        found[reached] = found.max() + 1
    return found


def semantic_entropy(clusters: Ints, log_probs: Floats | None = None) -> float:
    """Entropy over meanings in nats, in [0, log s]; higher = more unsure.

    Args:
        clusters: (s,) see `meanings`.
        log_probs: (s,) log-likelihood of each answer (by length: its mean a token). With them a meaning's
            weight is the sum of its answers' likelihoods: give each different answer once (Kuhn, Gal & Farquhar
            2023). Without them it is its share of the samples (the discrete form of Farquhar et al. 2024).

    >>> round(semantic_entropy(np.array([0, 0, 1, 1])), 3)
    0.693
    """
    _count(clusters)
    _names, codes = np.unique(clusters, return_inverse=True)
    each = np.ones(len(codes)) if log_probs is None else np.exp(log_probs - np.max(log_probs))
    weight = np.bincount(codes, weights=each)
    share = weight / weight.sum()
    return max(0.0, float(-(share * np.log(np.where(share > 0, share, 1))).sum()))


def answer_log_probs(token_log_probs: Floats, lengths: Ints) -> Floats:
    """(s,) mean log-probability a token, in nats, at most 0; NaN for an answer without a token.

    token_log_probs: (s, t), what lies behind an answer's length is not looked at. lengths: (s,). O(s t).
    """
    inside = np.arange(token_log_probs.shape[1]) < np.asarray(lengths)[:, None]
    totals = np.where(inside, token_log_probs, 0.0).sum(axis=1)
    return np.divide(totals, lengths, out=np.full(len(totals), np.nan), where=np.asarray(lengths) > 0)


@dataclass(frozen=True, kw_only=True)
class Unsureness:
    """What s answers to one prompt say.

    Attributes:
        samples: s. unique_share: see there. semantic_entropy: by shares of samples. consistency: share of
        the commonest
            meaning. mean_log_prob: mean over answers of the mean log-probability a token. var_log_prob: its
            variance over answers (0 for one answer).
    """

    samples: int
    unique_share: float
    semantic_entropy: float
    consistency: float
    mean_log_prob: float
    var_log_prob: float


def measure(answers: Sequence[str], clusters: Ints, log_probs: Floats) -> Unsureness:
    """All figures of one prompt. answers, clusters, log_probs: (s,) each; answers without a token have NaN
    there.
    """
    if not len(answers) == len(clusters) == len(log_probs):
        raise ValueError(
            f"found {len(answers)} answers, {len(clusters)} clusters and {len(log_probs)} log-probabilities, "
            "expected as many of each"
        )
    known = np.asarray(log_probs)[~np.isnan(log_probs)]
    return Unsureness(
        samples=_count(answers),
        unique_share=unique_share(answers),
        semantic_entropy=semantic_entropy(clusters),
        consistency=self_consistency(clusters),
        mean_log_prob=float(known.mean()) if len(known) else float("nan"),
        var_log_prob=float(known.var()) if len(known) else float("nan"),
    )


def sweep(by_temperature: Mapping[float, Unsureness]) -> dict[str, list[float]]:
    """Columns of a temperature sweep, temperatures ascending, with `temperature` first.

    A prompt whose semantic entropy is high at a low temperature already is unsure; one whose entropy rises
    only when the model is heated has a clear favourite.
    """
    order = sorted(by_temperature)
    rows = [asdict(by_temperature[one]) for one in order]
    names = list(rows[0]) if rows else []
    return {"temperature": list(order), **{name: [float(row[name]) for row in rows] for name in names}}


def heat_to_doubt(by_temperature: Mapping[float, Unsureness], *, consistency: float = 0.5) -> float:
    """The lowest temperature at which the commonest meaning has at most this share; inf if none. Lower =
    less sure.
    """
    doubted = [one for one, found in by_temperature.items() if found.consistency <= consistency]
    return min(doubted, default=float("inf"))


def _count(given: Any) -> int:
    if not len(given):
        raise ValueError("found no answer, expected at least one: sample some first")
    return len(given)
