"""How far suggestions pull people along: agreement with them where they were shown and where hidden.

Which slots hide their suggestion is drawn at random, so the difference between the two is what showing it does.
Part of it is help (people overlook less) and part is anchoring (people stop looking); spot checks of accepted
suggestions tell the two apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from annotation.quality.intervals import CONFIDENCE, Estimate, newcombe, wilson


class Outcome(NamedTuple):
    """One answer to an item that has a suggestion. `agrees`: the answer is what was suggested."""

    shown: bool
    agrees: bool


@dataclass(frozen=True, kw_only=True)
class Anchoring:
    """Shares that agree with the suggestion, shown and hidden, each with Wilson's interval, and shown - hidden.

    `difference` is positive where people agree more with what they see, in [-1, 1]; NaN in [-1, 1] as long as
    one of the two has no answer.
    """

    key: Hashable
    shown: Estimate
    hidden: Estimate
    difference: Estimate

    @property
    def is_proven(self) -> bool:
        """Whether the interval of the difference leaves out zero."""
        return self.difference.low > 0 or self.difference.high < 0


def anchoring(outcomes: Iterable[Outcome], key: Hashable = None, confidence: float = CONFIDENCE) -> Anchoring:
    """Both shares and their difference over all outcomes. O(n)."""
    counts = {True: [0, 0], False: [0, 0]}
    for shown, agrees in outcomes:
        counts[shown][0] += bool(agrees)
        counts[shown][1] += 1
    (agree_shown, n_shown), (agree_hidden, n_hidden) = counts[True], counts[False]
    return Anchoring(
        key=key,
        shown=wilson(agree_shown, n_shown, confidence),
        hidden=wilson(agree_hidden, n_hidden, confidence),
        difference=newcombe(agree_shown, n_shown, agree_hidden, n_hidden, confidence),
    )


def by_key(outcomes: Iterable[tuple[Hashable, Outcome]], confidence: float = CONFIDENCE) -> list[Anchoring]:
    """Anchoring of each person, or each class: the most answers first, ties by order of appearance."""
    found: dict[Hashable, list[Outcome]] = defaultdict(list)
    for key, outcome in outcomes:
        found[key].append(outcome)
    rows = [anchoring(own, key, confidence) for key, own in found.items()]
    return sorted(rows, key=lambda row: -(row.shown.n + row.hidden.n))
