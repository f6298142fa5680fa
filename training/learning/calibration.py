"""Honest confidence: temperature scaling, expected calibration error, reliability bins.

k  labels        n  items        b  bins
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax, softmax

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]

COLDEST, HOTTEST = 0.05, 20.0
LEAST_ITEMS = 20  # fewer validation items than this say too little: the temperature stays 1
BINS = 15


def fit_temperature(logits: Floats, labels: Ints, *, least_items: int = LEAST_ITEMS) -> float:
    """The temperature T in [0.05, 20] with the least negative log likelihood of `softmax(logits / T)`.

    In b = 1/T the negative log likelihood is convex, so the zero of its slope is found by bracketing and is
    the exact minimum. The one-hot targets are smoothed as in Platt (1999): the true label gets (n + 1) / (n +
    2), the others share the rest. Without it, validation items that are all predicted right would drive T to
    0 and every probability to 1, and margins would tie.

    Args:
        logits: (n, k), any scale; rows may be shifted by a constant.
        labels: (n,) columns of `logits`.
        least_items: with fewer items the answer is 1.0.

    Returns:
        T; above 1 the model was too sure. 1.0 also for k < 2, and where all logits of every row are equal.

    Raises:
        ValueError: shapes that do not match, a label outside 0..k-1, or logits that are not finite.

    Cost O(n k) a step, about 40 steps. Guo et al. 2017, "On Calibration of Modern Neural Networks", section
    4.2; Platt 1999, "Probabilistic Outputs for Support Vector Machines", section 2.2.

    >>> sure = np.array([[4.0, 0.0]] * 30)
    >>> fit_temperature(sure, np.array([0] * 20 + [1] * 10)) > 4
    True
    """
    logits, labels = _checked(logits, labels)
    n, k = logits.shape
    if n < least_items or k < 2 or not np.ptp(logits, axis=1).any():
        return 1.0
    targets = np.full((n, k), 1.0 / ((n + 2) * (k - 1)))
    targets[np.arange(n), labels] = (n + 1) / (n + 2)
    wanted = float((targets * logits).sum())

    def slope(b: float) -> float:
        """Derivative of the summed negative log likelihood by b = 1/T; rises with b."""
        return float((softmax(b * logits, axis=1) * logits).sum()) - wanted

    low, high = 1.0 / HOTTEST, 1.0 / COLDEST
    if slope(low) >= 0:
        return HOTTEST
    if slope(high) <= 0:
        return COLDEST
    from scipy.optimize import brentq  # a third of a second to import, and predicting does without

    return 1.0 / float(brentq(slope, low, high, xtol=1e-12, rtol=1e-12))


def fit_by(loss: Callable[[float], float], n: int, *, least_items: int = LEAST_ITEMS) -> float:
    """The temperature in [0.05, 20] with the least `loss(temperature)`, which must fall to one minimum and rise
    again in it; 1.0 with fewer than `least_items` of the n items. To 0.1 %, in about 20 calls.

    For models whose probabilities are no softmax over all labels; see `fit_temperature` for those that are.
    """
    if n < least_items:
        return 1.0
    from scipy.optimize import minimize_scalar

    bounds = (math.log(COLDEST), math.log(HOTTEST))
    found = minimize_scalar(
        lambda log: loss(math.exp(log)), bounds=bounds, method="bounded", options={"xatol": 1e-3}
    )
    return math.exp(float(found.x))


def smoothed_loss(logs: Floats, labels: Ints) -> float:
    """Mean negative log likelihood of (n, k) log probabilities, with targets smoothed as in `fit_temperature`,
    so that items that are all met right do not call for certainty. O(n k)."""
    n, k = logs.shape
    other = 1.0 / ((n + 2) * max(1, k - 1))
    at = np.maximum(logs, -700.0)
    right = at[np.arange(n), labels]
    return float(-((n + 1) / (n + 2) * right + other * (at.sum(axis=1) - right)).mean())


def calibrated(logits: Floats, temperature: float) -> npt.NDArray[np.float32]:
    """(n, k) float32 rows that sum to 1: softmax of `logits` (n, k) divided by the temperature. O(n k)."""
    if not temperature > 0:
        raise ValueError(f"found a temperature of {temperature}, expected a number above 0")
    return softmax(np.asarray(logits, dtype=np.float64) / temperature, axis=1).astype(np.float32)


def negative_log_likelihood(logits: Floats, labels: Ints, temperature: float = 1.0) -> float:
    """Mean of -log softmax(logits / T)[label], natural log, over n items; NaN for none. O(n k)."""
    logits, labels = _checked(logits, labels)
    if not len(labels):
        return math.nan
    return float(-log_softmax(logits / temperature, axis=1)[np.arange(len(labels)), labels].mean())


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """b bins of equal width over confidence 0..1, in order; `confidence` and `accuracy` are NaN in an empty
    bin.

    `edges` has b + 1 entries. The first bin holds [0, 1/b], every other one (low, high].
    """

    edges: Floats
    counts: Ints
    confidence: Floats
    accuracy: Floats


def bin_of(confidence: Floats, bins: int = BINS) -> Ints:
    """(n,) bin of each confidence: equal widths, the upper edge belongs to the bin; 0 goes to the first.
    O(n).

    >>> bin_of(np.array([0.0, 0.5, 0.51, 1.0]), bins=2)
    array([0, 0, 1, 1])
    """
    # An edge like 1/15 is not exact in binary; searching the same edges that are shown keeps both in step.
    inner = np.linspace(0.0, 1.0, bins + 1)[1:-1]
    return np.searchsorted(inner, np.asarray(confidence, dtype=np.float64), side="left").astype(np.int64)


def reliability(confidence: Floats, correct: npt.ArrayLike, bins: int = BINS) -> Reliability:
    """How often answers of each confidence were right.

    Args:
        confidence: (n,) in [0, 1], the probability of the predicted label.
        correct: (n,) truth values.

    Raises:
        ValueError: a confidence outside [0, 1] or NaN, unequal lengths, fewer than one bin.
    """
    confidence, right = _checked_confidence(confidence, correct, bins)
    at = bin_of(confidence, bins)
    counts = np.bincount(at, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(at, weights=confidence, minlength=bins) / counts
        share = np.bincount(at, weights=right, minlength=bins) / counts
    return Reliability(
        edges=np.linspace(0.0, 1.0, bins + 1), counts=counts.astype(np.int64), confidence=mean, accuracy=share
    )


def ece(probs: Floats, labels: Ints, bins: int = BINS) -> float:
    """Expected calibration error in [0, 1], lower is better: sum over bins of (n_bin / n) |accuracy -
    confidence|.

    The predicted label is the argmax, the first one among equals. NaN for no items. O(n k).
    Naeini et al. 2015; Guo et al. 2017, equation 3.

    Args:
        probs: (n, k) rows of probabilities.
        labels: (n,) true columns; -1 (a label that the model does not know) counts as wrong.
    """
    probs = np.asarray(probs, dtype=np.float64)
    if not len(probs):
        return math.nan
    return error_of(reliability(probs.max(axis=1), probs.argmax(axis=1) == labels, bins))


def error_of(bins: Reliability) -> float:
    """The expected calibration error that a table of bins shows; NaN if all are empty."""
    held = bins.counts > 0
    if not held.any():
        return math.nan
    gaps = np.abs(bins.accuracy[held] - bins.confidence[held])
    return float((bins.counts[held] * gaps).sum() / bins.counts.sum())


def _checked(logits: Floats, labels: Ints) -> tuple[npt.NDArray[np.float64], Ints]:
    numbers: npt.NDArray[np.float64] = np.asarray(logits, dtype=np.float64)
    labels = np.asarray(labels)
    if numbers.ndim != 2 or labels.shape != (len(numbers),):
        raise ValueError(f"found logits {numbers.shape} and labels {labels.shape}, expected (n, k) and (n,)")
    if not np.isfinite(numbers).all():
        raise ValueError("found logits that are not finite, expected numbers: the model has diverged")
    if len(labels) and (labels.min() < 0 or labels.max() >= numbers.shape[1]):
        raise ValueError(f"found a label outside 0..{numbers.shape[1] - 1}")
    return numbers, labels.astype(np.int64)


def _checked_confidence(
    confidence: Floats, correct: npt.ArrayLike, bins: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    confidence = np.asarray(confidence, dtype=np.float64)
    right = np.asarray(correct, dtype=np.float64)
    if bins < 1:
        raise ValueError(f"found {bins} bins, expected 1 or more")
    if confidence.shape != right.shape or confidence.ndim != 1:
        raise ValueError(
            f"found {confidence.shape} confidences and {right.shape} answers, expected (n,) of both"
        )
    # A float32 softmax may sum to a hair above 1.
    if len(confidence) and not (confidence.min() >= 0 and confidence.max() <= 1 + 1e-5):
        raise ValueError("found a confidence outside 0..1: give probabilities, not logits")
    return np.minimum(confidence, 1.0), right
