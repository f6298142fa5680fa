"""Ranks that should hold the same weights: whether they do, and making them again the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import chain
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.optim import ZeroRedundancyOptimizer

from training.distributed import communicate


def weights_hash(model: nn.Module) -> int:
    """The first 63 bits of the SHA-256 of all parameters and buffers, in their order."""
    digest = hashlib.sha256()
    for value in chain(model.parameters(), model.buffers()):
        held = value.detach().contiguous().cpu()
        if held.numel():
            digest.update(held.reshape(-1).view(torch.uint8).numpy().data)
    return int.from_bytes(digest.digest()[:8], "big") >> 1


def apart(hashes: Iterable[int]) -> tuple[int, list[int]]:
    """Which rank to trust, and which differ from it.

    The hash that most ranks have is right, and the lowest of these ranks is trusted; where no hash leads, as
    with two ranks that differ, rank 0's is: the checkpoints are its own.

    >>> apart([5, 5, 7]), apart([7, 5, 5]), apart([7, 5])
    ((0, [2]), (1, [0]), (0, [1]))
    """
    values = list(hashes)
    most = max(values.count(value) for value in values)
    leading = {value for value in values if values.count(value) == most}
    right = values[0] if len(leading) > 1 else leading.pop()
    return values.index(right), [rank for rank, value in enumerate(values) if value != right]


def compare(model: nn.Module, device: torch.device) -> tuple[int, list[int]]:
    """`apart` of all ranks' weights, the same answer on each. One hash, and 8 bytes from each rank."""
    if communicate.world_size() == 1:
        return 0, []
    mine = torch.tensor([weights_hash(model)], dtype=torch.int64, device=device)
    found = [torch.zeros_like(mine) for _ in range(communicate.world_size())]
    dist.all_gather(found, mine)
    return apart(int(value) for value in found)


@torch.no_grad()
def reset(model: nn.Module, optimizer: torch.optim.Optimizer, source: int) -> None:
    """Give every rank the weights, buffers and optimiser state of rank `source`; no state where each rank has
    that of other weights (ZeRO-1).
    """
    is_divided = isinstance(getattr(optimizer, "optimizer", optimizer), ZeroRedundancyOptimizer)
    state: list[Any] = [
        optimizer.state[value][name]
        for group in ([] if is_divided else optimizer.param_groups)
        for value in group["params"]
        for name in sorted(optimizer.state.get(value, {}))
    ]
    for value in chain(model.parameters(), model.buffers(), (v for v in state if isinstance(v, Tensor))):
        whole = value.detach().contiguous()
        dist.broadcast(whole, src=source)
        value.copy_(whole)


def mean_over_ranks(value: float, device: torch.device) -> float:
    """The mean of a number over all ranks, the same on each; NaN where one has NaN."""
    total = communicate.summed(np.asarray([value], dtype=np.float32), device)
    return float(total[0]) / communicate.world_size()
