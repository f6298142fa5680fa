"""What TRL's trainers are told for a tune of a language model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from training.learning import tuning
from training.objectives.language import DPO, SFT
from training.programs.trainer_arguments import on_one_device, shared
from training.programs.tune_spec import TuneSpec


def arguments(spec: TuneSpec, folder: Path, steps: int, *, has_validation: bool, dtype: torch.dtype) -> Any:
    """The config of the objective's trainer. Making it joins the process group, where there is one.

    Args:
        dtype: of products.
    """
    told = shared(spec, folder, steps, has_validation=has_validation)
    told |= {
        "max_length": spec.max_length,
        "bf16": dtype == torch.bfloat16,
        "gradient_checkpointing": spec.gradient_checkpointing,
    }
    if spec.objective == DPO:
        told |= {"beta": spec.beta, "precompute_ref_log_probs": True}
    if spec.objective == SFT:
        told |= {"dataset_kwargs": {"skip_prepare_dataset": True}}
    return on_one_device(tuning.CONFIGS[spec.objective](**told))
