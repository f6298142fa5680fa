"""Bytes a rank sends in one step of a layout, with rings: the lower bound of each collective.

A ring of n ranks sends (n - 1) / n of the data for a gather or a reduce-scatter, twice that for an all-reduce
(Patarasu and Yuan 2009).
"""

from __future__ import annotations

from dataclasses import dataclass

from training.distributed.footprint import FP32, Precision
from training.distributed.layout import Layout
from training.distributed.shape import Machine, Shape

BUCKET_SECONDS = 0.002  # of its link: so long that the latency of a collective does not count


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Bytes a rank sends a step: to data-parallel ranks (weights, gradients), to those that share its
    matrices, to the next stage of the pipeline.
    """

    data: int
    tensor: int
    pipeline: int

    @property
    def total(self) -> int:
        return self.data + self.tensor + self.pipeline


def traffic(shape: Shape, layout: Layout, precision: Precision = FP32) -> Traffic:
    """The bytes of a step; O(1)."""
    own = shape.learning / (layout.pipeline * layout.tensor)
    everything = shape.parameters / (layout.pipeline * layout.tensor)
    gathers = layout.accumulation * (2 if layout.zero == 3 else 1)
    if layout.fsdp:
        data = gathers * ring(layout.shard) * everything * precision.weight
        # The sum of gradients is divided once a step, in fp32.
        data += ring(layout.shard) * own * 4
        data += 2 * ring(layout.replicate) * own / layout.shard * 4
    else:
        data = 2 * ring(layout.replicate) * own * precision.gradient
        if layout.zero == 1:  # ranks send each other the weights that they have updated
            data += ring(layout.replicate) * own * precision.weight
    edge = layout.micro_batch * shape.sequence * shape.hidden * precision.activation
    layers = -(-shape.layers // layout.pipeline)
    # Two sums a layer in each direction; two more where the forward pass is run again.
    again = {"none": 0.0, "selective": 1.0, "full": 2.0}[layout.checkpointing]
    sums = (4 + again) * layers * layout.accumulation
    return Traffic(
        data=round(data),
        tensor=round(sums * 2 * ring(layout.tensor) * edge),
        pipeline=round(2 * layout.accumulation * edge) if layout.pipeline > 1 else 0,
    )


def ring(ranks: int) -> float:
    """(n - 1) / n."""
    return (ranks - 1) / ranks


def bucket_bytes(machine: Machine, layout: Layout, shape: Shape) -> int:
    """Size of a gradient bucket: two milliseconds of the link it goes over, 1 to 200 MB, and never more
    than a quarter of the gradients, so that sending overlaps the backward pass.
    """
    link = machine.near if layout.ranks <= machine.per_node else machine.far
    quarter = shape.learning * 4 // (4 * layout.pipeline * layout.tensor)
    return int(min(max(link * BUCKET_SECONDS, 2**20), 200 * 2**20, max(2**20, quarter)))


def bucket_mb(machine: Machine, layout: Layout, shape: Shape) -> int:
    """The same in whole MiB, as DDP is told."""
    return max(1, round(bucket_bytes(machine, layout, shape) / 2**20))


def persistence_threshold(shape: Shape) -> int:
    """Parameters below which a tensor is not worth dividing: norms and biases stay whole on every rank (the
    idea of DeepSpeed's stage 3, where it is 100,000), ten rows of the width here, at most 100,000.
    """
    return min(100_000, 10 * shape.hidden)
