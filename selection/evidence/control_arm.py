"""What picking has gained on a project's own labels: the control arm against the picks.

A tenth of every batch is drawn at random. Probes trained on equally many control and picked labels, judged on
the same test items, say what the strategy is worth here; no second labelling campaign is needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from annotation.quality.intervals import CONFIDENCE, Estimate
from training.learning import probe

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]

LEAST_LABELS = 10  # of each arm: probes on fewer say nothing
REPEATS = 30


class NothingToCompare(ValueError):
    """One of the arms, or the test set, is too small."""

    code = "nothing_to_compare"


@dataclass(frozen=True)
class Gain:
    """What the picks are worth beside the control arm.

    Attributes:
        labels: how many labels each probe had.
        control, picked: mean accuracy of the two arms' probes, in [0, 1].
        difference: picked minus control, with its interval.
    """

    labels: int
    control: float
    picked: float
    difference: Estimate


def control_arm_gain(
    embeddings: Floats,
    labels: Ints,
    is_control: npt.NDArray[np.bool_],
    test_embeddings: Floats,
    test_labels: Ints,
    k: int,
    *,
    c: float = 10.0,
    repeats: int = REPEATS,
    confidence: float = CONFIDENCE,
    seed: int = 0,
) -> Gain:
    """Compare probes of the two arms.

    Args:
        embeddings: (m, d) of the labelled items of both arms, without a cold start's. labels: (m,), 0..k-1.
        is_control: (m,) True for the control arm.
        test_embeddings: (t, d). test_labels: (t,).
        repeats: how often the labels are drawn anew, at least 2.

    From the larger arm as many labels are drawn as the smaller one has, `repeats` times; the accuracies are
    means over these draws. The spread comes from as many draws with replacement, of both arms' labels and of
    the test items, so it holds the chance of who was labelled and the chance of what was tested (Efron 1979);
    the interval is normal about the difference.

    Cost: 4 * repeats fits.

    Raises:
        NothingToCompare: fewer than 10 labels in an arm, fewer than two different labels in one, or no test
        items.
    """
    arms = [np.flatnonzero(is_control), np.flatnonzero(~is_control)]
    _check(arms, labels, test_labels)
    size = min(len(arm) for arm in arms)
    rng = np.random.default_rng(seed)
    everything = np.arange(len(test_labels))
    plain, drawn = [], []
    for _ in range(repeats):
        chosen = [rng.choice(arm, size=size, replace=False) for arm in arms]
        plain.append(
            [_right(embeddings, labels, at, test_embeddings, test_labels, k, c).mean() for at in chosen]
        )
        again = [rng.choice(arm, size=size, replace=True) for arm in arms]
        items = rng.choice(everything, size=len(everything), replace=True)
        drawn.append(
            [_right(embeddings, labels, at, test_embeddings, test_labels, k, c)[items].mean() for at in again]
        )
    control, picked = np.mean(plain, axis=0)
    spread = float(np.diff(drawn, axis=1).std(ddof=1))
    half = NormalDist().inv_cdf(0.5 + confidence / 2) * spread
    value = float(picked - control)
    difference = Estimate(value, value - half, value + half, len(test_labels))
    return Gain(labels=size, control=float(control), picked=float(picked), difference=difference)


def _check(arms: list[Ints], labels: Ints, test_labels: Ints) -> None:
    for arm, name in zip(arms, ("control", "picked"), strict=True):
        if len(arm) < LEAST_LABELS:
            raise NothingToCompare(
                f"found {len(arm)} {name} labels, expected at least {LEAST_LABELS}: label more batches first"
            )
        if len(np.unique(labels[arm])) < 2:
            raise NothingToCompare(
                f"all {name} labels are alike, expected two different ones: label more first"
            )
    if not len(test_labels):
        raise NothingToCompare("no test item is labelled, expected one at least: label test items first")


def _right(
    embeddings: Floats, labels: Ints, at: Ints, test_embeddings: Floats, test_labels: Ints, k: int, c: float
) -> npt.NDArray[np.bool_]:
    """(t,) which test items the probe of the labels `at` gets right; a draw of one label only gives that
    label.
    """
    if len(np.unique(labels[at])) < 2:
        return test_labels == labels[at][0]
    head = probe.fit(embeddings[at], labels[at], k, c=c, seed=0)
    return head.probabilities(test_embeddings).argmax(axis=1) == test_labels


def is_ahead(gain: Gain) -> bool:
    """The picks are worth more than random ones beyond the noise."""
    return not math.isnan(gain.difference.low) and gain.difference.low > 0
