"""Which layout a run gets on the ranks that there are: the one asked for, or the simplest that fits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from training.distributed import communicate, plan
from training.distributed.footprint import FP32, Precision
from training.distributed.layout import Checkpointing, Layout, check_name, check_ranks, cuts
from training.distributed.plan import Plan
from training.distributed.reasons import Reason
from training.distributed.shape import Machine, Shape

AGAIN: tuple[Checkpointing, ...] = ("none", "selective", "full")  # from the fastest to the leanest


def settle(
    name: str,
    ranks: int,
    shape: Shape,
    machine: Machine,
    batch: int,
    *,
    copies: bool = False,
    takes: Precision = FP32,
    again: Sequence[Checkpointing] = AGAIN,
) -> Plan:
    """The plan for so many ranks: a layout with the least checkpointing that fits by the estimate, or the last
    of `again` where none does.

    Args:
        name: one of `layout.NAMES`. batch: items a step.
        copies: every rank must hold the whole model, which takes DDP.
        takes: bytes a parameter. again: kinds of checkpointing that the run can do, the fastest first.

    "tp_zero3" cuts matrices among as many ranks of a box as is fastest by the estimate, of what fits; among the
    fewest that it can, of several boxes, where no box has so many.
    "auto" is the simplest that fits: copies, then ever more divided (ZeRO-1, 2, 3). On GPUs the host's memory is
    the last resort, once nothing fits with all activations computed again; on a CPU it is the same memory.

    Ranks that cannot be arranged as asked (machines were lost, or came) divide the weights among them all, and
    the plan says so first: a run does not end for it.

    Raises:
        ValueError: there is no such name.
    """
    check_name(name)
    if told := regrouped(name, ranks, shape):
        found = settle("zero3", ranks, shape, machine, batch, takes=takes, again=again)
        return replace(found, reasons=[*told, *found.reasons])
    if name == "tp_zero3" and ranks > 1:
        return _two_axes(ranks, shape, machine, batch, takes, again)
    if name != "auto":
        return _lightest(_named(name, ranks, machine, batch), shape, machine, takes, again)
    steps = ["ddp"] if copies else ["ddp", "zero1", "zero2", "zero3"] if ranks > 1 else ["ddp"]
    ladder = [_named(one, ranks, machine, batch) for one in steps]
    for layout in ladder[:-1]:
        if plan.fits(plan.explain(layout, shape, machine, takes), machine):
            return _lightest(layout, shape, machine, takes, again)
    found = _lightest(ladder[-1], shape, machine, takes, again)
    offloaded = _named("zero3_offload", ranks, machine, batch)
    if machine.kind == "cuda" and not copies and offloaded.offload and not plan.fits(found, machine):
        last = _lightest(offloaded, shape, machine, takes, again)
        return last if plan.fits(last, machine) else found
    return found


def regrouped(name: str, ranks: int, shape: Shape) -> list[Reason]:
    """What is to be said where so many ranks cannot be arranged as asked; else nothing."""
    try:
        check_ranks(name, ranks, shape.shared)
    except ValueError:
        return [Reason("regrouped", layout=name, ranks=ranks)]
    return []


def _two_axes(
    ranks: int,
    shape: Shape,
    machine: Machine,
    batch: int,
    takes: Precision,
    again: Sequence[Checkpointing],
) -> Plan:
    possible = cuts("tp_zero3", ranks, shape.shared)
    inside = [some for some in possible if machine.per_node % some == 0] or possible[:1]
    plans = [
        _lightest(
            Layout(shard=ranks // some, tensor=some, zero=3, micro_batch=-(-batch * some // ranks)),
            *(shape, machine, takes, again),
        )
        for some in inside
    ]
    return min(plans, key=lambda one: (not plan.fits(one, machine), one.seconds))


def _named(name: str, ranks: int, machine: Machine, batch: int) -> Layout:
    """A single rank is undivided under any name, but for what waits in the host's memory; that takes a group."""
    micro = -(-batch // (1 if name == "tp" else ranks))
    if name == "zero3_offload" and (ranks > 1 or communicate.is_grouped()):
        return Layout(shard=ranks, zero=3, offload=True, micro_batch=micro)
    if ranks == 1 or name == "ddp":
        return Layout(replicate=ranks, micro_batch=micro)
    if name == "zero1":
        return Layout(replicate=ranks, zero=1, micro_batch=micro)
    if name == "tp":
        return Layout(tensor=ranks, micro_batch=micro)
    if name != "hsdp":
        return Layout(shard=ranks, zero=2 if name == "zero2" else 3, micro_batch=micro)
    inside = 1 < machine.per_node < ranks and not ranks % machine.per_node
    shard = machine.per_node if inside else ranks // 2
    return Layout(replicate=ranks // shard, shard=shard, zero=3, micro_batch=micro)


def _lightest(
    layout: Layout, shape: Shape, machine: Machine, takes: Precision, again: Iterable[Checkpointing]
) -> Plan:
    for kind in again:
        found = plan.explain(replace(layout, checkpointing=kind), shape, machine, takes)
        if plan.fits(found, machine):
            break
    return found
