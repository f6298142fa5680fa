"""Which collectives really happened, and how many bytes a rank handed to them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_SPACES = ("c10d", "_c10d_functional")
_QUIET = ("wait", "wrap", "recv", "barrier", "monitored")  # nothing is handed over
_OUTPUT_FIRST = ("_allgather_base_", "_reduce_scatter_base_", "allgather_", "reduce_scatter_", "scatter_")


class Meter(TorchDispatchMode):
    """Counts collectives while it is entered, those that DDP and FSDP start included.

    Attributes:
        calls: how often, by name (all_reduce, all_gather, reduce_scatter, broadcast, send...).
        bytes: handed over by this rank, by name.

    It stands in the way of every operation and slows them down: for tests, benchmarks and a look.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        operator = func._schema.name
        space, _, name = operator.partition("::")
        if space in _SPACES and not any(word in name for word in _QUIET):
            given = args[1] if name in _OUTPUT_FIRST else args[0]
            plain = _plain(name)
            self.calls[plain] += 1
            self.bytes[plain] += sum(value.numel() * value.element_size() for value in _tensors(given))
        return func(*args, **(kwargs or {}))

    @property
    def total(self) -> int:
        return sum(self.bytes.values())


def _plain(name: str) -> str:
    """
    >>> _plain("_allgather_base_"), _plain("reduce_scatter_tensor"), _plain("allreduce_")
    ('all_gather', 'reduce_scatter', 'all_reduce')
    """
    for word, plain in (
        ("reduce_scatter", "reduce_scatter"),
        ("allgather", "all_gather"),
        ("all_gather", "all_gather"),
        ("allreduce", "all_reduce"),
        ("all_reduce", "all_reduce"),
        ("alltoall", "all_to_all"),
        ("broadcast", "broadcast"),
        ("send", "send"),
    ):
        if word in name:
            return plain
    return name.strip("_")


def _tensors(given: Any) -> list[Tensor]:
    if isinstance(given, Tensor):
        return [given]
    if isinstance(given, (list, tuple)):
        return [tensor for entry in given for tensor in _tensors(entry)]
    return []
