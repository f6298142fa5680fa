"""The model that a tune begins with, and how it lies on the ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from training.distributed.layout import Layout
from training.distributed.recovery import Recovery
from training.distributed.shape import Saved
from training.objectives.language import SFT
from training.programs import language_watch
from training.programs.tune_spec import TuneSpec


def make(spec: TuneSpec, base: Path, objective: str, dtype: torch.dtype, tokenizer: Any) -> Any:
    """The base with what is to learn on it, in this process's memory. Its random weights follow from the seed.

    Args:
        objective: the run's own, or another for which the same base is asked. dtype: of products.
    """
    import transformers
    from trl.trainer.utils import disable_dropout_in_model

    from training.learning import language_base

    transformers.set_seed(spec.seed)
    # What learns is float32: steps of a low rate would be lost in bfloat16's three digits.
    held = dtype if spec.adapter == "lora" else language_base.dtype_of("fp32")
    model = language_base.load_base(base, objective, held, tokenizer)
    if objective != SFT:
        # TRL's trainers of pairs turn all dropout off, only later: the plan is to see it.
        disable_dropout_in_model(model)
    if spec.adapter == "lora":
        dropout = language_base.LORA_DROPOUT if objective == SFT else 0.0
        model = language_base.with_adapter(model, objective, spec.rank, 2 * spec.rank, dropout)
    return model


def layout(
    spec: TuneSpec,
    model: Any,
    recovery: Recovery,
    *,
    longest: int,
    outputs: int | None,
    dtype: torch.dtype,
    saved: Saved,
) -> tuple[Layout, int, int]:
    """See `language_watch.layout`."""
    return language_watch.layout(
        spec.layout,
        model,
        items=spec.batch_size,
        longest=longest,
        outputs=outputs,
        precision=language_watch.takes(spec.adapter, dtype),
        pieces=recovery.pieces,
        again=spec.gradient_checkpointing or bool(recovery.again),
        saved=saved,
    )
