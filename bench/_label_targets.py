"""Labels to a share of full-data accuracy: what the same probe reaches once it has learnt the whole pool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from bench._report import Figure
from selection.evidence import learning_curve

SHARES = (0.90, 0.95)

Curves = npt.NDArray[np.float64]  # (seeds, batches) accuracy


def labels_needed(full: float, labels: list[int], curves: Curves) -> list[int | None]:
    """For each share the first label count at which the mean curve over seeds has it; None: never.

    >>> labels_needed(0.8, [25, 50], np.array([[0.7, 0.74], [0.7, 0.76]]))
    [50, None]
    """
    mean = curves.mean(axis=0)
    return [learning_curve.labels_to(labels, mean, share * full) for share in SHARES]


def show_reached(
    name: str, full: float, labels: list[int], curves: Mapping[str, Curves], skipped: Mapping[str, str]
) -> None:
    """The table of one set, for people."""
    aims = ", ".join(f"{share:.0%} of it {share * full:.4f}" for share in SHARES)
    print(f"{name}: full-data accuracy {full:.4f}; {aims}")
    print(f"{'labels to reach':32} {'seeds':>5} " + " ".join(f"{share:>6.0%}" for share in SHARES))
    for strategy, found in curves.items():
        needed = (f"{count or '–':>6}" for count in labels_needed(full, labels, found))
        print(f"{strategy:32} {len(found):5} {' '.join(needed)}")
    for strategy, why in skipped.items():
        print(f"{strategy:32} skipped: {why}")
    print(flush=True)


def reached(
    name: str, full: float, labels: list[int], curves: Mapping[str, Curves], skipped: Mapping[str, str]
) -> Iterator[Figure]:
    """A figure of each strategy and share; null is never, within the labels that were given."""
    for strategy, found in curves.items():
        for share, needed in zip(SHARES, labels_needed(full, labels, found), strict=True):
            against = f"full data {full:.4f}; of {labels[-1]} labels, {len(found)} seeds"
            yield Figure(_figure(share, name, strategy), needed, "labels", against)
    for strategy, why in skipped.items():
        for share in SHARES:
            yield Figure(_figure(share, name, strategy), skipped=why)


def _figure(share: float, name: str, strategy: str) -> str:
    return f"label_efficiency.labels_to_{100 * share:.0f}.{name}.{strategy}"
