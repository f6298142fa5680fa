"""What the untouched base thinks of the replies that a tune learns from, and in which order they come by it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from jobs import program
from training.distributed import communicate
from training.learning import difficulty, reply_scores
from training.learning.curriculum import Floats
from training.learning.dialogues import Tokenised
from training.programs import specs
from training.programs.ordering import Order, shared
from training.programs.tune_spec import TuneSpec

FILE = "reference.npy"


class Reference:
    """Log likelihoods of all training replies under the base, one example's after the other's. They lie in the
    run's work folder: a later attempt reads what an earlier one worked out.

    Attributes:
        seconds: that it took.
    """

    def __init__(self, spec: TuneSpec, examples: Sequence[Tokenised], pad: int, device: torch.device) -> None:
        self.path = Path(spec.work) / FILE
        self.replies = [reply for example in examples for reply in example.replies]
        self.pad, self.device = pad, device
        self.seconds = 0.0
        self._sums: Floats | None = None

    def sums(self, base: Callable[[], Any]) -> Floats:
        """(replies,) nats; every rank must call it.

        Args:
            base: gives the untouched model, laid out over the ranks; called where they are not known yet.
        """
        if self._sums is not None:
            return self._sums
        begun = time.monotonic()
        wanted = len(self.replies)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        found = np.load(self.path) if self.path.is_file() else np.empty(0)
        lacking = np.array([len(found) != wanted], dtype=np.float32)
        if communicate.summed(lacking, self.device)[0]:  # all work it out, or none
            tell = specs.Progress(0, wanted, "asking the base about reply")
            found = reply_scores.likelihoods(base(), self.replies, self.pad, on_progress=tell).sums
            if communicate.rank() == 0:
                part = self.path.with_name(f".{FILE}-{communicate.attempt()}.npy")
                np.save(part, found)
                os.replace(part, self.path)
        self._sums = found
        self.seconds += time.monotonic() - begun
        return found

    def clear(self) -> None:
        """The result is whole."""
        self.path.unlink(missing_ok=True)


def order_of(
    spec: TuneSpec, examples: Sequence[Tokenised], reference: Reference, base: Callable[[], Any]
) -> Order:
    """Measures the difficulty where the spec has a curriculum, unless the dataset has it; every rank calls it.

    Args:
        base: see `Reference.sums`.

    Raises:
        ValueError: the dataset's column lacks numbers.
    """
    lengths, weights = [one.length for one in examples], [one.weight for one in examples]
    least, most = min(weights), max(weights)
    if communicate.rank() == 0 and least < most:
        program.log(f"examples are drawn in proportion to their weights, {least:g} to {most:g}")
    if spec.curriculum == "none":
        return Order(spec, lengths, weights=weights)
    rows = np.array([one.row for one in examples], dtype=np.int64)
    values = difficulty.from_column(Path(spec.data) / "train.parquet", rows)
    source: difficulty.Source = "column"
    if values is None:
        values, source = difficulty.of_replies(examples, reference.sums(base))
    if communicate.rank() == 0:
        program.log(f"curriculum {spec.curriculum}: difficulty by {source}")
    return Order(spec, lengths, shared(values, reference.device), source, weights)
