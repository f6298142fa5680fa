"""PCGrad in a fine-tune: tasks that share one encoder and one head give way to each other.

Tasks are the two kinds of items of a run that goes on, or the parts of the objective's loss: dimensions of a
rating, levels of a label tree, labels of several. Where the gradients of two point against each other, each
loses its part along the other before they are added (`gradient_surgery`): a step for new items then takes back
less of what the model knows, one for a dimension less of what serves another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor

from training.distributed import communicate
from training.learning.gradient_surgery import Conflicts, Gradients, put
from training.objectives.parts import INCREMENT, grouped
from training.objectives.task import Task

if TYPE_CHECKING:
    from training.learning.trainer import ExactTrainer

# (outputs, (b,) losses times their multipliers, batch) -> of each task its share of the sum of the losses; None
# where the batch has nothing of it.
Split = Callable[[Tensor, Tensor, dict[str, Any]], list[Tensor | None]]


class Surgery:
    """Takes the place of a trainer's backward pass.

    Args:
        among: what kind of tasks they are, see objectives.parts. tasks: m names.
        split: the losses of a batch by task. seed: of the orders of tasks.
    """

    def __init__(self, among: str, tasks: list[str], split: Split, seed: int) -> None:
        self.among, self.split, self.seed = among, split, seed
        self.conflicts = Conflicts(tasks)

    @classmethod
    def of(cls, among: str, task: Task, known: npt.NDArray[np.bool_] | None, seed: int) -> Surgery:
        """Args:
        known: (n,) of the training items, whether the base model has learnt it; for `INCREMENT`.
        """
        if among == INCREMENT:
            assert known is not None  # the spec has seen to it
            return cls(among, ["new", "known"], by_item(known), seed)
        groups = grouped(len(task.parts))
        names = [" ".join(task.parts[at] for at in group) for group in groups]
        return cls(among, names, by_part(task, groups), seed)

    def learn(self, trainer: ExactTrainer, pieces: Sequence[dict[str, Any]]) -> Tensor:
        """Put the gradient of one step into the weights' `grad`. Returns the step's loss on this rank.

        Ranks that hold copies: each task's gradient is its mean over all of them before it is looked at, so
        that all take the same step, whatever items each has. Costs a backward pass and a copy more a task.
        """
        model: Any = trainer.model
        model.train()
        parameters = [value for value in model.parameters() if value.requires_grad]
        found: list[Gradients] = [[None] * len(parameters) for _ in self.conflicts.tasks]
        total = torch.zeros((), device=trainer.args.device)
        for piece in pieces:
            given = {name: value.to(trainer.args.device) for name, value in piece.items()}
            shares = self.split(*trainer.item_losses(model, given), given)
            there = [(task, share) for task, share in enumerate(shares) if share is not None]
            for number, (task, share) in enumerate(there, start=1):
                total += share.detach()
                parts = torch.autograd.grad(
                    share, parameters, retain_graph=number < len(there), allow_unused=True
                )
                found[task] = [_sum(one, other) for one, other in zip(found[task], parts, strict=True)]
        if communicate.world_size() > 1:
            found = [_mean(one, parameters) for one in found]
        rng = np.random.default_rng([self.seed, 14, trainer.state.global_step])
        put(found, parameters, rng, self.conflicts)
        return total

    def figures(self) -> dict[str, Any]:
        """For result.json, of the steps since the run was last begun or taken up. `steps`: how often two tasks
        came together in a step, all pairs counted; `conflict_rate`: in what share of these they conflicted (null
        where in none); `pairs`: the same of each pair.
        """
        met, rates = self.conflicts.steps, self.conflicts.rates()
        upper = np.triu_indices(len(met), 1)
        steps, conflicts = met[upper].sum(), self.conflicts.met[upper].sum()
        names = self.conflicts.tasks
        return {
            "among": self.among,
            "tasks": names,
            "steps": int(steps),
            "conflict_rate": _rounded(conflicts / steps) if steps else None,
            "pairs": [
                {
                    "tasks": [names[i], names[j]],
                    "steps": int(met[i, j]),
                    "conflict_rate": _rounded(rates[i, j]) if met[i, j] else None,
                }
                for i, j in zip(*upper, strict=True)
            ],
        }


def by_item(known: npt.NDArray[np.bool_]) -> Split:
    """New items, and known ones: see `Surgery.of`."""
    held = torch.from_numpy(known)

    def split(outputs: Tensor, losses: Tensor, given: dict[str, Any]) -> list[Tensor | None]:
        is_known = held[given["items"].cpu()].to(losses.device)
        return [losses[chosen].sum() if chosen.any() else None for chosen in (~is_known, is_known)]

    return split


def by_part(task: Task, groups: list[list[int]]) -> Split:
    """Groups of the parts of the loss."""

    def split(outputs: Tensor, losses: Tensor, given: dict[str, Any]) -> list[Tensor | None]:
        parts = task.part_losses(outputs, given["targets"]) * given["scales"][:, None]
        return [parts[:, group].sum() for group in groups]

    return split


def _rounded(rate: float) -> float:
    return round(float(rate), 4)


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
