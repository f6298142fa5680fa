"""Figures of a language model on the validation examples, while it is tuned and at both ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.evaluation import language as figures
from training.learning import dialogues, reply_scores
from training.objectives.language import REWARD, SFT
from training.programs.tune_spec import TuneSpec

WATCHED_EXAMPLES = 200  # of the validation items, while it trains; all of them before and after


class Watched:
    """Figures on the validation examples. Those of the untouched model are worked out once, at the first call.

    Where ranks divide the weights, all of them must ask.
    """

    def __init__(self, spec: TuneSpec, pad: int, examples: Sequence[dialogues.Tokenised]) -> None:
        self.spec, self.pad, self.examples = spec, pad, examples
        self.reference: np.ndarray[Any, Any] | None = None

    def some(self, model: Any) -> dict[str, float]:
        found = self.all(model, WATCHED_EXAMPLES)
        return {name: found[name] for name in ("loss", "accuracy")}

    def all(self, model: Any, most: int | None = None) -> dict[str, Any]:
        """`most`: of the examples, the first so many; None: all."""
        spec, some = self.spec, self.examples[:most]
        if not some:
            return {"n": 0}
        rows = np.array([example.row for example in some], dtype=np.int64)
        replies = [reply for example in some for reply in example.replies]
        rng = np.random.default_rng([spec.seed, 21])
        if spec.objective == REWARD:
            scores = reply_scores.rewards(model, replies, self.pad).reshape(-1, 2)
            return figures.of_pairs(rows, scores[:, 0] - scores[:, 1], rng)
        found = reply_scores.likelihoods(model, replies, self.pad)
        if spec.objective == SFT:
            return figures.of_responses(rows, found.sums, found.tokens, found.right, rng)
        if self.reference is None:  # the first call comes before the first step
            replies = [reply for example in self.examples for reply in example.replies]
            base = reply_scores.likelihoods(model, replies, self.pad, base=True)
            self.reference = base.sums
        gain = spec.beta * (found.sums - self.reference[: len(found.sums)]).reshape(-1, 2)
        return figures.of_pairs(rows, gain[:, 0] - gain[:, 1], rng)
