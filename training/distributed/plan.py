"""From a model and a machine to a layout: the fastest of those that fit, with reasons in words.

Every layout that the machine allows is tried (a few thousand): its memory (`footprint`), its traffic
(`traffic`), and the seconds of a step that follow. No model of a machine is exact; what fits is left a margin,
and of layouts within five percent of the fastest the simplest is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from training.distributed.footprint import (
    FP32,
    LORA_RANK,
    MIXED,
    Footprint,
    Precision,
    footprint,
    lora_parameters,
)
from training.distributed.grounds import grounds, in_count, in_gb
from training.distributed.layout import Layout
from training.distributed.reasons import Reason
from training.distributed.shape import Machine, Shape
from training.distributed.traffic import Traffic, bucket_bytes, persistence_threshold, traffic

MARGIN = 0.9  # of a device's memory may be planned: allocators leave gaps, libraries take workspace
ALIKE = 1.05  # seconds within this factor of the fastest count as equal
MOST_MICRO = 64
OVERLAP = 0.7  # of the arithmetic can hide traffic of data-parallel ranks
HOST_LINK = 25e9  # bytes a second between host and device
_AGAIN = {"none": 3.0, "selective": 3.5, "full": 4.0}  # forward, backward, and what is run again


class NoFit(ValueError):
    """No layout of the model fits the machine. The message says what would."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A layout with what it takes.

    Attributes:
        seconds: of a step, by the machine's figures; good for comparing layouts only.
        bucket: bytes of a gradient bucket. persist: parameters below which a tensor is not divided.
        reasons: why it is this one.
    """

    layout: Layout
    memory: Footprint
    traffic: Traffic
    seconds: float
    bucket: int
    persist: int
    reasons: list[Reason] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {
            "layout": self.layout.to_json(),
            "memory": self.memory.to_json(),
            "bytes_sent": {
                "data": self.traffic.data,
                "tensor": self.traffic.tensor,
                "pipeline": self.traffic.pipeline,
            },
            "bucket_bytes": self.bucket,
            "persistence_threshold": self.persist,
            "reasons": [reason.to_json() for reason in self.reasons],
        }


def choose(
    shape: Shape, machine: Machine, *, batch: int, precision: Precision | None = None, fixed: bool = False
) -> Plan:
    """The layout to train `shape` on `machine` with `batch` items a step.

    Args:
        precision: None: fp32 on CPU, bf16 with fp32 master weights on GPUs.
        fixed: use all devices, also where fewer are as fast (processes on one CPU).

    Raises:
        NoFit: nothing fits; the message says by how much, and whether LoRA would.
    """
    if batch < 1:
        raise ValueError(f"batch: found {batch}, expected 1 or more")
    precision = precision or (MIXED if machine.kind == "cuda" else FP32)
    used = machine if fixed else worthwhile(machine)
    plans = [measure(shape, used, layout, precision) for layout in layouts(shape, used, batch)]
    fitting = [plan for plan in plans if fits(plan, used)]
    if not fitting:
        raise NoFit(_no_fit(shape, used, batch, precision, plans))
    if any(not plan.layout.offload for plan in fitting):  # the host's memory is a last resort
        fitting = [plan for plan in fitting if not plan.layout.offload]
    fastest = min(plan.seconds for plan in fitting)
    best = min(
        (plan for plan in fitting if plan.seconds <= fastest * ALIKE),
        key=lambda plan: (_complexity(plan.layout), plan.seconds, plan.memory.total),
    )
    copies = any(fits_plain(plan) for plan in fitting)
    return replace(best, reasons=list(grounds(best, shape, used, precision, copies=copies)))


def explain(layout: Layout, shape: Shape, machine: Machine, precision: Precision = FP32) -> Plan:
    """A layout that is settled already, with what it takes and what there is to say of it: also whether whole
    copies would have fitted, with the same micro-batches."""
    plan = measure(shape, machine, layout, precision)
    plain = replace(layout, replicate=layout.ranks, shard=1, tensor=1, pipeline=1, zero=0, offload=False)
    beside = replace(layout, offload=False)
    copies, parts = (fits(measure(shape, machine, one, precision), machine) for one in (plain, beside))
    told = grounds(plan, shape, machine, precision, copies=copies, parts=parts, settled=True)
    return replace(plan, reasons=list(told))


def worthwhile(machine: Machine) -> Machine:
    """The devices that make training faster. On CPUs that is one process a box, which has all its cores: several
    share them, compute no faster, and have to send each other gradients."""
    if machine.kind == "cuda":
        return machine
    beside = min(machine.devices, machine.per_node)
    return replace(
        machine,
        devices=machine.nodes,
        per_node=1,
        memory=machine.memory * beside,
        speed=machine.speed * beside,
        cores=max(machine.cores, beside),
    )


def measure(shape: Shape, machine: Machine, layout: Layout, precision: Precision) -> Plan:
    """A layout with its memory, traffic and seconds. What waits in a processor's memory has not left it."""
    held = layout if machine.kind == "cuda" else replace(layout, offload=False)
    memory, sent = footprint(shape, held, precision, machine.kind), traffic(shape, layout, precision)
    return Plan(
        layout=layout,
        memory=memory,
        traffic=sent,
        seconds=_seconds(shape, machine, layout, precision, sent),
        bucket=bucket_bytes(machine, layout, shape),
        persist=persistence_threshold(shape) if layout.fsdp and layout.tensor == 1 else 0,
    )


def fits(plan: Plan, machine: Machine) -> bool:
    """Whether the plan leaves the margin free on each device, and on the host."""
    beside = min(machine.per_node, plan.layout.ranks)
    host = plan.memory.host * beside
    # Of ranks that hold copies one writes checkpoints, and those of a box share its memory.
    once = plan.memory.saved * (beside - 1) // beside if plan.layout.holds_copies else 0
    return plan.memory.total - once <= MARGIN * machine.memory and host <= MARGIN * machine.host


def layouts(shape: Shape, machine: Machine, batch: int) -> Iterator[Layout]:
    """Every layout that uses all devices and deals the batch out evenly."""
    kv = shape.kv_heads or shape.heads
    for tensor in _divisors(machine.devices):
        if tensor > machine.per_node or shape.heads % tensor or kv % tensor:
            continue
        for stages in _divisors(machine.devices // tensor):
            if stages > shape.layers or (stages > 1 and shape.tied):
                continue
            data = machine.devices // tensor // stages
            if batch % data:
                continue
            for replicas, parts, zero, offload in _data_ways(data, stages, machine):
                yield from _batches(
                    Layout(
                        replicate=replicas,
                        shard=parts,
                        tensor=tensor,
                        pipeline=stages,
                        zero=zero,
                        offload=offload,
                    ),
                    batch // data,
                )


def _data_ways(data: int, stages: int, machine: Machine) -> Iterator[tuple[int, int, int, bool]]:
    """(replicate, shard, zero, offload) of so many data-parallel ranks."""
    yield data, 1, 0, False
    if data > 1 and stages == 1:
        yield data, 1, 1, False
    for shard in _divisors(data):
        for zero in (2, 3):
            if shard > 1:
                yield data // shard, shard, zero, False
            if machine.kind == "cuda" and zero == 3 and shard == data:
                yield 1, shard, 3, True


def _batches(layout: Layout, each: int) -> Iterator[Layout]:
    """The same with every micro-batch and every kind of checkpointing."""
    for micro in _divisors(each):
        if micro > MOST_MICRO or each // micro < layout.pipeline:
            continue
        for kind in ("none", "selective", "full"):
            yield replace(layout, micro_batch=micro, accumulation=each // micro, checkpointing=kind)


def _seconds(shape: Shape, machine: Machine, layout: Layout, precision: Precision, sent: Traffic) -> float:
    """Arithmetic (2 operations a parameter and token forward, twice that backward), bubble and traffic."""
    tokens = layout.micro_batch * layout.accumulation * shape.sequence
    own = (shape.parameters - shape.embedding) / (layout.tensor * layout.pipeline)
    attention = 2 * shape.layers * shape.hidden * shape.sequence / (layout.tensor * layout.pipeline)
    full = layout.micro_batch * shape.sequence / (layout.micro_batch * shape.sequence + 512)  # small products
    work = 2 * _AGAIN[layout.checkpointing] * (own + attention) * tokens / (machine.speed * full)
    bubble = 1 + (layout.pipeline - 1) / layout.accumulation
    near, far = machine.near, machine.far
    data_link = near if layout.ranks <= machine.per_node else far
    data = sent.data / data_link
    hidden = OVERLAP * work / layout.accumulation * (layout.accumulation if layout.zero == 3 else 1)
    seconds = work * bubble + max(0.0, data - hidden) + sent.tensor / near + sent.pipeline / data_link
    state = 16 * shape.learning / layout.ranks
    if layout.offload:  # weights in for every pass, gradients out, and Adam on the host's few cores
        passes = 2 * layout.accumulation + 2
        return seconds + passes * 4 * shape.parameters / layout.ranks / HOST_LINK + state / 5e9
    return seconds + state * 2 / 1e12


def _complexity(layout: Layout) -> int:
    """What a person has to understand and can go wrong; less is better among equals."""
    return (
        4 * (layout.pipeline > 1)
        + 3 * (layout.tensor > 1)
        + 3 * layout.offload
        + layout.zero
        + (layout.fsdp and layout.replicate > 1)
        + {"none": 0, "selective": 1, "full": 1}[layout.checkpointing]
    )


def weights_only(shape: Shape, layout: Layout, precision: Precision = MIXED) -> tuple[int, int]:
    """Bytes of the weights of one rank, and of all that Adam needs, undivided by data-parallel ranks: the sum
    that is often left out.

    >>> seventy = Shape(parameters=70 * 10**9, layers=80, hidden=8192, heads=64, vocabulary=32000, sequence=4096)
    >>> [round(value / 10**9, 1) for value in weights_only(seventy, Layout(tensor=4, pipeline=2, replicate=4))]
    [17.5, 140.0]
    """
    own = shape.parameters // (layout.tensor * layout.pipeline)
    return own * precision.weight, own * precision.state


def _divisors(number: int) -> list[int]:
    return [value for value in range(1, number + 1) if number % value == 0]


def fits_plain(plan: Plan) -> bool:
    """Whether it is a plan without FSDP2, offload, TP or PP."""
    return plan.layout.holds_copies


def _no_fit(shape: Shape, machine: Machine, batch: int, precision: Precision, plans: list[Plan]) -> str:
    found = f"{in_count(shape.parameters)} parameters on {machine.devices} devices of {in_gb(machine.memory)}"
    if not plans:
        return (
            f"found a batch of {batch} items for {found}: no layout deals it out evenly; "
            f"use a multiple of {machine.devices}"
        )
    least = min(plans, key=lambda plan: (plan.memory.host > MARGIN * machine.host, plan.memory.total))
    light = replace(shape, trainable=lora_parameters(shape), adapted=LORA_RANK)
    other = [
        plan
        for plan in (measure(light, machine, layout, precision) for layout in layouts(light, machine, batch))
        if fits(plan, machine)
    ]
    text = (
        f"found {found}: the leanest layout ({least.layout.name}) needs {in_gb(least.memory.total)} a device "
        f"and {in_gb(least.memory.host * min(machine.per_node, machine.devices))} on the host"
    )
    if not other or shape.learning < shape.parameters:
        return text + "; use more devices, shorter texts or a smaller model"
    lean = min(other, key=lambda plan: plan.seconds)
    return text + (
        f"; LoRA with rank {LORA_RANK} ({in_count(light.learning)} parameters learn) fits in "
        f"{in_gb(lean.memory.total)}"
    )
