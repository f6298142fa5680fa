"""The reasons of a plan: why it is this layout, with its figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from training.distributed.footprint import Precision, footprint
from training.distributed.layout import Layout
from training.distributed.reasons import Reason
from training.distributed.shape import GB, Machine, Shape

if TYPE_CHECKING:
    from training.distributed.plan import Plan


def grounds(
    plan: Plan,
    shape: Shape,
    machine: Machine,
    precision: Precision,
    *,
    copies: bool,
    parts: bool = False,
    settled: bool = False,
) -> Iterator[Reason]:
    """All that there is to say of a plan, in the order in which a person wants to know it.

    Args:
        copies: whether a whole copy of the model fits on a device. parts: of a plan with offload, whether what
            waits in the host's memory would fit on the devices.
        settled: the layout was given, not found as the fastest that fits.
    """
    layout = plan.layout
    frozen = shape.parameters - shape.learning
    yield Reason(
        "needs_part" if frozen else "needs",
        **{"learning": in_count(shape.learning), "frozen": precision.weight} if frozen else {},
        parameters=in_count(shape.parameters),
        bytes=precision.state,
        total=in_gb(precision.state * shape.learning + precision.weight * frozen),
        memory=in_gb(machine.memory),
    )
    beside = min(layout.ranks, machine.per_node)
    if machine.kind == "cpu" and beside > 1:
        yield Reason("cpu_fixed", processes=beside)
    elif machine.kind == "cpu" and machine.cores > 1:
        yield Reason("cpu_one", processes=machine.cores)
    yield from _division(plan, machine, copies, parts, settled)
    if layout.tensor > 1:
        yield Reason("tensor", ranks=layout.tensor)
    if layout.pipeline > 1:
        bubble = (layout.pipeline - 1) / (layout.accumulation + layout.pipeline - 1)
        yield Reason("pipeline", stages=layout.pipeline, bubble=f"{100 * bubble:.0f} %")
    yield Reason(
        "batch" if layout.data > 1 else "batch_one",
        batch=layout.batch,
        data=layout.data,
        micro=layout.micro_batch,
        accumulation=layout.accumulation,
    )
    if layout.checkpointing != "none":
        plain = replace(layout, checkpointing="none")
        saved = footprint(shape, plain, precision, machine.kind).activations
        yield Reason(
            f"checkpoint_{layout.checkpointing}", before=in_gb(saved), after=in_gb(plan.memory.activations)
        )
    yield Reason("memory", total=in_gb(plan.memory.total), memory=in_gb(machine.memory))
    if plan.traffic.total:
        yield Reason("traffic", sent=in_gb(plan.traffic.total))


def _division(plan: Plan, machine: Machine, copies: bool, parts: bool, settled: bool) -> Iterator[Reason]:
    """Why data-parallel ranks hold what they hold."""
    layout: Layout = plan.layout
    given = settled and copies
    if layout.offload and machine.kind == "cpu":
        yield Reason("offload_cpu")
    elif layout.offload:
        host = in_gb(plan.memory.host * min(machine.per_node, layout.ranks))
        yield Reason("offload_given" if given else "offload_asked" if parts else "offload", host=host)
    elif layout.fsdp:
        code = "shard_given" if given else "shard_faster" if copies else "shard_must"
        yield Reason(code, ranks=layout.shard)
    elif layout.zero == 1:
        yield Reason("zero1", ranks=layout.replicate)
    elif layout.replicate > 1:
        if layout.tensor > 1 or layout.pipeline > 1:
            yield Reason("groups", groups=layout.replicate)
        else:
            yield Reason("copies" if copies else "copies_tight", ranks=layout.replicate)
    if layout.fsdp and layout.replicate > 1:
        yield Reason("hybrid", groups=layout.replicate, ranks=layout.shard)


def in_gb(size: float) -> str:
    """
    >>> in_gb(24e9), in_gb(3.2e6)
    ('24 GB', '3.2 MB')
    """
    if size >= 1000 * GB:
        return f"{size / GB:,.0f} GB"
    return f"{size / GB:.3g} GB" if size >= GB else f"{size / 10**6:.3g} MB"


def in_count(number: int) -> str:
    return f"{number / 10**9:.3g} billion" if number >= 10**9 else f"{number / 10**6:.3g} million"
