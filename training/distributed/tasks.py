"""What is learnt, as an engine needs it: a model's outputs for a batch, and the sum of their losses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Batch = dict[str, Tensor]  # every tensor has an item a row
IGNORED = -100  # a target that is not learnt


@dataclass(frozen=True)
class Task:
    """Plain functions of one way of learning.

    Attributes:
        outputs: (model, batch) -> what the model says.
        loss: (outputs, targets) -> the sum (not the mean) of the losses: parts of a batch can be added up.
        count: batch -> (b,) how many losses each item has; the mean is taken over them all.
    """

    outputs: Callable[[nn.Module, Batch], Tensor]
    loss: Callable[[Tensor, Tensor], Tensor]
    count: Callable[[Batch], Tensor]


def next_token_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Sum of the cross entropies of each next token. logits: (b, s, v); targets: (b, s), those below 0 are
    left out. With padding on the right, causal attention needs no mask.
    """
    shifted = F.pad(targets[:, 1:], (0, 1), value=IGNORED)
    return F.cross_entropy(logits.flatten(0, 1), shifted.flatten(), ignore_index=IGNORED, reduction="sum")


CAUSAL = Task(
    outputs=lambda model, batch: model(input_ids=batch["ids"], use_cache=False).logits,
    loss=next_token_loss,
    count=lambda batch: (batch["targets"][:, 1:] != IGNORED).sum(dim=1),
)
CLASSIFY = Task(
    outputs=lambda model, batch: model(input_ids=batch["ids"], attention_mask=batch["mask"]).logits,
    loss=lambda logits, targets: F.cross_entropy(logits, targets, reduction="sum"),
    count=lambda batch: torch.ones(len(batch["targets"]), dtype=torch.int64),
)
