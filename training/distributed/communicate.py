"""What ranks tell each other. With one process every function is the identity."""

from __future__ import annotations

import hashlib
import os
import secrets
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist

_ALONE = secrets.token_hex(8)  # names the attempt of a process that no torchrun started


def attempt() -> str:
    """A name for this attempt that all its ranks know: torchrun makes a new run id for each start."""
    given = os.environ.get("TORCHELASTIC_RUN_ID", "none")
    return _ALONE if given == "none" else hashlib.sha256(given.encode()).hexdigest()[:16]


def join(seconds: float) -> None:
    """Join the group of a CPU's ranks, whose collectives fail after so many seconds; before a Trainer does.

    transformers 5.24 passes its `ddp_timeout` on for GPUs only: on CPUs ranks that a broken network keeps apart
    would wait for torch's own half an hour.
    """
    if not dist.is_initialized():
        dist.init_process_group("gloo", timeout=timedelta(seconds=seconds))


def group_apart(seconds: float) -> dist.ProcessGroup | None:
    """All ranks once more, over gloo, for a thread that talks while the training does; every rank calls it. Who
    waits so many seconds for another fails. None: this process is alone.
    """
    if world_size() == 1:
        return None
    group: dist.ProcessGroup = dist.new_group(backend="gloo", timeout=timedelta(seconds=seconds))
    return group


def rank() -> int:
    """This process's number, 0 for the first or only one."""
    return dist.get_rank() if dist.is_initialized() else 0


def is_grouped() -> bool:
    """Whether this process is in a group, be it alone in it: torchrun started it."""
    return bool(dist.is_initialized())


def world_size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def backend() -> str:
    """What carries gradients between the processes: gloo, nccl; "" for one process, which sends nothing."""
    return str(dist.get_backend()) if world_size() > 1 else ""


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


def texts(text: str, group: dist.ProcessGroup | None) -> list[str]:
    """Every rank's text, on every rank, in their order. Sent as bytes, as by `agreed`.

    Args:
        group: of all ranks, over gloo; None: this process alone.
    """
    if group is None:
        return [text]
    data = torch.from_numpy(np.frombuffer(text.encode(), dtype=np.uint8).copy())
    lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(group.size())]
    dist.all_gather(lengths, torch.tensor([len(data)]), group=group)
    padded = torch.zeros(int(max(lengths)), dtype=torch.uint8)
    padded[: len(data)] = data
    found = [torch.empty_like(padded) for _ in lengths]
    dist.all_gather(found, padded, group=group)
    return [one[: int(length)].numpy().tobytes().decode() for one, length in zip(found, lengths, strict=True)]


def gathered(value: torch.Tensor) -> list[torch.Tensor]:
    """Every rank's tensor on rank 0, in their order; nothing on the others. All have the same shape."""
    if world_size() == 1:
        return [value]
    found = [torch.empty_like(value) for _ in range(world_size())] if rank() == 0 else None
    dist.gather(value, found, dst=0)
    return found or []


def joined(value: torch.Tensor) -> torch.Tensor:
    """Every rank's rows one after the other, in the order of ranks, on every rank; each may give another number
    of rows. A single number counts as a row.
    """
    if world_size() == 1:
        return value
    rows = torch.atleast_1d(value.detach()).contiguous()
    mine = torch.tensor([len(rows)], dtype=torch.int64, device=rows.device)
    counts = [torch.zeros_like(mine) for _ in range(world_size())]
    dist.all_gather(counts, mine)
    padded = rows.new_zeros((int(max(counts)), *rows.shape[1:]))
    padded[: len(rows)] = rows
    found = [torch.empty_like(padded) for _ in counts]
    dist.all_gather(found, padded)
    return torch.cat([part[: int(count)] for part, count in zip(found, counts, strict=True)])


def summed(values: npt.NDArray[np.float32], device: torch.device) -> npt.NDArray[np.float32]:
    """The elementwise sum over all ranks, on every rank; all give the same shape."""
    if world_size() == 1:
        return values
    tensor = torch.from_numpy(values).to(device)
    dist.all_reduce(tensor)
    return tensor.cpu().numpy()
