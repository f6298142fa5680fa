"""What a plan has to know of a model and of a machine: a few numbers each."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal

from training.distributed.layout import Shared

Kind = Literal["cuda", "cpu"]
Saved = Literal["never", "last", "during"]  # checkpoints: none, one after the last step, also between steps

GB = 10**9
POOL = "TRAINING_GPU_POOL"  # of the environment: a share of a GPU that a program takes at its start
# What configurations call the share that attention drops: BERT's; DistilBERT's and Llama's; GPT-2's.
ATTENTION_DROPS = ("attention_probs_dropout_prob", "attention_dropout", "attn_pdrop")
# One core's matrix products in fp32, measured on the machine this was written on; memory and an office's net.
CPU_SPEEDS = {"speed": 100e9, "near": 2e9, "far": 1e9}


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What a run holds beside its steps, once it has come to it. What follows the training is left out.

    Attributes:
        saved: when checkpoints are written, from a copy that stays in the processor's memory for the next.
        left: whether every rank keeps what top-k did not send, of which a checkpoint holds that of all.
        read: tokens of validation texts that a whole copy of the model reads at once on each rank; 0: there are
            none, or they are read by the model as it lies.
        packed: bytes a parameter of the layers in the copy of them that reads faster; 0: there is none.
    """

    saved: Saved = "never"
    left: bool = False
    read: int = 0
    packed: int = 0


NOTHING_BESIDE = Beside()


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A transformer, and what is done with it.

    Attributes:
        parameters: all of them. trainable: those that learn; None: all (LoRA leaves a percent).
        hidden: width of the residual stream. intermediate: width inside the feed-forward part.
        kv_heads: heads that keys and values have; None: as many as queries.
        gated: three feed-forward matrices (Llama) instead of two (BERT).
        sequence: tokens of an item, padding included.
        outputs: figures a model gives; `per_token`: at each token (a language model), else once an item.
        tied: the head is the embedding.
        flash: attention does not keep its (heads, sequence, sequence) probabilities.
        dropout: of an encoder's sums, or of what goes into adapters. attention_dropout: of attention.
        adapted: rank of the LoRA adapters on all matrices of the layers; 0: none.
        tile: words whose logits a language model's loss has at hand at once; None: all.
        beside: what a run holds beside its steps.
    """

    parameters: int
    layers: int
    hidden: int
    heads: int
    vocabulary: int
    sequence: int
    intermediate: int | None = None
    kv_heads: int | None = None
    gated: bool = True
    outputs: int | None = None
    per_token: bool = True
    tied: bool = False
    trainable: int | None = None
    flash: bool = True
    dropout: bool = False
    attention_dropout: bool = False
    adapted: int = 0
    tile: int | None = None
    beside: Beside = NOTHING_BESIDE

    def __post_init__(self) -> None:
        for name in ("parameters", "layers", "hidden", "heads", "vocabulary", "sequence"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: found {getattr(self, name)}, expected 1 or more")
        if self.hidden % self.heads:
            raise ValueError(
                f"found {self.heads} heads for a width of {self.hidden}, expected a divisor of it"
            )

    @classmethod
    def of(
        cls,
        model: Any,
        sequence: int,
        *,
        outputs: int | None = None,
        tile: int | None = None,
        beside: Beside = NOTHING_BESIDE,
    ) -> Shape:
        """Read a transformers model, or one with LoRA on all matrices of its layers: configuration and modules.

        Args:
            outputs: classes of a classifier; None: a language model. tile, beside: see the class.
        """
        from torch import nn

        config = model.config
        adapters = getattr(model, "peft_config", {})
        values = list(model.parameters())
        table = model.get_input_embeddings()  # may be cut to the words in use
        return cls(
            parameters=sum(value.numel() for value in values),
            trainable=sum(value.numel() for value in values if value.requires_grad),
            layers=config.num_hidden_layers,
            hidden=config.hidden_size,
            heads=config.num_attention_heads,
            kv_heads=getattr(config, "num_key_value_heads", None),
            intermediate=getattr(config, "intermediate_size", None) or config.hidden_dim,  # DistilBERT's name
            vocabulary=config.vocab_size if table is None else table.num_embeddings,
            sequence=sequence,
            gated=hasattr(config, "rms_norm_eps"),
            outputs=outputs,
            per_token=outputs is None,
            tied=bool(getattr(config, "tie_word_embeddings", False)) and outputs is None,
            dropout=any(one.lora_dropout > 0 for one in adapters.values())
            if adapters
            else any(isinstance(part, nn.Dropout) and part.p > 0 for part in model.modules()),
            attention_dropout=any(getattr(config, name, None) for name in ATTENTION_DROPS),
            adapted=max((one.r for one in adapters.values()), default=0),
            tile=tile,
            beside=beside,
        )

    @property
    def learning(self) -> int:
        return self.parameters if self.trainable is None else self.trainable

    @property
    def inner(self) -> int:
        return self.intermediate or 4 * self.hidden

    @property
    def shared(self) -> Shared:
        return Shared(heads=self.heads, kv_heads=self.kv_heads or self.heads, inner=self.inner)

    @property
    def kv_width(self) -> int:
        return self.hidden * (self.kv_heads or self.heads) // self.heads

    @property
    def embedding(self) -> int:
        """Parameters of the token embedding."""
        return self.vocabulary * self.hidden

    @property
    def head(self) -> int:
        """Parameters of the head, if it has its own."""
        if not self.per_token:
            return (self.outputs or 2) * self.hidden
        return 0 if self.tied else (self.outputs or self.vocabulary) * self.hidden

    @property
    def layer(self) -> int:
        """Parameters of one layer, the mean."""
        return max(1, self.parameters - self.embedding - self.head) // self.layers

    @property
    def norms(self) -> int:
        """Parameters of a layer that tensor parallelism leaves whole."""
        return 2 * self.hidden


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What there is to train on.

    Attributes:
        kind: "cuda" or "cpu". devices: GPUs, or processes on CPU. per_node: of them in one box.
        memory: bytes each may use. host: bytes of memory of a box.
        speed: floating-point operations a second of a device that training really reaches.
        cores: of a box's processor that a process may use.
        near: bytes a second between two devices of a box; far: from box to box, for each device.
    """

    kind: Kind
    devices: int
    memory: int
    per_node: int = 8
    host: int = 0
    cores: int = 1
    speed: float = 150e12
    near: float = 200e9
    far: float = 20e9

    def __post_init__(self) -> None:
        if self.devices < 1 or self.memory < 1 or self.per_node < 1:
            raise ValueError(
                f"found {self.devices} devices of {self.memory} bytes, {self.per_node} a node, expected 1"
            )

    @property
    def nodes(self) -> int:
        return -(-self.devices // self.per_node)

    @classmethod
    def here(cls, processes: int) -> Machine:
        """Computers like this one, for so many processes on all of them: its GPUs, or its memory shared evenly
        between those that run here, whom torchrun counts.
        """
        import torch

        local = min(processes, int(os.environ.get("LOCAL_WORLD_SIZE", processes)))
        host = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        cores = own_cores()
        if torch.cuda.is_available():
            memory = min(
                torch.cuda.get_device_properties(at).total_memory for at in range(torch.cuda.device_count())
            )
            return cls(
                kind="cuda",
                devices=processes,
                per_node=min(local, torch.cuda.device_count()),
                memory=memory,
                host=host,
                cores=cores,
            )
        return cls(
            kind="cpu",
            devices=processes,
            per_node=local,
            memory=host // local,
            host=host,
            cores=cores,
            **CPU_SPEEDS,
        )


def own_cores() -> int:
    """Cores of this machine that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pool_share(text: str) -> float:
    """The share of a GPU's memory that a setting names; 0: none.

    Raises:
        ValueError: it is no number from 0 to 1.

    >>> pool_share("0.5"), pool_share("")
    (0.5, 0.0)
    """
    try:
        share = float(text or 0)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError(f"{POOL}: found {text!r}, expected a share from 0 (none) to 1")
    return share
