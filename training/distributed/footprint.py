"""How much memory a layout takes on one rank, by part, from the shape of the model alone.

Checked against measured peaks by bench/memory.py. Bytes a parameter follow Rajbhandari et al. 2020 (ZeRO):
Adam in fp32 takes 4 + 4 + 8; in mixed precision 2 + 2 + 12 (a master copy and two moments in fp32): 16 both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from training.distributed import activations
from training.distributed.activations import Widths
from training.distributed.layout import Layout
from training.distributed.shape import Kind, Shape

# What glibc keeps free in its heap on a CPU, as seen (see `elastic.ALLOCATOR`): between activations a share of
# them, where FSDP2 gathers layers the weights of all of them once, and some at the end.
GAPS, HEAP = 0.3, 48 * 10**6
FULL = 4  # bytes of a figure in fp32
LORA_RANK = 16  # of adapters that are only thought of
PARTS = ("weights", "gradients", "optimizer", "activations", "working", "saved", "between")


@dataclass(frozen=True, kw_only=True)
class Precision:
    """Bytes a parameter: weights to compute with, gradients, master copy (0: the weights are it), moments, and
    the copy that autocast makes of what learns, until the backward pass; bytes of an activation, and of what
    norms take in (0: the same)."""

    name: str
    weight: int
    gradient: int
    master: int
    moments: int = 8
    copy: int = 0
    activation: int = 4
    norm: int = 0

    @property
    def widths(self) -> Widths:
        return Widths(product=self.activation, norm=self.norm or self.activation)

    @property
    def state(self) -> int:
        return self.weight + self.gradient + self.master + self.moments


FP32 = Precision(name="fp32", weight=4, gradient=4, master=0)
AUTOCAST = Precision(
    name="fp32, products in bf16", weight=4, gradient=4, master=0, copy=2, activation=2, norm=4
)
# Of an adapter: what is frozen is kept in bf16, what learns in fp32.
FROZEN_BF16 = Precision(
    name="frozen in bf16, learning in fp32",
    weight=2,
    gradient=4,
    master=2,
    copy=2,
    activation=2,
    norm=4,
)
MIXED = Precision(name="bf16 with fp32 master weights", weight=2, gradient=2, master=4, activation=2)


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """Bytes on the rank that has most.

    Attributes:
        weights, gradients, optimizer: what stays from step to step, or for most of one.
        activations: what the forward pass keeps for the backward pass, logits included.
        working: gathered layers, buckets, and what is under way in one layer; on a CPU also what its allocator
            keeps free.
        saved: the copy of the state that checkpoints are written from, where it lies in the same memory.
        between: what is put together between two steps, when activations are gone: the model that reads the
            validation items, or what all ranks have of a checkpoint (ZeRO-1's state, what top-k left).
        held: whether gradients exist while activations do (DDP's buckets, accumulation); else they grow as
            activations shrink, and the larger of both counts.
        host: bytes in the host's memory, for each rank (offload).
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int
    working: int
    held: bool
    host: int = 0
    saved: int = 0
    between: int = 0

    @property
    def total(self) -> int:
        """The peak of a step, or of what is between two."""
        moving = self.gradients + self.activations if self.held else max(self.gradients, self.activations)
        still = self.gradients if self.held else 0
        return self.weights + self.optimizer + self.saved + max(moving + self.working, still + self.between)

    def to_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in (*PARTS, "host", "total", "held")}


def footprint(shape: Shape, layout: Layout, precision: Precision = FP32, kind: Kind = "cuda") -> Footprint:
    """The bytes of a step on the fullest rank, of GPUs or of processes on a CPU; O(1)."""
    mine, learning = _parameters(shape, layout)
    weights, gradients, optimizer, host = _states(mine, learning, layout, precision)
    kept = _activations(shape, layout, precision, kind)
    working = _working(shape, layout, precision, mine)
    if kind == "cpu":
        working += int(GAPS * kept) + HEAP
        working += precision.weight * (mine - shape.embedding - shape.head) if layout.fsdp else 0
    held = layout.accumulation > 1 or layout.pipeline > 1 or (layout.data > 1 and not layout.fsdp)
    # On a GPU it lies in the processor's memory, of which a run without offload takes little else.
    saved = _saved(shape, learning, layout, precision) if kind == "cpu" else 0
    stays, goes = (saved * (shape.beside.saved == when) for when in ("during", "last"))
    working += FULL * learning * shape.beside.left
    return Footprint(
        weights=weights,
        gradients=gradients,
        optimizer=optimizer,
        activations=kept,
        working=working,
        held=held,
        host=host,
        saved=stays,
        between=_between(shape, learning, layout, precision, goes),
    )


def lora_parameters(shape: Shape, rank: int = LORA_RANK) -> int:
    """Parameters of LoRA adapters of that rank on all matrices of all layers (Hu et al. 2021)."""
    h, f, kv = shape.hidden, shape.inner, shape.kv_width
    matrices = [(h, h), (h, kv), (h, kv), (h, h)] + [(h, f)] * (3 if shape.gated else 2)
    return shape.layers * sum(rank * (a + b) for a, b in matrices)


def _parameters(shape: Shape, layout: Layout) -> tuple[int, int]:
    """Parameters of the fullest rank before data-parallel ranks divide them, and how many of them learn."""
    if layout.pipeline == layout.tensor == 1:
        return shape.parameters, shape.learning
    layers = -(-shape.layers // layout.pipeline)
    cut = shape.norms + max(0, shape.layer - shape.norms) // layout.tensor
    ends = max(shape.embedding, shape.head) if layout.pipeline > 1 else shape.embedding + shape.head
    mine = layers * cut + ends
    return mine, round(mine * shape.learning / shape.parameters)


def _states(mine: int, learning: int, layout: Layout, precision: Precision) -> tuple[int, int, int, int]:
    """Weights, gradients, optimizer on the device, and bytes on the host."""
    data = layout.data if layout.zero else 1
    own = layout.shard if layout.fsdp else data  # HSDP divides inside a group only
    kept = precision.master + precision.moments
    if layout.fsdp:
        # FSDP2 keeps its part in the master precision and gathers in the computing one.
        stored = precision.master or precision.weight
        parts = stored * mine // own, stored * learning // own, precision.moments * learning // own
        return (0, 0, 0, sum(parts)) if layout.offload else (*parts, 0)
    return (
        precision.weight * mine,
        precision.gradient * learning,
        kept * learning // (own if layout.zero == 1 else 1),
        0,
    )


def _saved(shape: Shape, learning: int, layout: Layout, precision: Precision) -> int:
    """The copy that a checkpoint is written from: what learns, in fp32 whatever it is computed in, and its
    moments, of a rank's own part; of copies on all ranks one writes the whole, and what all of them left."""
    own = layout.shard if layout.fsdp else 1
    left = FULL * layout.ranks * shape.beside.left
    return (FULL + precision.moments + left) * learning // own


def _between(shape: Shape, learning: int, layout: Layout, precision: Precision, saved: int) -> int:
    """`saved`: of a copy that is not there during the steps."""
    beside = shape.beside
    sources = precision.moments * (layout.zero == 1) + FULL * layout.ranks * beside.left
    gathered = saved + (sources * learning if beside.saved != "never" else 0)
    if not beside.read:
        return gathered
    copies = FULL * shape.parameters * (not layout.holds_copies) + beside.packed * shape.layers * shape.layer
    # Of one layer: nothing is kept for a way back.
    flowing = FULL * beside.read * (4 * shape.hidden + shape.inner)
    return max(gathered, copies + flowing)


def _activations(shape: Shape, layout: Layout, precision: Precision, kind: Kind) -> int:
    widths = precision.widths
    tokens = layout.micro_batch * shape.sequence
    layers = -(-shape.layers // layout.pipeline)
    # Autocast keeps its copies of matrices until the forward pass is over, of layers computed again too.
    matrices = max(0, shape.layer - shape.norms) / layout.tensor
    copies = precision.copy * matrices * shape.learning / shape.parameters
    full = tokens * activations.of_layer(shape, widths, kind, layout.tensor)
    edge = tokens * shape.hidden * precision.weight  # all else that a checkpointed layer keeps
    again = {"none": 0.0, "selective": 0.5, "full": 1.0}[layout.checkpointing]
    kept = layers * (edge * again + full * (1 - again) + copies) + (full if again else 0)
    under_way = 1
    if layout.pipeline > 1:
        stages, parts = layout.pipeline, layout.accumulation
        under_way = parts if layout.schedule == "gpipe" else min(stages, parts)
    logits = activations.of_head(shape, tokens, widths, kind)
    last = 3 * tokens * shape.hidden * widths.norm  # the last norm
    if layout.pipeline > 1:  # the last stage alone has logits, and few micro-batches under way under 1F1B
        first = kept * under_way
        final = (kept + last) * (under_way if layout.schedule == "gpipe" else 1) + logits
        return int(max(first, final))
    return int(kept + last + logits)


def _working(shape: Shape, layout: Layout, precision: Precision, mine: int) -> int:
    layer = shape.norms + max(0, shape.layer - shape.norms) // layout.tensor
    ends = shape.embedding + shape.head
    if not layout.fsdp:
        return 0
    # Two layers gathered at once (one at work, one on its way), one layer's gradients before they are
    # divided; embedding and head stay gathered from the forward to the backward pass.
    gathered = ends + (2 * layer if layout.zero == 3 else mine - ends)
    return int(gathered * precision.weight + layer * (precision.weight + 4))
