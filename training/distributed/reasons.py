"""Why a plan is as it is, and what a profile advises: a code with figures. In English here; pages translate."""

from __future__ import annotations

from typing import Any

TEXTS = {
    "needs": "%(parameters)s parameters take %(bytes)s bytes each with Adam, %(total)s in all; a "
    "device has %(memory)s.",
    "needs_part": "%(learning)s of %(parameters)s parameters learn and take %(bytes)s bytes each with Adam, the "
    "others %(frozen)s: %(total)s in all; a device has %(memory)s.",
    "cpu_one": "One process with all cores: %(processes)s processes on one CPU share the same cores, "
    "and would only add the sending of gradients.",
    "cpu_fixed": "%(processes)s processes were asked for. On one CPU they share the same cores: one "
    "process with as many threads is as fast.",
    "offload": "Weights, gradients and optimizer wait in the host's memory (%(host)s), and come "
    "layer by layer: nothing else fits.",
    "shard_must": "Weights, gradients and optimizer are divided among %(ranks)s ranks (FSDP2): a whole "
    "copy does not fit on a device.",
    "shard_faster": "Weights are divided among %(ranks)s ranks (FSDP2): that leaves room for larger "
    "micro-batches.",
    "shard_given": "Weights, gradients and optimizer are divided among %(ranks)s ranks (FSDP2), as the layout "
    "says: a whole copy would fit on a device too.",
    "offload_given": "Weights, gradients and optimizer wait in the host's memory (%(host)s), as the layout "
    "says: a whole copy would fit on a device too.",
    "offload_asked": "Weights, gradients and optimizer wait in the host's memory (%(host)s), as the layout "
    "says: divided among the devices they would fit there.",
    "offload_cpu": "Weights, gradients and optimizer are moved as the layout says, which saves nothing here: a "
    "processor's memory is the host's.",
    "regrouped": "%(ranks)s processes cannot be arranged as %(layout)s: weights, gradients and optimizer are "
    "divided among all of them instead.",
    "zero1": "Every rank holds the weights, and a part of the optimizer's state (ZeRO-1, %(ranks)s ranks).",
    "copies": "Every rank holds a whole copy (DDP, %(ranks)s ranks): it fits, and sends least.",
    "copies_tight": "Every rank holds a whole copy (DDP, %(ranks)s ranks), as the layout says: by the "
    "estimate it does not fit on a device.",
    "groups": "%(groups)s groups of ranks hold the same weights and see different items: they sum "
    "their gradients.",
    "hybrid": "%(groups)s groups of %(ranks)s ranks each hold a copy (HSDP): weights are gathered "
    "over the fast links only.",
    "tensor": "Matrices are cut among %(ranks)s ranks of one box: less memory a rank, at two sums a layer.",
    "pipeline": "Layers are dealt out to %(stages)s stages; %(bubble)s of the time a stage waits.",
    "batch": "A batch of %(batch)s items is dealt out to %(data)s ranks, in micro-batches of "
    "%(micro)s, %(accumulation)s of them a step.",
    "batch_one": "A batch of %(batch)s items goes through in micro-batches of %(micro)s, "
    "%(accumulation)s of them a step.",
    "checkpoint_selective": "Every second layer's activations are computed again in the backward pass: "
    "%(after)s instead of %(before)s.",
    "checkpoint_full": "All layers' activations are computed again in the backward pass: %(after)s instead "
    "of %(before)s.",
    "memory": "The estimate is %(total)s of the device's %(memory)s.",
    "traffic": "A rank sends %(sent)s a step.",
    "much_communication": "%(share)s of the time goes into sending between processes: use larger micro-batches, "
    "compression, or fewer processes.",
    "sending_unmeasured": "Under this layout sending between processes is not timed apart: it stands with "
    "arithmetic. Let the profiler look at some steps (profile_steps) to see its share.",
    "much_waiting": "%(share)s of the time waits for data: prepare batches earlier, or use more loader "
    "workers.",
    "much_idle": "%(share)s of the time nothing is computed: batches are too small for this machine, "
    "or other programs take its cores.",
    "too_few": "The run took %(steps)s steps: too little to look at. Steps before the sixth warm "
    "caches up; train longer to see where time goes.",
    "well_used": "%(share)s of the time goes into arithmetic: nothing stands in its way.",
}


class Reason:
    """One reason; `str()` says it in English.

    >>> str(Reason("traffic", sent="2 GB"))
    'A rank sends 2 GB a step.'
    """

    def __init__(self, code: str, **values: Any) -> None:
        self.code, self.values = code, values

    def __str__(self) -> str:
        return TEXTS[self.code] % self.values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reason) and (self.code, self.values) == (other.code, other.values)

    def __repr__(self) -> str:
        return f"Reason({self.code!r}, {self.values!r})"

    def to_json(self) -> dict[str, Any]:
        return {"code": self.code, "values": self.values, "text": str(self)}
