"""How unsure a model is whose answers are no single label, by each of `uncertainty.MEASURES`: one column of the
pool.

What each measure becomes:
    several labels  margin and entropy: their binary forms, mean over labels; least confidence and ratio: of the
                    likeliest set of labels, as if labels were independent
    ratings         margin: the variance over the scale; entropy: that of lying above each step; the others as of
                    single labels; mean over dimensions
    words           margin and ratio: of the least sure word; entropy: mean over words; least confidence: MNLP
"""

from __future__ import annotations

import numpy as np

from selection.strategies import uncertainty
from selection.strategies import uncertainty_forms as forms
from selection.strategies.pool import Floats, Indices

TEXTS = 10_000  # items whose words are looked at together


def of_labels(probs: Floats) -> Floats:
    """(n, 4) of (n, k) chances that each label applies. O(n k)."""
    p = np.asarray(probs, dtype=np.float64)
    likely, unlikely = np.maximum(p, 1 - p), np.minimum(p, 1 - p)
    return _columns(
        margin=forms.multilabel_margin(p),
        least_confidence=1 - likely.prod(axis=1),
        entropy=forms.multilabel_entropy(p),
        ratio=(unlikely / likely).max(axis=1),  # the second likeliest set differs in one label
    )


def of_ratings(probs: Floats, points: int) -> Floats:
    """(n, 4) of (n, d p) chances, p `points` for each of d dimensions. O(n d p)."""
    p = np.asarray(probs, dtype=np.float64)
    steps = np.arange(points, dtype=np.float64)
    parts = [p[:, at : at + points] for at in range(0, p.shape[1], points)]
    parts = [part / part.sum(axis=1, keepdims=True) for part in parts]
    return _columns(
        margin=np.mean([forms.rating_variance(part, steps) for part in parts], axis=0),
        least_confidence=np.mean([uncertainty.least_confidence(part) for part in parts], axis=0),
        entropy=np.mean([forms.rating_entropy(part) for part in parts], axis=0),
        ratio=np.mean([uncertainty.ratio(part) for part in parts], axis=0),
    )


def of_words(probs: Floats, starts: Indices) -> Floats:
    """(n, 4) of (t, k) chances of the tags of all words of all items; `starts` (n + 1,) as in `forms`. An item
    without words is sure. O(t k)."""
    n = len(starts) - 1
    out = np.zeros((n, len(uncertainty.MEASURES)))
    for at in range(0, n, TEXTS):
        own = starts[at : min(at + TEXTS, n) + 1]
        tags = np.asarray(probs[own[0] : own[-1]], dtype=np.float64)
        if not len(tags):
            continue
        tags /= tags.sum(axis=1, keepdims=True)  # stored as float16
        local = own - own[0]
        out[at : at + len(own) - 1] = _columns(
            margin=forms.sequence_margin(tags, local),
            least_confidence=forms.sequence_least_confidence(tags, local),
            entropy=forms.sequence_entropy(tags, local),
            ratio=forms.by_item(uncertainty.ratio(tags), local, "max"),
        )
    return out


def _columns(**by_measure: Floats) -> Floats:
    """The measures side by side in the order of `MEASURES`, rounding outside [0, 1] taken back."""
    return np.clip(np.stack([by_measure[name] for name in uncertainty.MEASURES], axis=1), 0.0, 1.0)
