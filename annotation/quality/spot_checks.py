"""Spot checks: which submitted labels a reviewer sees, and how right the checked ones were."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable
from typing import NamedTuple

from annotation.quality.intervals import CONFIDENCE, Estimate, wilson


def is_drawn(key: str, share: float, salt: str = "") -> bool:
    """Whether the label with this key (its UUID) is among the `share` that is checked: by hash, so nobody
    can tell beforehand without the salt, and asking again gives the same answer. A larger share only adds.

    ValueError unless 0 <= share <= 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"a share of {share} is not possible: give a share from 0 to 1")
    digest = hashlib.blake2b(f"{salt}\0{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < share * 2.0**64


class Accuracy(NamedTuple):
    """How right one person's, or one source's, checked labels were: share with Wilson's interval."""

    key: Hashable
    checked: int
    wrong: int
    accuracy: Estimate


def accuracy_table(checks: Iterable[tuple[Hashable, bool]], confidence: float = CONFIDENCE) -> list[Accuracy]:
    """Accuracy by key from (key, was it right): a row a person, a model's pre-labels or a label, by order
    of appearance.

    Every key's checks must be a random sample of its labels (`is_drawn`): then the share is that of all of
    them.
    """
    right: dict[Hashable, int] = defaultdict(int)
    checked: dict[Hashable, int] = defaultdict(int)
    for key, correct in checks:
        checked[key] += 1
        right[key] += bool(correct)
    return [
        Accuracy(key, count, count - right[key], wilson(right[key], count, confidence))
        for key, count in checked.items()
    ]


def overall_accuracy(checks: Iterable[tuple[Hashable, bool]], confidence: float = CONFIDENCE) -> Estimate:
    """Accuracy over all checks together; NaN with the interval [0, 1] when nothing was checked."""
    outcomes = [bool(correct) for _, correct in checks]
    return wilson(sum(outcomes), len(outcomes), confidence)
