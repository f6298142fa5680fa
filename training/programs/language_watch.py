"""The layout of a language model over ranks, and the watch of its trainer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from training.distributed import communicate, footprint
from training.distributed.layout import Checkpointing, Layout
from training.distributed.settling import settle
from training.distributed.shape import Beside, Machine, Saved, Shape
from training.distributed.spread import Spread
from training.distributed.traffic import bucket_mb
from training.learning.watching import Drawn, Watch


def takes(adapter: str, dtype: torch.dtype) -> footprint.Precision:
    """Bytes a parameter. `adapter`: "lora" or "full"; `dtype`: of the products, and of what is frozen."""
    if dtype != torch.bfloat16:
        return footprint.FP32
    return footprint.FROZEN_BF16 if adapter == "lora" else footprint.AUTOCAST


def layout(
    name: str,
    model: Any,
    *,
    items: int,
    longest: int,
    outputs: int | None,
    precision: footprint.Precision,
    pieces: int,
    again: bool,
    saved: Saved,
) -> tuple[Layout, int, int]:
    """How a model lies on the ranks that there are now, MiB of a bucket of gradients, and the size below which a
    parameter is not divided.

    Args:
        items, longest: see `watch`. outputs: see `Watch.figures`.
        pieces: in how many parts a rank takes its share, since memory ran out.
        again: activations are to be computed again; also where the estimate asks for it, and then of all layers.
        saved: see `Beside`.
    """
    from training.learning import tuning  # loads TRL

    ranks = communicate.world_size()
    machine, beside = Machine.here(ranks), Beside(saved=saved)
    shape = Shape.of(model, longest, outputs=outputs, tile=tuning.tile(), beside=beside)
    kinds: tuple[Checkpointing, ...] = ("full",) if again else ("none", "full")
    found = settle(name, ranks, shape, machine, items, takes=precision, again=kinds)
    micro = -(-items // (found.layout.data * pieces))
    settled = replace(found.layout, micro_batch=micro, accumulation=pieces)
    return settled, bucket_mb(machine, settled, shape), found.persist


def bucket(model: Any, longest: int) -> int:
    """MiB of a bucket of gradients that ranks with copies of a model send each other, as the plan has it."""
    ranks = communicate.world_size()
    machine = Machine.here(ranks)
    return bucket_mb(machine, Layout(replicate=ranks), Shape.of(model, longest))


def watch(
    trainer: Any,
    *,
    items: int,
    longest: int,
    adapter: str,
    dtype: torch.dtype,
    saved: Saved,
    profile_steps: int,
    folder: Path,
    asked: str = "auto",
    drawn: Drawn | None = None,
) -> Watch:
    """A watch that the trainer has been given. One without a layout of its own holds copies.

    Args:
        items: of a step, over all ranks. longest: tokens of the longest item, both replies of a pair counted.
        adapter: "lora" or "full". dtype: of the products, and of what is frozen. saved: see `layout`.
        profile_steps, folder, asked, drawn: see `Watch`.
    """
    from training.learning import tuning

    spread = trainer.spread
    if spread is None:
        ranks, pieces = trainer.args.world_size, trainer.survival.recovery.pieces
        copies = Layout(replicate=ranks, micro_batch=-(-items // (ranks * pieces)), accumulation=pieces)
        spread = Spread(copies, trainer.args.device)
    trainer.precision = "bf16" if dtype == torch.bfloat16 else "fp32"
    found = Watch(
        trainer,
        profile_steps=profile_steps,
        folder=folder,
        longest=longest,
        spread=spread,
        asked=asked,
        takes=takes(adapter, dtype),
        tile=tuning.tile(),
        beside=Beside(saved=saved),
        drawn=drawn,
    )
    trainer.add_callback(found)
    return found
