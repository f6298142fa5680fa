"""A pull towards the weights that a fine-tune began with, in place of one towards zero (L2-SP).

Li, Grandvalet and Davoine 2018, "Explicit Inductive Bias for Transfer Learning with Convolutional Networks".
Applied beside the gradient, as AdamW does with its decay: after each step w becomes
w - rate * strength * (w - w0), so that the strength means the same for weights with large and small gradients.
Runs that stay near one base have weights that can be averaged later, and signs that agree.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.distributed.tensor import DTensor
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from training.distributed import communicate
from training.distributed.norms import pieces
from training.distributed.spread import local


class TowardsBase(TrainerCallback):
    """Made while the module still has the weights to stay near; keeps a copy of them.

    Args:
        module: whose parameters are pulled; those that the optimiser does not train stay as they are anyway.
        strength: 0 or more; with a learning rate of 0.0001, 100 takes back a hundredth of the way at each step.
    """

    def __init__(self, module: torch.nn.Module, strength: float) -> None:
        self.strength = strength
        self.parameters: list[torch.Tensor] = [one for one in module.parameters() if one.requires_grad]
        self.base = [local(one).detach().clone() for one in self.parameters]

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        rate = kwargs["optimizer"].param_groups[0]["lr"]
        with torch.no_grad():
            now = [local(one) for one in self.parameters]
            torch._foreach_lerp_(now, self.base, min(1.0, rate * self.strength))

    @torch.no_grad()
    def distance(self) -> float:
        """How far the weights are from the base: |w - w0| / |w0|. Where ranks divide weights, every rank must
        call it."""
        moved = size = 0.0
        parts = [0.0, 0.0]
        for value, base in zip(self.parameters, self.base, strict=True):
            found = [float((local(value) - base).square().sum()), float(base.square().sum())]
            if isinstance(value, DTensor):  # of a part, and each part as often as it lies about
                copies = value.device_mesh.size() / pieces(value)
                parts = [total + one / copies for total, one in zip(parts, found, strict=True)]
            else:
                moved, size = moved + found[0], size + found[1]
        if any(isinstance(value, DTensor) for value in self.parameters):
            shared = communicate.summed(np.asarray(parts, dtype=np.float32), self.parameters[0].device)
            moved, size = moved + float(shared[0]), size + float(shared[1])
        return float((moved / max(size, 1e-30)) ** 0.5)
