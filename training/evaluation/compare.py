"""Is the new model better than the deployed one? A paired bootstrap, and the rule that decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from annotation.quality.intervals import CONFIDENCE, percentile_interval

RESAMPLES = 10_000
MINIMUM_ITEMS = 50  # below this an interval is too wide to say anything; the rule deploys, unproven


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Accuracy of the new model minus that of the deployed one, -1 to 1, with its 95 % interval; `n` items."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What becomes of the new model. `proven`: enough evaluation items were there to say so."""

    action: Literal["deploy", "keep"]
    proven: bool
    reason: str


def paired_bootstrap(
    correct_new: npt.ArrayLike,
    correct_deployed: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Difference:
    """Difference of accuracy on the same items, with its percentile bootstrap interval.

    Item i adds d_i = new_i - deployed_i in {-1, 0, 1}. A resample of n items is fully described by how many
    of each it holds, and those counts are multinomial: three numbers are drawn instead of n indices. The
    distribution is the same as that of resampling items (Efron 1979), at O(n + resamples) instead of
    O(n * resamples).

    Args:
        correct_new, correct_deployed: (n,) truth values, aligned.

    Returns:
        `low == high == value` if the models are right and wrong on the same items.

    Raises:
        ValueError: unequal lengths, or no items.
    """
    new, deployed = np.asarray(correct_new, dtype=bool), np.asarray(correct_deployed, dtype=bool)
    if new.shape != deployed.shape or new.ndim != 1 or not len(new):
        raise ValueError(
            f"found {new.shape} and {deployed.shape} answers, expected the same items, one or more"
        )
    n = len(new)
    gained, lost = int((new & ~deployed).sum()), int((deployed & ~new).sum())
    counts = rng.multinomial(n, [gained / n, lost / n, (n - gained - lost) / n], size=resamples)
    low, high = percentile_interval((counts[:, 0] - counts[:, 1]) / n, confidence)
    return Difference(value=(gained - lost) / n, low=low, high=high, n=n)


Why = Literal["better", "cheaper", "few"]


def choose(
    difference: Difference | None, costs: tuple[float, float], minimum_n: int = MINIMUM_ITEMS
) -> tuple[int, Why]:
    """Which of two models to put forward, 0 or 1, and why: the clearly better one, else the cheaper one, else
    the first.

    Args:
        difference: of the first to the second, above 0 where the first is better; None if it is not defined.
        costs: of their training, in one unit.
        minimum_n: with fewer test items no interval is believed.

    >>> choose(Difference(value=0.02, low=-0.01, high=0.05, n=100), (30.0, 10.0))
    (1, 'cheaper')
    """
    cheaper = 0 if costs[0] <= costs[1] else 1
    if difference is None or difference.n < minimum_n:
        return cheaper, "few"
    if difference.low > 0:
        return 0, "better"
    if difference.high < 0:
        return 1, "better"
    return cheaper, "cheaper"


# Words for the figures that models are compared by; shares are told in points, others as they are.
MEASURES = {
    "accuracy": "accuracy",
    "micro_f1": "micro-F1",
    "f1": "F1 of spans",
    "kappa": "weighted kappa",
    "log likelihood": "log likelihood",
}


def decide(
    difference: Difference | None,
    n: int,
    minimum_n: int = MINIMUM_ITEMS,
    *,
    measure: str = "accuracy",
    against: str = "the deployed model",
) -> Verdict:
    """Deploy unless the interval of the difference lies wholly below zero.

    Args:
        difference: above 0 where the new model is better; None if there is nothing to compare with.
        n: evaluation items there were.
        minimum_n: with fewer the model is deployed and marked unproven, whatever the difference.
        measure: what differs, of `MEASURES`; "log likelihood" is in nats a character.
        against: what it was compared with.
    """
    if n < minimum_n:
        return Verdict(
            action="deploy",
            proven=False,
            reason=f"Deployed unproven: {n} labelled test items, {minimum_n} are needed for a judgement.",
        )
    if difference is None:
        return Verdict(
            action="deploy",
            proven=True,
            reason=f"Deployed: judged on {n} test items; there is no deployed model to compare with.",
        )
    show = {"kappa": _plain, "log likelihood": _nats}.get(measure, _points)
    seen = (
        f"{MEASURES[measure]} {show(difference.value)} against {against} "
        f"(95 % interval {show(difference.low)} to {show(difference.high)}, {difference.n} test items)"
    )
    if difference.high < 0:
        return Verdict(action="keep", proven=True, reason=f"Kept {against}: {seen}, clearly worse.")
    if difference.low > 0:
        return Verdict(action="deploy", proven=True, reason=f"Deployed: {seen}, clearly better.")
    return Verdict(action="deploy", proven=True, reason=f"Deployed: {seen}, not clearly worse.")


def _nats(value: float) -> str:
    """A difference of log likelihoods: +0.012 nats a character."""
    return f"{value:+.4f} nats a character"


def _plain(value: float) -> str:
    """A difference of kappas: +0.012."""
    return f"{value:+.3f}"


def _points(share: float) -> str:
    """A difference of shares in percentage points: +1.2 points."""
    return f"{100 * share:+.1f} points"
