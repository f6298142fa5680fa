"""Weights divided among ranks: FSDP2 and HSDP, by torch's own `fully_shard`.

transformers' Trainer and accelerate turn FSDP on CPU into DDP without a word (seen with 5.24 and 1.15), so it
is called here directly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import (
    CPUOffloadPolicy,
    FSDPModule,
    MixedPrecisionPolicy,
    OffloadPolicy,
    fully_shard,
    register_fsdp_forward_method,
)
from torch.distributed.tensor import DTensor

from training.distributed.blocks import blocks


def shard_weights(
    model: nn.Module,
    mesh: DeviceMesh,
    *,
    free_after_forward: bool,
    offload: bool = False,
    compute: torch.dtype | None = None,
    persist: int = 0,
) -> list[nn.Parameter]:
    """Divide a model's parameters: each layer is one unit that is gathered when it is needed, the rest
    another.

    Args:
        mesh: one dimension (FSDP2), or (replicate, shard) for HSDP: gathered inside a group of `shard` ranks
            only, gradients summed over both.
        free_after_forward: give gathered weights back after the forward pass and gather them again in the
            backward pass (ZeRO-3); else they are kept in between (ZeRO-2).
        offload: parts wait in the host's memory, pinned where there is a GPU, which they need to be of use.
        compute: dtype of gathered weights and activations; gradients are summed in fp32.
        persist: parameters with fewer figures stay whole on every rank (norms, biases): not worth a gather.

    Returns:
        The parameters that stayed whole. FSDP leaves their gradients alone: `mean_of_whole` is for them.
    """
    whole = [value for value in model.parameters() if value.numel() < persist]
    for value in whole:  # FSDP brings the others to the device
        value.data = value.data.to(mesh.device_type)
    precision = (
        MixedPrecisionPolicy(param_dtype=compute, reduce_dtype=torch.float32)
        if compute is not None
        else MixedPrecisionPolicy()
    )
    policy: OffloadPolicy = OffloadPolicy()
    if offload:
        policy = CPUOffloadPolicy(pin_memory=torch.cuda.is_available())
    for layer in blocks(model):
        fully_shard(
            layer,
            mesh=mesh,
            reshard_after_forward=free_after_forward,
            mp_policy=precision,
            offload_policy=policy,
            ignored_params=set(whole),
        )
    # The root's own weights are needed again at once: torch leaves them gathered by default.
    fully_shard(model, mesh=mesh, mp_policy=precision, offload_policy=policy, ignored_params=set(whole))
    return whole


@contextmanager
def as_forward(model: Any, act: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """`act`, which calls modules of `model`, as if it were the model's own forward pass: where weights are
    divided, those that no layer has are gathered for it. Inside, every rank must call it as often.
    """
    if not isinstance(model, FSDPModule):
        yield act
        return
    held: Any = model  # a module as well, which its type does not say
    held._read = act
    register_fsdp_forward_method(held, "_read")
    try:
        yield held._read
    finally:
        del held._read


def in_parts(model: Any) -> None:
    """Free what a forward pass without a backward pass left gathered, which the next update would leave behind:
    under ZeRO-2 every layer, else what no layer has. Nothing where ranks hold copies.
    """
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


def mean_of_whole(whole: Sequence[nn.Parameter], mesh: DeviceMesh) -> None:
    """The mean over data ranks of gradients that neither DDP nor FSDP sends, all in one collective an axis.

    Every rank must call it, after the last backward pass of a step.

    Args:
        mesh: with the axes "replicate" and "shard" among others; each rank of them saw other items.
    """
    names = mesh.mesh_dim_names or ()
    sizes = {axis: mesh.size(names.index(axis)) for axis in ("replicate", "shard")}
    gradients = [value.grad for value in whole if value.grad is not None]
    local = [value.to_local() if isinstance(value, DTensor) else value for value in gradients]
    if not local:
        return
    flat = torch.cat([value.flatten() for value in local]) / (sizes["replicate"] * sizes["shard"])
    for axis, size in sizes.items():
        if size > 1:
            dist.all_reduce(flat, group=mesh.get_group(axis))
    for value, part in zip(local, flat.split([value.numel() for value in local]), strict=True):
        value.copy_(part.view_as(value))
