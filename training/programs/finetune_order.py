"""In which order a fine-tune meets its items."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from jobs import program
from training.distributed import communicate
from training.learning import difficulty
from training.learning.encoder import Encoder
from training.learning.text_model import Tokens
from training.objectives.frozen import Examples
from training.programs.finetune_spec import FinetuneSpec
from training.programs.ordering import Order, shared


def order_of(
    spec: FinetuneSpec, train: Examples, targets: Any, tokens: Tokens, device: torch.device
) -> Order:
    """Measures the difficulty where the spec has a curriculum; rank 0 does, and tells the others.

    Args:
        tokens: of the training items, in the tokenizer's numbers.
    """
    lengths = [len(row) for row in tokens]
    if spec.curriculum == "none":
        return Order(spec, lengths)

    def vectors() -> Any:
        program.progress(0, 1, f"reading {len(train)} texts for their difficulty")
        return Encoder.load(spec.base_model).encode(train.texts)

    def states() -> Any:
        program.progress(0, 1, f"reading the words of {len(train)} texts for their difficulty")
        return Encoder.load(spec.base_model).states(tokens)

    values, source = np.zeros(len(train)), ""
    if communicate.rank() == 0:
        path = Path(spec.data) / "train.parquet"
        values, source = difficulty.measured(
            path, train, targets, lengths, spec.task, vectors, states, spec.seed
        )
        program.log(f"curriculum {spec.curriculum}: difficulty by {source}")
    return Order(spec, lengths, shared(values, device), source)
