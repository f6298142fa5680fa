"""Sending less gradient: communication hooks for DDP, with what they send and how long it takes counted.

top-k sends the largest entries of each gradient and keeps the rest for later steps (error feedback: Stich et
al. 2018, Karimireddy et al. 2019); PowerSGD sends factors of low rank (Vogels et al. 2019); fp16 and bf16 send
half the bytes. DDP itself gathers small gradients into buckets and sends each while the backward pass goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks, powerSGD_hook
from torch.futures import Future
from torch.nn.parallel import DistributedDataParallel

Method = Literal["none", "topk", "powersgd", "fp16", "bf16"]
METHODS: tuple[str, ...] = get_args(Method)
REFUSED = "batched_powersgd"  # torch's hook of that name
MUCH = 0.3  # a share of the step spent in communication above which the report warns
SHARE = 0.01  # of a gradient's entries that top-k sends
_PLAIN_STEPS = 10  # PowerSGD begins after so many, when gradients have found their directions
_INTS = torch.int32
Hook = Callable[[dist.GradBucket], Future[Tensor]]


@dataclass
class Wire:
    """What one rank's gradients cost since `attach`.

    Attributes:
        sent: bytes handed to collectives. plain: what they would be without a hook.
        sparse: the hook of top-k, where that is the method.
        steps: backward passes. waited: seconds from the last bucket's readiness to the end of its sending,
            which nothing overlaps. working: seconds of compressing.
    """

    method: str
    sent: int = 0
    plain: int = 0
    steps: int = 0
    waited: float = 0.0
    working: float = 0.0
    sparse: TopK | None = None
    _ready: float = field(default=0.0, repr=False)

    def report(self, seconds: float) -> dict[str, Any]:
        """Figures for a run whose steps took `seconds` in all."""
        share = (self.waited + self.working) / seconds if seconds > 0 else 0.0
        found: dict[str, Any] = {
            "method": self.method,
            "bytes_sent": self.sent,
            "bytes_ratio": round(self.sent / self.plain, 4) if self.plain else None,
            "share_of_time": round(min(share, 1.0), 4),
        }
        if share > MUCH:
            found["warning"] = (
                f"{100 * share:.0f} % of the time goes into sending gradients: use larger micro-batches, "
                + ("compression (topk or fp16), " if self.method == "none" else "")
                + "or fewer processes"
            )
        return found


class TopK:
    """The hook of top-k sparsification with error feedback.

    Of each parameter's gradient, a rank sends the `share` largest entries (by absolute value, of gradient plus
    what was left over before), at least one, as one all-gather of values (fp32) and indices (int32) a bucket;
    the rest is kept and added to the next step's gradient. All ranks add up the same parts in the same order, so
    they stay equal to the last bit. How DDP cuts its buckets, which a run that is taken up again does anew,
    changes nothing.
    """

    def __init__(self, group: dist.ProcessGroup, share: float = SHARE) -> None:
        check("topk", share)
        self.group, self.share = group, share
        self.left: dict[Tensor, Tensor] = {}  # by parameter: DDP rebuilds its buckets after one step

    def size(self, bucket: dist.GradBucket) -> int:
        """Bytes a rank hands over for a bucket."""
        return 8 * sum(self.kept(parameter.numel()) for parameter in bucket.parameters())

    def flat(self, parameters: Sequence[Tensor]) -> Tensor:
        """What this rank has left over, of all parameters in their order."""
        found = [self.left[one] if one in self.left else torch.zeros_like(one) for one in parameters]
        return torch.cat([value.flatten() for value in found])

    def put(self, parameters: Sequence[Tensor], flat: Tensor) -> None:
        """Go on with what `flat` told."""
        parts = flat.split([one.numel() for one in parameters])
        for one, part in zip(parameters, parts, strict=True):
            self.left[one] = part.view_as(one).to(one.device, copy=True)

    def kept(self, entries: int) -> int:
        return max(1, round(self.share * entries))

    def __call__(self, bucket: dist.GradBucket) -> Future[Tensor]:
        flat = bucket.buffer()
        parameters, views = bucket.parameters(), bucket.gradients()
        parts: list[Tensor] = []
        for parameter, view in zip(parameters, views, strict=True):
            if parameter in self.left:
                view.add_(self.left[parameter])
            first = int(view.storage_offset() - flat.storage_offset())
            own = flat[first : first + view.numel()]
            parts.append(first + torch.topk(own.abs(), self.kept(len(own)), sorted=False).indices)
        chosen = torch.cat(parts)
        values = flat[chosen].float()
        flat[chosen] = 0
        for parameter, view in zip(parameters, views, strict=True):
            self.left[parameter] = view.clone()
        mine = torch.cat([values.view(_INTS), chosen.to(_INTS)])
        ranks = self.group.size()
        everyone = mine.new_empty(ranks * len(mine))
        sending = dist.all_gather_single(everyone, mine, group=self.group, async_op=True)

        def put_together(_done: Future[Any]) -> Tensor:
            flat.zero_()
            for part in everyone.chunk(ranks):
                theirs, where = part.chunk(2)
                flat.index_add_(0, where.long(), theirs.view(torch.float32).to(flat.dtype) / ranks)
            return flat

        return sending.get_future().then(put_together)  # type: ignore[union-attr]


def attach(
    model: DistributedDataParallel, method: str = "none", *, share: float = SHARE, rank: int = 2
) -> Wire:
    """Let `model` send its gradients by `method`, and count. Once for a model, before its first step.

    Args:
        share: of top-k. rank: of PowerSGD's factors.

    Raises:
        ValueError: what `check` refuses.
    """
    group = model.process_group
    hook, size = _hook(method, group, share, rank)
    wire = Wire(method=method, sparse=hook if isinstance(hook, TopK) else None)
    model.register_comm_hook(None, _counted(hook, size, wire))
    return wire


def check(method: str, share: float = SHARE, *, backend: str = "") -> None:
    """
    Args:
        share: of top-k. backend: what sends, where that is known.

    Raises:
        ValueError: an unknown method, a share of nothing, or what was seen failing: bf16 over gloo, and torch's
            `batched_powerSGD_hook`, which ends with a bare assertion there.
    """
    if method == REFUSED:
        raise ValueError(
            "compression: batched PowerSGD was seen failing on gloo (CPU) and is not offered: use powersgd, "
            "which works bucket by bucket"
        )
    if method not in METHODS:
        raise ValueError(f"compression: found {method!r}, expected one of {', '.join(METHODS)}")
    if not 0 < share <= 1:
        raise ValueError(f"compression_share: found {share}, expected a number above 0, at most 1")
    if method == "bf16" and backend == "gloo":
        raise ValueError("compression: gloo (CPU) cannot add bf16 gradients up: use fp16, or GPUs with NCCL")


def _hook(
    method: str, group: dist.ProcessGroup, share: float, rank: int
) -> tuple[Hook, Callable[[dist.GradBucket], int] | Any]:
    """The hook, and what tells the bytes it hands over for a bucket."""
    check(method, share, backend=dist.get_backend(group))
    if method == "none":
        return lambda bucket: default_hooks.allreduce_hook(group, bucket), _times(4)
    if method == "topk":
        sparse = TopK(group, share)
        return sparse, sparse.size
    if method == "powersgd":
        state = powerSGD_hook.PowerSGDState(
            group, matrix_approximation_rank=rank, start_powerSGD_iter=_PLAIN_STEPS
        )
        return _one_after_the_other(lambda bucket: powerSGD_hook.powerSGD_hook(state, bucket), group), state
    if method == "fp16":
        return lambda bucket: default_hooks.fp16_compress_hook(group, bucket), _times(2)
    return lambda bucket: default_hooks.bf16_compress_hook(group, bucket), _times(2)


def _times(bytes_each: int) -> Callable[[dist.GradBucket], int]:
    return lambda bucket: bytes_each * bucket.buffer().numel()


def _one_after_the_other(hook: Hook, group: dist.ProcessGroup) -> Hook:
    """The hook, on gloo with each bucket's sending over before the next begins.

    PowerSGD starts its second sum where the first one's answer arrives: on gloo in a thread, so that with
    several buckets on their way ranks would start the sums of different buckets in different orders, and crash.
    """
    if dist.get_backend(group) != "gloo":
        return hook

    def run(bucket: dist.GradBucket) -> Future[Tensor]:
        over: Future[Tensor] = Future()
        over.set_result(hook(bucket).wait())
        return over

    return run


def _counted(hook: Hook, size: Any, wire: Wire) -> Callable[[Any, dist.GradBucket], Future[Tensor]]:
    """The hook, with a count of bytes and seconds around it."""

    def run(_state: Any, bucket: dist.GradBucket) -> Future[Tensor]:
        entries, last = bucket.buffer().numel(), bucket.is_last()
        before = _power_entries(size)
        begun = time.perf_counter()
        sending = hook(bucket)
        now = time.perf_counter()
        wire.working += now - begun
        wire.plain += 4 * entries
        if before is None:
            wire.sent += size(bucket)
        else:
            added = _power_entries(size)
            assert added is not None
            wire.sent += 4 * ((added - before) or entries)  # before PowerSGD begins, buckets go whole
        if not last:
            return sending
        wire.steps += 1
        wire._ready = now

        def done(future: Future[Tensor]) -> Tensor:
            wire.waited += time.perf_counter() - wire._ready
            value: Any = future.value()
            return value[0] if isinstance(value, list) else value

        return sending.then(done)

    run.__annotations__ = {
        "_state": Any,
        "bucket": dist.GradBucket,
        "return": Future[Tensor],
    }  # DDP reads them
    return run


def _power_entries(size: Any) -> int | None:
    """Entries that PowerSGD has sent so far; None for another hook."""
    if isinstance(size, powerSGD_hook.PowerSGDState):
        return int(size.total_numel_after_compression)
    return None
