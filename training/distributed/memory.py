"""Where memory goes, and getting by with less: bytes of layers, which of them to compute again, peaks."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training.distributed.blocks import blocks
from training.distributed.shape import POOL, pool_share
from training.distributed.tasks import Batch, Task

_ALLOCATOR = "PYTORCH_ALLOC_CONF"


@dataclass(frozen=True)
class LayerCost:
    """What one layer keeps for its backward pass (bytes; what it needs from its input and the weights left
    out), and the seconds of computing it again.
    """

    bytes: int
    seconds: float


def measure_layers(model: nn.Module, task: Task, batch: Batch) -> list[LayerCost]:
    """Run one forward pass of `batch` and see what each layer keeps. The model is left as it was.

    Counts storages, not tensors: views of one are one. Costs a forward pass with all activations held, so give
    a batch of few items; bytes grow with their number.
    """
    known = {value.untyped_storage().data_ptr() for value in [*model.parameters(), *model.buffers()]}
    costs: dict[int, LayerCost] = {}
    handles, open_layers = [], []

    def enter(index: int, inputs: Any) -> None:
        kept: dict[int, int] = {}
        outside = known | {_place(value) for value in inputs if isinstance(value, Tensor)}

        def pack(tensor: Tensor) -> Tensor:
            if _place(tensor) not in outside:
                kept[_place(tensor)] = tensor.untyped_storage().nbytes()
            return tensor

        hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)
        hooks.__enter__()
        open_layers.append((index, kept, hooks, time.perf_counter()))

    def leave() -> None:
        index, kept, hooks, begun = open_layers.pop()
        seconds = time.perf_counter() - begun
        hooks.__exit__(None, None, None)
        costs[index] = LayerCost(sum(kept.values()), seconds)

    for at, layer in enumerate(blocks(model)):
        handles.append(layer.register_forward_pre_hook(lambda _m, given, at=at: enter(at, given)))
        handles.append(layer.register_forward_hook(lambda _m, _given, _out: leave()))
    try:
        task.loss(task.outputs(model, batch), batch["targets"])
    finally:
        for handle in handles:
            handle.remove()
    return [costs[at] for at in sorted(costs)]


def choose_layers(costs: Sequence[LayerCost], excess: int) -> list[int]:
    """Which layers to compute again so that at least `excess` bytes are saved, in as little time as may be.

    Greedy by bytes a second saved, then those that turn out not to be needed are taken back, the dearest
    first. Equal layers are taken from the front: there activations lie longest. All of them where that is not
    enough. O(n log n).

    >>> choose_layers([LayerCost(100, 1.0), LayerCost(300, 1.0), LayerCost(100, 0.1)], excess=350)
    [1, 2]
    """
    order = sorted(range(len(costs)), key=lambda at: (-costs[at].bytes / max(costs[at].seconds, 1e-9), at))
    taken: list[int] = []
    saved = 0
    for at in order:
        if saved >= excess:
            break
        taken.append(at)
        saved += costs[at].bytes
    for at in sorted(taken, key=lambda at: -costs[at].seconds):
        if saved - costs[at].bytes >= excess:
            taken.remove(at)
            saved -= costs[at].bytes
    return sorted(taken)


def prepare(environment: MutableMapping[str, str] = os.environ) -> int:
    """Get a training program's GPU ready, before anything of CUDA is touched: segments that can grow, and where
    the environment names a share as `POOL`, that much of the free memory at once. Returns its bytes.

    Raises:
        ValueError: the share is no number from 0 to 1.
    """
    environment.update(allocator_settings(dict(environment)))
    share = pool_share(environment.get(POOL, ""))
    return reserve(share) if share else 0


def allocator_settings(environment: dict[str, str]) -> dict[str, str]:
    """`environment` with segments that can grow, against fragmentation; what a person has set stays.

    CUDA reads it when it first allocates, so it belongs into a program's environment before its start.
    """
    if _ALLOCATOR in environment or "PYTORCH_CUDA_ALLOC_CONF" in environment:
        return environment
    return {**environment, _ALLOCATOR: "expandable_segments:True"}


def reserve(share: float) -> int:
    """Take `share` of the free memory of this rank's GPU into the allocator's pool at once, so that a neighbour
    cannot take it and no step waits for the driver. Returns the bytes; 0 without a GPU.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share: found {share}, expected a number above 0, at most 1")
    if not torch.cuda.is_available():
        return 0
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))  # as a Trainer will take
    free, _total = torch.cuda.mem_get_info(device)
    size = int(free * share)
    del_me = torch.empty(size, dtype=torch.uint8, device=device)
    del del_me  # stays in the pool
    return size


def give_back() -> None:
    """Hand what was freed back to the system: after a whole model was loaded and cut, or has been asked, glibc
    keeps hundreds of megabytes that nobody else can have. Nothing with another C library.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


class Peak:
    """Highest memory use since `begin`: a GPU's allocations, else this process's private memory."""

    bytes: int = 0

    def begin(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        else:
            with suppress(OSError):  # not every system has it, nor lets everybody
                Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew

    def end(self) -> None:
        self.bytes = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else _private(peak=True)


@contextmanager
def peak() -> Iterator[Peak]:
    """Measure the block; `.bytes` afterwards. 0 where the system does not tell (macOS)."""
    measured = Peak()
    measured.begin()
    yield measured
    measured.end()


def held_bytes() -> int:
    """What a `Peak` that began now would end with if nothing were done: of the GPU where there is one."""
    return torch.cuda.memory_allocated() if torch.cuda.is_available() else private_bytes()


def private_bytes() -> int:
    """Memory of this process alone, now: mapped files (weights, libraries) are left out. Linux; else 0."""
    return _private(peak=False)


def _private(*, peak: bool) -> int:
    status = Path(f"/proc/{os.getpid()}/status")
    if not status.exists():
        return 0
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    names = ("VmHWM", "RssAnon", "RssFile", "RssShmem")
    size = {name: int(lines.get(name, "0").split()[0]) * 1024 for name in names}
    # The mark counts mapped files too; they hardly change while a model trains.
    return size["VmHWM"] - size["RssFile"] - size["RssShmem"] if peak else size["RssAnon"]


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()
