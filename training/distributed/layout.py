"""How a model is spread over processes: a few numbers that plan, engine and reports share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from accounts.sentences import SentenceError, gettext_noop

Checkpointing = Literal["none", "selective", "full"]
Schedule = Literal["gpipe", "1f1b"]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Ranks = pipeline * replicate * shard * tensor, in that order from the outermost.

    Attributes:
        replicate: groups of ranks that hold the same weights and see different items.
        shard: ranks that see different items and share one copy of the weights (FSDP2).
        tensor: ranks that cut each matrix among themselves and see the same items.
        pipeline: stages; each has a part of the layers.
        zero: what data-parallel ranks divide, as ZeRO counts it (Rajbhandari et al. 2020): 0 nothing (DDP),
            1 optimizer state, 2 gradients as well, 3 weights as well. 2 and 3 are FSDP2 without and with
            freeing the gathered weights after the forward pass; then `shard` is above 1, or the one rank
            offloads.
        micro_batch: items that go through a rank at once. accumulation: micro-batches a rank takes one after
            the other in a step (for a pipeline: that are under way in it).
        checkpointing: layers whose activations are computed again in the backward pass: none, some, all.
        offload: weights, gradients and optimizer state wait in the host's memory (FSDP2's CPU offload).
        schedule: of a pipeline.
    """

    replicate: int = 1
    shard: int = 1
    tensor: int = 1
    pipeline: int = 1
    zero: int = 0
    micro_batch: int = 1
    accumulation: int = 1
    checkpointing: Checkpointing = "none"
    offload: bool = False
    schedule: Schedule = "1f1b"

    def __post_init__(self) -> None:
        for name in ("replicate", "shard", "tensor", "pipeline", "micro_batch", "accumulation"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: found {getattr(self, name)}, expected 1 or more")
        if self.zero not in (0, 1, 2, 3):
            raise ValueError(f"zero: found {self.zero}, expected 0 to 3")
        if self.shard > 1 and self.zero < 2:
            raise ValueError(
                f"found {self.shard} ranks that share weights with zero {self.zero}: "
                "expected 2 or 3 there, or `replicate` instead of `shard`"
            )
        if self.offload and self.zero < 2:
            raise ValueError(f"offload: found zero {self.zero}, expected 2 or 3: FSDP2 does the moving")
        if self.zero == 1 and self.pipeline > 1:
            raise ValueError(
                "found ZeRO-1 in a pipeline, expected 0, 2 or 3 there: DDP or FSDP2 in each stage"
            )

    @property
    def ranks(self) -> int:
        return self.pipeline * self.replicate * self.shard * self.tensor

    @property
    def data(self) -> int:
        """In how many parts a batch is dealt out."""
        return self.replicate * self.shard

    @property
    def batch(self) -> int:
        """Items a step, over all ranks."""
        return self.data * self.micro_batch * self.accumulation

    @property
    def fsdp(self) -> bool:
        """Whether FSDP2 holds the weights."""
        return self.zero >= 2

    @property
    def holds_copies(self) -> bool:
        """Whether every rank has all weights."""
        return not self.fsdp and self.tensor == self.pipeline == 1

    @property
    def name(self) -> str:
        """For people.

        >>> Layout(tensor=4, pipeline=2, replicate=4).name
        'TP 4 · PP 2 · DDP 4'
        >>> Layout(replicate=2, shard=2, zero=3).name
        'HSDP 2×2'
        """
        parts = []
        if self.tensor > 1:
            parts.append(f"TP {self.tensor}")
        if self.pipeline > 1:
            parts.append(f"PP {self.pipeline}")
        if self.fsdp and self.replicate > 1:
            parts.append(f"HSDP {self.replicate}×{self.shard}")
        elif self.fsdp:
            parts.append(f"FSDP2 {self.shard} (ZeRO-{self.zero})" if self.shard > 1 else "FSDP2")
        elif self.zero == 1:
            parts.append(f"ZeRO-1 {self.replicate}")
        elif self.replicate > 1:
            parts.append(f"DDP {self.replicate}")
        if self.offload:
            parts.append("CPU offload")
        return " · ".join(parts) or "one process"

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {"name": self.name}


# What a fine-tune of an encoder or a tune of a language model can be asked for; "auto": the simplest that fits.
Name = Literal["auto", "ddp", "zero1", "zero2", "zero3", "zero3_offload", "hsdp", "tp", "tp_zero3"]
NAMES: tuple[str, ...] = get_args(Name)
CUT = ("tp", "tp_zero3")  # those that cut matrices
# Whose matrices `split` knows by name, and which have nothing else that learns where they are cut.
CUT_FAMILIES = (
    *("bert", "camembert", "electra", "ernie", "roberta", "xlm-roberta"),
    *("llama", "mistral", "qwen2"),
)
_GROUPS = ("hsdp", "tp_zero3")  # those of two axes
_STAGES = ("pp", "pipeline", "gpipe", "1f1b")


def check_name(name: str, compression: str = "none", surgery: bool = False) -> None:
    """Whether a fine-tune can run so.

    Args:
        compression, surgery: what is to be done to gradients, which takes a whole gradient on every rank.

    Raises:
        ValueError: it cannot; the message says what can.
    """
    if name in _STAGES:
        raise ValueError(
            f"layout: found {name}, expected one of {', '.join(NAMES)}: a model is divided by its weights and "
            "its matrices here, not by its layers; use zero3, or tp_zero3"
        )
    if name not in NAMES:
        raise ValueError(f"layout: found {name!r}, expected one of {', '.join(NAMES)}")
    if compression != "none" and name not in ("auto", "ddp", "zero1"):
        raise ValueError(
            f"compression: found {compression} with the layout {name}, expected none: only the gradients of "
            "ddp and zero1 can be compressed"
        )
    if surgery and name not in ("auto", "ddp", "zero1"):
        raise ValueError(
            f"gradient_surgery: found it with the layout {name}, expected auto, ddp or zero1: it needs whole "
            "gradients on every process"
        )
    if surgery and compression != "none":
        raise ValueError(
            f"gradient_surgery: found it with the compression {compression}, expected none: it averages whole "
            "gradients over the processes itself, and nothing would be compressed"
        )


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What ranks that cut a model's matrices must be able to share evenly: heads of attention, those that keys
    and values have, and the width inside the feed-forward part. 0: not known.

    `family`: its `model_type`, as transformers calls it; empty: not known.
    """

    heads: int = 0
    kv_heads: int = 0
    inner: int = 0
    family: str = ""

    def evenly(self, ranks: int) -> bool:
        return not any(number % ranks for number in (self.heads, self.kv_heads, self.inner))


def check_ranks(name: str, ranks: int, shared: Shared) -> None:
    """Whether so many processes can hold a model so. One runs under any name, undivided.

    Args:
        ranks: on all machines.

    Raises:
        SentenceError: they cannot; the message says what can.
    """
    if name in _GROUPS and ranks > 1 and (ranks < 4 or ranks % 2):
        raise SentenceError(
            gettext_noop(
                "layout: found %(layout)s for %(processes)s processes, expected an even number of 4 or more: "
                "use zero3, or other processes"
            ),
            layout=name,
            processes=ranks,
        )
    if name in CUT and ranks > 1:
        if shared.family and shared.family not in CUT_FAMILIES:
            raise SentenceError(
                gettext_noop(
                    "layout: found %(layout)s and a model of the family %(family)s, expected one of %(known)s, "
                    "whose matrices are known: use zero3"
                ),
                layout=name,
                family=shared.family,
                known=", ".join(CUT_FAMILIES),
            )
        cuts(name, ranks, shared)


def cuts(name: str, ranks: int, shared: Shared) -> list[int]:
    """Among how many ranks a layout of `CUT` can cut each matrix; all that it allows, the fewest first.

    Raises:
        SentenceError: no number shares them evenly.

    >>> cuts("tp_zero3", 8, Shared(heads=32, kv_heads=8))
    [2, 4]
    """
    allowed = [ranks] if name == "tp" else [some for some in range(2, ranks) if ranks % some == 0]
    found = [some for some in allowed if shared.evenly(some)]
    if not found:
        raise SentenceError(
            gettext_noop(
                "layout: found %(layout)s for %(processes)s processes and a model with %(heads)s attention "
                "heads (%(kv)s of keys and values), %(inner)s units wide inside, expected processes that can "
                "share each evenly: use zero3, or other processes"
            ),
            layout=name,
            processes=ranks,
            heads=shared.heads,
            kv=shared.kv_heads,
            inner=shared.inner,
        )
    return found
