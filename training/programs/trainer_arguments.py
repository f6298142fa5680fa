"""What transformers' Trainer is told by every program of ours that trains."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from transformers import TrainingArguments

from training.distributed import communicate
from training.distributed.shape import Saved

if TYPE_CHECKING:
    from training.programs.finetune_spec import FinetuneSpec
    from training.programs.reinforce_spec import ReinforceSpec
    from training.programs.tune_spec import TuneSpec

T = TypeVar("T", bound=TrainingArguments)

CURVE_POINTS = 100
WATCHED_TIMES = 10  # a run looks at the validation items so often


def shared(
    spec: FinetuneSpec | ReinforceSpec | TuneSpec, folder: Path, steps: int, *, has_validation: bool
) -> dict[str, Any]:
    """Keywords of TrainingArguments, for a schedule of so many steps whose checkpoints go to `folder`.

    On a CPU it joins the process group, where there is one.
    """
    on_cpu = not torch.cuda.is_available()
    between = max(1, steps // CURVE_POINTS)  # points of the curve, each a mean over so many steps
    ranks = int(os.environ.get("WORLD_SIZE", "0"))  # torchrun sets it
    if on_cpu and ranks:
        communicate.join(spec.timeout_s)
    return {
        "output_dir": str(folder),
        "num_train_epochs": 1,  # one "epoch" is the whole schedule
        "per_device_train_batch_size": max(1, spec.batch_size // max(1, ranks)),
        "learning_rate": spec.learning_rate,
        "weight_decay": spec.weight_decay,
        "warmup_steps": math.ceil(spec.warmup * steps),
        "lr_scheduler_type": "linear",
        "max_grad_norm": 1.0,
        "seed": spec.seed,
        "logging_strategy": "steps",
        "logging_steps": between,
        "logging_first_step": True,
        "logging_nan_inf_filter": False,
        "save_strategy": "steps",
        # With a point: a run that goes on from between two would take the next mean over fewer steps, and an
        # adaptive curriculum another turn.
        "save_steps": between * math.ceil(spec.save_every / between),
        "eval_strategy": "steps" if has_validation else "no",
        "eval_steps": max(1, math.ceil(steps / WATCHED_TIMES)),
        "ddp_find_unused_parameters": False,
        "ddp_backend": "gloo" if on_cpu and ranks else None,
        "ddp_timeout": spec.timeout_s,
        "use_cpu": on_cpu,
        "dataloader_pin_memory": not on_cpu,
        "remove_unused_columns": False,
        "disable_tqdm": True,
        "report_to": [],
        "push_to_hub": False,
    }


def saves(args: TrainingArguments, steps: int) -> Saved:
    """When a run of so many steps writes checkpoints; that of the last step is one only to go back to."""
    if args.save_steps < steps:
        return "during"
    return "last" if args.load_best_model_at_end else "never"


def on_one_device(args: T) -> T:
    """The arguments, with one device for this process however many the machine has.

    A Trainer that no torchrun started spreads its model over all cards by DataParallel, which TRL refuses and
    which would undo the shares of a batch. More cards are used by more processes.
    """
    args._n_gpu = min(1, args.n_gpu)
    return args
