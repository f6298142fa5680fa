"""The reasons of plans and the advice of profiles in the reader's language.

`distributed.reasons` names them by code and has the English words; a test holds the two lists together.
"""

from __future__ import annotations

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

REASONS: dict[str, str | Promise] = {
    "needs": _(
        "%(parameters)s parameters take %(bytes)s bytes each with Adam, %(total)s in all; a device "
        "has %(memory)s."
    ),
    "needs_part": _(
        "%(learning)s of %(parameters)s parameters learn and take %(bytes)s bytes each with Adam, the "
        "others %(frozen)s: %(total)s in all; a device has %(memory)s."
    ),
    "cpu_one": _(
        "One process with all cores: %(processes)s processes on one CPU share the same cores, and "
        "would only add the sending of gradients."
    ),
    "cpu_fixed": _(
        "%(processes)s processes were asked for. On one CPU they share the same cores: one process "
        "with as many threads is as fast."
    ),
    "offload": _(
        "Weights, gradients and optimizer wait in the host's memory (%(host)s), and come layer by "
        "layer: nothing else fits."
    ),
    "shard_must": _(
        "Weights, gradients and optimizer are divided among %(ranks)s ranks (FSDP2): a whole copy "
        "does not fit on a device."
    ),
    "shard_faster": _(
        "Weights are divided among %(ranks)s ranks (FSDP2): that leaves room for larger micro-batches."
    ),
    "regrouped": _(
        "%(ranks)s processes cannot be arranged as %(layout)s: weights, gradients and optimizer are divided "
        "among all of them instead."
    ),
    "shard_given": _(
        "Weights, gradients and optimizer are divided among %(ranks)s ranks (FSDP2), as the layout says: "
        "a whole copy would fit on a device too."
    ),
    "offload_given": _(
        "Weights, gradients and optimizer wait in the host's memory (%(host)s), as the layout says: a "
        "whole copy would fit on a device too."
    ),
    "offload_asked": _(
        "Weights, gradients and optimizer wait in the host's memory (%(host)s), as the layout says: divided "
        "among the devices they would fit there."
    ),
    "offload_cpu": _(
        "Weights, gradients and optimizer are moved as the layout says, which saves nothing here: a "
        "processor's memory is the host's."
    ),
    "zero1": _(
        "Every rank holds the weights, and a part of the optimizer's state (ZeRO-1, %(ranks)s ranks)."
    ),
    "copies": _("Every rank holds a whole copy (DDP, %(ranks)s ranks): it fits, and sends least."),
    "copies_tight": _(
        "Every rank holds a whole copy (DDP, %(ranks)s ranks), as the layout says: by the estimate it "
        "does not fit on a device."
    ),
    "groups": _(
        "%(groups)s groups of ranks hold the same weights and see different items: they sum their gradients."
    ),
    "hybrid": _(
        "%(groups)s groups of %(ranks)s ranks each hold a copy (HSDP): weights are gathered over the "
        "fast links only."
    ),
    "tensor": _(
        "Matrices are cut among %(ranks)s ranks of one box: less memory a rank, at two sums a layer."
    ),
    "pipeline": _("Layers are dealt out to %(stages)s stages; %(bubble)s of the time a stage waits."),
    "batch": _(
        "A batch of %(batch)s items is dealt out to %(data)s ranks, in micro-batches of %(micro)s, "
        "%(accumulation)s of them a step."
    ),
    "batch_one": _(
        "A batch of %(batch)s items goes through in micro-batches of %(micro)s, %(accumulation)s of them a step."
    ),
    "checkpoint_selective": _(
        "Every second layer's activations are computed again in the backward pass: %(after)s instead "
        "of %(before)s."
    ),
    "checkpoint_full": _(
        "All layers' activations are computed again in the backward pass: %(after)s instead of %(before)s."
    ),
    "memory": _("The estimate is %(total)s of the device's %(memory)s."),
    "traffic": _("A rank sends %(sent)s a step."),
    "much_communication": _(
        "%(share)s of the time goes into sending between processes: use larger micro-batches, "
        "compression, or fewer processes."
    ),
    "sending_unmeasured": _(
        "Under this layout sending between processes is not timed apart: it stands with arithmetic. Let the "
        "profiler look at some steps (profile_steps) to see its share."
    ),
    "much_waiting": _(
        "%(share)s of the time waits for data: prepare batches earlier, or use more loader workers."
    ),
    "much_idle": _(
        "%(share)s of the time nothing is computed: batches are too small for this machine, or other "
        "programs take its cores."
    ),
    "too_few": _(
        "The run took %(steps)s steps: too little to look at. Steps before the sixth warm caches up; train "
        "longer to see where time goes."
    ),
    "well_used": _("%(share)s of the time goes into arithmetic: nothing stands in its way."),
}


def in_words(reason: dict[str, Any]) -> str:
    """A reason as a result tells it; one of a newer release in its own words."""
    text = REASONS.get(reason["code"])
    return str(text) % reason["values"] if text is not None else str(reason["text"])
