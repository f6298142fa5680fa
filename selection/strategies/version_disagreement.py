"""Items on which a model disagrees with its earlier versions, or with itself when parts of it are dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from selection.strategies.disagreement import bald, consensus_kl, pairwise, variation_ratio, vote_entropy
from selection.strategies.pool import Floats, Picks, Pool, among, candidates
from selection.strategies.ranking import top

Measured = Literal["bald", "consensus_kl", "vote_entropy", "variation_ratio", "pairwise"]
Committee = Literal["versions", "dropout"]
VERSIONS, DROPOUT = "versions", "dropout"
MEASURES: dict[str, Callable[[Floats], Floats]] = {
    "bald": bald,
    "consensus_kl": consensus_kl,
    "vote_entropy": vote_entropy,
    "variation_ratio": variation_ratio,
    "pairwise": pairwise,
}


@dataclass(frozen=True, kw_only=True)
class VersionSettings:
    """Who disagrees and how that is measured.

    Attributes:
        committee: earlier versions of the model, or draws of the model itself with dropout left on (MC dropout).
            It says what the caller puts into `pool.versions`; the arithmetic is one.
        disagreement: "bald" and "consensus_kl" look at the probabilities, the others at the likeliest labels
            alone, in which many items tie.
    """

    committee: Committee = "versions"
    disagreement: Measured = "bald"

    def __post_init__(self) -> None:
        if self.disagreement not in MEASURES:
            raise ValueError(
                f"disagreement: found {self.disagreement!r}, expected one of {', '.join(MEASURES)}"
            )
        if self.committee not in (VERSIONS, DROPOUT):
            raise ValueError(f"committee: found {self.committee!r}, expected {VERSIONS} or {DROPOUT}")


def pick_version_disagreement(
    pool: Pool, count: int, *, settings: VersionSettings, rng: np.random.Generator
) -> Picks:
    """The items on which the model and its committee (pool.versions) disagree most.

    What every version finds equally unclear is not among them: more labels of the same kind have not changed
    their minds about it. Ties: the lower row. O(n v k + n log n). (McCallum & Nigam 1998, with versions of one
    model as the committee; Gal, Islam & Ghahramani 2017 with MC dropout.)
    """
    open_ = candidates(pool, count, {"probs", "versions"})
    assert pool.probs is not None and pool.versions is not None
    now, earlier = among(pool.probs, open_), among(pool.versions, open_)
    committee = np.concatenate([earlier, now[:, None]], axis=1)
    scores = MEASURES[settings.disagreement](committee)
    chosen = top(scores, count)
    return Picks(open_[chosen], {"uncertainty": scores[chosen], "score": scores[chosen]})
