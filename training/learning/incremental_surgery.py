"""PCGrad in an incremental run: what is new against what is learnt again.

The two kinds of items of a step are two tasks of one encoder and one head. Where their gradients point against
each other, each loses its part along the other before they are added (`gradient_surgery`): a step for the new
items then takes back less of what the model knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor

from training.distributed import communicate
from training.learning.gradient_surgery import Conflicts, Gradients, put

if TYPE_CHECKING:
    from training.learning.trainer import ExactTrainer

TASKS = ["new", "known"]


class Surgery:
    """Takes the place of a trainer's backward pass.

    Args:
        known: (n,) of the training items, whether the base model has learnt it. seed: of the orders of tasks.
    """

    def __init__(self, known: npt.NDArray[np.bool_], seed: int) -> None:
        self.known, self.seed = torch.from_numpy(known), seed
        self.conflicts = Conflicts(TASKS)

    def learn(self, trainer: ExactTrainer, pieces: Sequence[dict[str, Any]]) -> Tensor:
        """Put the gradient of one step into the weights' `grad`. Returns the step's loss on this rank.

        Ranks that hold copies: each task's gradient is its mean over all of them before it is looked at, so
        that all take the same step, whatever items each has. Costs a backward pass and a copy more a task.
        """
        model: Any = trainer.model
        model.train()
        parameters = [value for value in model.parameters() if value.requires_grad]
        found: list[Gradients] = [[None] * len(parameters) for _ in TASKS]
        total = torch.zeros((), device=trainer.args.device)
        for piece in pieces:
            given = {name: value.to(trainer.args.device) for name, value in piece.items()}
            losses = trainer.item_losses(model, given)[1]
            total += losses.detach().sum()
            known = self.known[given["items"].cpu()].to(losses.device)
            for task, chosen in enumerate((~known, known)):
                if chosen.any():
                    parts = torch.autograd.grad(
                        losses[chosen].sum(), parameters, retain_graph=not task, allow_unused=True
                    )
                    found[task] = [_sum(one, other) for one, other in zip(found[task], parts, strict=True)]
        if communicate.world_size() > 1:
            found = [_mean(one, parameters) for one in found]
        rng = np.random.default_rng([self.seed, 14, trainer.state.global_step])
        put(found, parameters, rng, self.conflicts)
        return total

    def figures(self) -> dict[str, Any]:
        """For result.json, of the steps since the run was last begun or taken up: in how many both kinds of
        items came together, and in what share of these they conflicted (null where in none)."""
        rate = float(self.conflicts.rates()[0, 1])
        return {
            "tasks": TASKS,
            "steps": int(self.conflicts.steps[0, 1]),
            "conflict_rate": None if np.isnan(rate) else round(rate, 4),
        }


def _sum(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other


def _mean(gradients: Gradients, parameters: Sequence[Tensor]) -> Gradients:
    """Over all ranks, in one collective; one that a rank lacks counts as zero."""
    whole = [
        torch.zeros_like(value) if gradient is None else gradient
        for gradient, value in zip(gradients, parameters, strict=True)
    ]
    flat = torch.cat([value.flatten() for value in whole])
    dist.all_reduce(flat)
    flat /= communicate.world_size()
    sizes = [value.numel() for value in whole]
    return [part.view_as(value) for part, value in zip(flat.split(sizes), whole, strict=True)]
