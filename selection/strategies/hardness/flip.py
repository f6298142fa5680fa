"""A strategy: items whose prediction flips by the smallest push on their embedding."""

from __future__ import annotations

import numpy as np

from selection.strategies.pool import Floats, Picks, Pool, candidates
from selection.strategies.ranking import top
from selection.strategies.uncertainty import NoSettings

RIDGE = 1e-3
LEAST_PROBABILITY = 1e-6
MOST_FITTED = 20_000


def head_of(probs: Floats, embeddings: Floats, rng: np.random.Generator) -> Floats:
    """(k, d + 1) the linear head that a model's probabilities speak of, the intercepts last.

    log p_c - mean over c of log p is linear in the embedding where the model is a linear head (softmax takes
    away what all labels share); for another model it is the nearest linear one. Ridge regression on at most
    20,000 items.
    O(min(n, 20000) d (d + k)).
    """
    rows = np.arange(len(probs))
    if len(rows) > MOST_FITTED:
        rows = np.sort(rng.choice(len(rows), size=MOST_FITTED, replace=False))
    logs = np.log(np.maximum(np.asarray(probs[rows], dtype=np.float64), LEAST_PROBABILITY))
    logs -= logs.mean(axis=1, keepdims=True)
    x = np.asarray(embeddings[rows], dtype=np.float64)
    centre, level = x.mean(axis=0), logs.mean(axis=0)
    moved = x - centre
    gram = moved.T @ moved + RIDGE * np.eye(x.shape[1])
    weight = np.linalg.solve(gram, moved.T @ (logs - level)).T
    return np.concatenate([weight, (level - weight @ centre)[:, None]], axis=1)


def flip_distance(probs: Floats, weight: Floats) -> Floats:
    """(n,) smallest l2 push that flips the prediction, for small pushes: min over c of
    (log p_y - log p_c) / |w_y - w_c|, with the model's own log-odds. probs: (n, k), weight: (k, d + 1).

    For a linear head exactly `adversarial.linear_flip`. Labels that no direction tells apart never flip. O(n
    k + k^2 d).
    """
    logs = np.log(np.maximum(np.asarray(probs, dtype=np.float64), LEAST_PROBABILITY))
    label = probs.argmax(axis=1)
    sizes = np.array([np.linalg.norm(weight[:, :-1] - row[:-1], axis=1) for row in weight])[label]
    gaps = logs[np.arange(len(logs)), label][:, None] - logs
    ratio = np.divide(gaps, sizes, out=np.full_like(gaps, np.inf), where=sizes > 1e-12)
    ratio[np.arange(len(logs)), label] = np.inf
    return ratio.min(axis=1)


def pick_smallest_flip(pool: Pool, count: int, *, settings: NoSettings, rng: np.random.Generator) -> Picks:
    """The items nearest to a boundary in embedding space; ties by row.

    Unlike the margin it asks how far the item has to move, not how far the probabilities are apart: between
    labels that the head tells apart softly, a wide band has a small margin.

    h_i = 1 / (1 + r_i),  r_i = min over c of (log p_y - log p_c) / |w_y - w_c|  (`flip_distance`), w the head of
    `head_of`. (Moosavi-Dezfooli, Fawzi & Frossard 2016.) Deterministic. O(n k + k^2 d) beside the head,
    O(min(n, 20000) d (d + k)).

    Parts: hardness and score, h_i.
    """
    open_ = candidates(pool, count, {"probs", "embeddings"})
    assert pool.probs is not None and pool.embeddings is not None
    probs, embeddings = pool.probs[open_], pool.embeddings[open_]
    distance = flip_distance(probs, head_of(probs, embeddings, np.random.default_rng(0)))
    scores = 1.0 / (1.0 + distance)
    chosen = top(scores, count)
    return Picks(open_[chosen], {"hardness": scores[chosen], "score": scores[chosen]})
