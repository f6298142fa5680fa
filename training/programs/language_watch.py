"""The watch of a language model's trainer: its layout over ranks, and what its weights take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from training.distributed import communicate, footprint
from training.distributed.layout import Checkpointing, Layout
from training.distributed.shape import Machine, Shape
from training.distributed.spread import Spread
from training.distributed.traffic import bucket_mb
from training.learning.watching import Drawn, Watch


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
    profile_steps: int,
    folder: Path,
    drawn: Drawn | None = None,
) -> Watch:
    """A watch that the trainer has been given.

    Args:
        items: of a step, over all ranks. longest: tokens of the longest item, both replies of a pair counted.
        adapter: "lora" or "full". dtype: of the products, and of what is frozen.
        profile_steps, folder, drawn: see `Watch`.
    """
    ranks = trainer.args.world_size
    again: Checkpointing = "full" if trainer.args.gradient_checkpointing else "none"
    pieces = trainer.survival.recovery.pieces  # memory may have run out before
    layout = Layout(
        replicate=ranks, micro_batch=-(-items // (ranks * pieces)), accumulation=pieces, checkpointing=again
    )
    takes = footprint.FP32
    if dtype == torch.bfloat16:
        takes = footprint.FROZEN_BF16 if adapter == "lora" else footprint.AUTOCAST
    trainer.precision = "bf16" if dtype == torch.bfloat16 else "fp32"
    found = Watch(
        trainer,
        profile_steps=profile_steps,
        folder=folder,
        longest=longest,
        spread=Spread(layout, trainer.args.device),
        takes=takes,
        drawn=drawn,
    )
    trainer.add_callback(found)
    return found
