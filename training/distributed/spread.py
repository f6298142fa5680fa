"""A layout for a trainer that is not `Engine`: transformers' Trainer, which cannot lay a model out itself.

The Trainer makes FSDP on CPU to DDP without a word, and refuses tensor parallelism there (seen with transformers
5.24 and accelerate 1.15). So weights are divided here, by torch's own `fully_shard` and DTensor, before the
Trainer sees the model, and accelerate is told that nothing is left to wrap.

What leaves the ranks: checkpoints, in the parts that each of them holds (`sharded`); the model that is written
and the one that validation runs, whole again. A run of one layout is taken up by any other, or by one process.
"""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.distributed.tensor import DTensor

from training.distributed import communicate, fsdp, norms, split
from training.distributed.blocks import checkpoint_blocks
from training.distributed.engine import AXES, mesh_of
from training.distributed.layout import Layout
from training.distributed.memory import give_back
from training.distributed.sharded import Contents

_FIELDS = ("step", "exp_avg", "exp_avg_sq")  # of AdamW's state
_OWN = ("fused", "foreach")  # of a group: how this layout's optimiser works, whatever a checkpoint's did


class Spread:
    """A layout applied to the model of a trainer; every rank makes one.

    Attributes:
        data_ranks, data_rank: in how many parts a batch is dealt out, and which of them is this rank's; ranks
            that cut matrices see the same items.
        kept_whole: small parameters that are not divided; `clip` takes the mean of their gradients.
        ran: what lies where after `apply`, for a report: placements with their number of parameters.
    """

    def __init__(self, layout: Layout, device: torch.device) -> None:
        self.layout, self.device = layout, device
        self.divides = layout.fsdp or layout.tensor > 1
        self.mesh = mesh_of(layout, device) if self.divides else None
        self.data_ranks = layout.data
        self.data_rank = communicate.rank()
        if self.mesh is not None:
            at = {axis: self.mesh.get_local_rank(axis) for axis in AXES}
            self.data_rank = at["replicate"] * layout.shard + at["shard"]
        self.kept_whole: list[nn.Parameter] = []
        self.ran: dict[str, int] = {}
        self._plain: nn.Module | None = None

    def apply(self, model: Any, again: Sequence[int] = (), persist: int = 0) -> None:
        """Divide a model in place, with rank 0's weights; nothing where ranks hold copies. One whose weights are
        to wait in the host's memory may come there: its layers visit the device one at a time.

        Args:
            model: a `TextClassifier`, or a language model with all adapters on it.
            again: layers whose activations are computed again in the backward pass; the same on all ranks.
            persist: parameters with fewer figures stay whole on every rank, where FSDP2 divides the others.
                0 where matrices are cut.

        Raises:
            ValueError: its layers cannot be cut so.
        """
        if not self.divides:
            checkpoint_blocks(model, again)
            return
        assert self.mesh is not None
        for value in chain(model.parameters(), model.buffers()):
            sent = value.detach().to(self.device)
            dist.broadcast(sent, src=0)
            value.detach().copy_(sent)
        self._plain = _without_weights(model)
        if self.layout.tensor > 1:
            split.split_matrices(getattr(model, "encoder", model), self.mesh["tensor"])
        checkpoint_blocks(model, again)  # not in the copy above: its layers would call these
        if self.layout.fsdp:
            replicas = self.layout.replicate > 1
            self.kept_whole = fsdp.shard_weights(
                model,
                self.mesh["replicate", "shard"] if replicas else self.mesh["shard"],
                free_after_forward=self.layout.zero == 3,
                offload=self.layout.offload,
                persist=persist,
            )
        model._is_accelerate_prepared = True  # accelerate would put DDP around it, or refuse it
        self.ran = dict(Counter(_placement(value) for value in model.parameters()))

    def optimizer(self, groups: list[dict[str, Any]], *, eps: float) -> torch.optim.Optimizer:
        """AdamW; under ZeRO-1 each rank has the state of a part of the weights."""
        if self.layout.zero == 1:
            found: Any = ZeroRedundancyOptimizer(
                groups, optimizer_class=torch.optim.AdamW, eps=eps, fused=True
            )
            # accelerate's wrapper asks for a whole state, which no rank has; this is all that it would add.
            found._is_accelerate_prepared, found.step_was_skipped = True, False
            return found  # type: ignore[no-any-return]
        if self.divides:  # DTensors and plain tensors cannot be updated together in one fused loop
            return torch.optim.AdamW(groups, eps=eps, foreach=False)
        return torch.optim.AdamW(groups, eps=eps, fused=True)

    def clip(self, model: nn.Module, most: float) -> float:
        """Hold the gradient's length below a bound, once a step's gradient is whole. Returns what it was; every
        rank must call it."""
        if self.kept_whole:
            assert self.mesh is not None
            fsdp.mean_of_whole(self.kept_whole, self.mesh)
        return norms.clip(model.parameters(), most, self.layout.data * self.layout.tensor, self.device)

    def whole(self, model: Any, *, here: bool = True, host: bool = False) -> Any:
        """The model with all its weights, to read from: a copy where they are divided. Every rank must call it;
        None on one that does not want it `here`, which then holds one whole tensor at a time. `host`: the copy
        lies in the host's memory.
        """
        if not self.divides:
            return model if here else None
        known: dict[int, Tensor] = {}  # what goes by several names stays one tensor
        weights: dict[str, Tensor] = {}
        for name, value in model.state_dict(keep_vars=True).items():
            if id(value) not in known:
                found = full(value, self.device)
                found = found.cpu() if host else found
                if isinstance(value, nn.Parameter):
                    found = nn.Parameter(found, False)
                known[id(value)] = found if here else value
            weights[name] = known[id(value)]
        if not here:
            return None
        give_back()  # putting matrices together left gaps of half their size
        copied = copy.deepcopy(self._plain)
        assert copied is not None
        copied.load_state_dict(weights, assign=True)
        return copied


def full(value: Tensor, device: torch.device | None = None) -> Tensor:
    """A tensor put together from the ranks that divide it; every rank must call it.

    Args:
        device: that ranks talk over, where parts may wait on another (offload); None: the parts' own.
    """
    found = value.detach()
    if not isinstance(found, DTensor):
        return found
    there: Any = found if device is None else found.to(device)  # a DTensor still, which torch does not say
    whole: Tensor = there.full_tensor().detach()
    return whole


def local(value: Tensor) -> Tensor:
    """This rank's part, which shares its memory."""
    return value.to_local() if isinstance(value, DTensor) else value


def state_of(optimizer: Any) -> dict[str, Any]:
    """An optimiser's `state_dict`, its tensors cut among ranks as its parameters are; of ZeRO-1, where each rank
    has the state of other parameters, whole on all. Every rank must call it.
    """
    inner = _inner(optimizer)
    found: dict[str, Any] = (
        _gathered(inner) if isinstance(inner, ZeroRedundancyOptimizer) else inner.state_dict()
    )
    return found


def load_state(optimizer: Any, state: dict[str, Any]) -> None:
    """Give an optimiser a state as `state_of` tells it."""
    inner = _inner(optimizer)
    for group, given in zip(inner.param_groups, state["param_groups"], strict=True):
        given |= {name: group[name] for name in _OWN if name in group}
    inner.load_state_dict(state)


def room_for_state(optimizer: Any, contents: Contents) -> dict[str, Tensor]:
    """Empty tensors for the state that a checkpoint has of an optimiser, cut as its parameters are.

    Args:
        contents: shapes and types by number of the parameter and field, "3/exp_avg".
    """
    values = [value for group in _inner(optimizer).param_groups for value in group["params"]]
    found = {}
    for name, (shape, dtype) in contents.items():
        value = values[int(name.split("/", 1)[0])].detach()
        if value.shape == shape:
            found[name] = torch.empty_like(value, dtype=dtype)
        else:  # a count of steps lies beside the processor
            found[name] = torch.empty(shape, dtype=dtype, device=value.device if shape else "cpu")
    return found


def _gathered(optimizer: ZeroRedundancyOptimizer) -> dict[str, Any]:
    """Each rank adds the state of its own weights to zeros, in one piece of memory: in as many as there are
    tensors an allocator would leave gaps of their size. torch's own way unpickles what other ranks send.
    """
    values = [value for group in optimizer.param_groups for value in group["params"]]
    shapes = [() if name == "step" else value.shape for value in values for name in _FIELDS]
    whole = torch.zeros(sum(map(math.prod, shapes)), dtype=torch.float32, device=values[0].device)
    parts = iter(whole.split([math.prod(shape) for shape in shapes]))
    state: dict[int, dict[str, Tensor]] = {}
    for number, value in enumerate(values):
        own = optimizer.optim.state.get(value, {})
        state[number] = {}
        for name in _FIELDS:
            found = next(parts).view(() if name == "step" else value.shape)
            if name in own:
                found.copy_(own[name])
            state[number][name] = found
    dist.all_reduce(whole)
    groups, first = [], 0
    for group in optimizer.param_groups:
        plain = {name: entry for name, entry in group.items() if name != "params"}
        last = first + len(group["params"])
        groups.append({**plain, "params": list(range(first, last))})
        first = last
    return {"state": state, "param_groups": groups}


def _inner(optimizer: Any) -> Any:
    """accelerate's wrapper taken off."""
    return getattr(optimizer, "optimizer", optimizer)


def _placement(value: Tensor) -> str:
    if not isinstance(value, DTensor):
        return "whole"
    return " ".join(str(one) for one in value.placements)


def _without_weights(model: nn.Module) -> nn.Module:
    """A copy whose parameters take no memory; buffers are kept."""
    kept = {id(value): nn.Parameter(value.to("meta"), value.requires_grad) for value in model.parameters()}
    return copy.deepcopy(model, kept)  # the memo stands in for every parameter
