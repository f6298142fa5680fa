"""What ranks tell each other. With one process every function is the identity."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist


def rank() -> int:
    """This process's number, 0 for the first or only one."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def barrier() -> None:
    """Wait until all ranks are here."""
    if world_size() > 1:
        dist.barrier()


def agreed(text: str, device: torch.device) -> str:
    """Rank 0's text, on every rank. Sent as bytes: torch's own object broadcast would unpickle what it
    receives.
    """
    if world_size() == 1:
        return text
    data = torch.tensor(list(text.encode()), dtype=torch.uint8, device=device)
    length = torch.tensor([len(data)], dtype=torch.int64, device=device)
    dist.broadcast(length, src=0)
    if rank() != 0:
        data = torch.empty(int(length), dtype=torch.uint8, device=device)
    if len(data):
        dist.broadcast(data, src=0)
    return bytes(data.cpu().tolist()).decode()


def summed(values: npt.NDArray[np.float32], device: torch.device) -> npt.NDArray[np.float32]:
    """The elementwise sum over all ranks, on every rank; all give the same shape."""
    if world_size() == 1:
        return values
    tensor = torch.from_numpy(values).to(device)
    dist.all_reduce(tensor)
    return tensor.cpu().numpy()
