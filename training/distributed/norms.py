"""The length of a gradient that lies in pieces on several ranks, and holding it below a bound."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor


def clip(
    parameters: Iterable[nn.Parameter], most: float, alike: int = 1, device: torch.device | None = None
) -> float:
    """Scale gradients so that their common 2-norm is at most `most`. Returns the norm before.

    Every rank must call it: one sum over all ranks. A norm that is not finite leaves the gradients alone.

    Args:
        alike: ranks that hold this rank's part of the model between them (a pipeline's stage: replicas times
            shards times cuts). A piece that several of them hold counts once.
        device: that ranks talk over, where gradients may wait on another (offload); None: the gradients' own.
    """
    gradients = [value.grad for value in parameters if value.grad is not None]
    square = torch.zeros((), dtype=torch.float64)
    for gradient in gradients:
        norm = torch.linalg.vector_norm(_local(gradient).detach())
        square += norm.double().cpu() ** 2 * pieces(gradient) / alike
    if dist.is_initialized():
        beside = gradients[0].device if gradients else torch.device("cpu")
        shared = square.to(device or beside)
        dist.all_reduce(shared)
        square = shared.cpu()
    norm_before = float(square.sqrt())
    if most < norm_before < float("inf"):
        for gradient in gradients:
            _local(gradient).mul_(most / norm_before)
    return norm_before


def pieces(tensor: Tensor) -> int:
    """In how many different parts it lies about."""
    count = 1
    if isinstance(tensor, DTensor):
        for axis, placement in enumerate(tensor.placements):
            if not placement.is_replicate():
                count *= tensor.device_mesh.size(axis)
    return count


def _local(tensor: Tensor) -> Tensor:
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
