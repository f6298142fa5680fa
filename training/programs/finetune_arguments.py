"""What transformers' Trainer is told for a fine-tune."""

from __future__ import annotations

from pathlib import Path

from transformers import TrainingArguments

from training.programs.finetune_spec import FinetuneSpec
from training.programs.trainer_arguments import on_one_device, shared


def arguments(spec: FinetuneSpec, folder: Path, steps: int, *, has_validation: bool) -> TrainingArguments:
    """Making them joins the process group, where there is one."""
    stops_early = has_validation and spec.patience is not None
    told = shared(spec, folder, steps, has_validation=has_validation)
    told |= {"average_tokens_across_devices": False}
    if stops_early:
        told |= {
            "eval_steps": told["save_steps"],
            "load_best_model_at_end": True,
            "metric_for_best_model": "eval_loss",
            "greater_is_better": False,
        }
    return on_one_device(TrainingArguments(**told))
