"""Fine-tunes and tunes one after the other, and runs that are interrupted under one layout and taken up under
the next: what the ranks of the layout tests do (tests.forked).
"""

from __future__ import annotations

from typing import Any

import torch.distributed as dist

from training.learning import language_base
from training.learning.surviving import SurvivingTrainer
from training.objectives import language
from training.programs import finetune, tune

RUN = "tests.training.programs.layouts:main"
STOPPED_AT = 5
DROPOUT = language_base.LORA_DROPOUT


class Stopped(BaseException):
    """All ranks end here, as if they had been told to."""


def work(spec: dict[str, Any]) -> None:
    (tune if spec.get("objective") in language.OBJECTIVES else finetune).work(spec)


def stopped(spec: dict[str, Any]) -> None:
    """Begin a run and leave it in the middle of a step."""
    clip = SurvivingTrainer._clip_grad_norm

    def clip_or_stop(trainer: SurvivingTrainer, model: Any) -> Any:
        if trainer.state.global_step + 1 == STOPPED_AT:
            raise Stopped
        return clip(trainer, model)

    SurvivingTrainer._clip_grad_norm = clip_or_stop  # type: ignore[method-assign]
    try:
        work(spec)
    except Stopped:
        return
    finally:
        SurvivingTrainer._clip_grad_norm = clip  # type: ignore[method-assign]
    raise AssertionError("it should have been stopped")


def main(specs: list[dict[str, Any]]) -> None:
    """Specs say where results go. One with "begun_as" is interrupted under that layout first; one with "left" is
    only begun, for another number of processes to take up; one with "drops" has the adapter's dropout, of which
    ranks draw other numbers than one process.
    """
    for spec in specs:
        first, is_left = spec.pop("begun_as", ""), spec.pop("left", False)
        language_base.LORA_DROPOUT = DROPOUT if spec.pop("drops", False) else 0.0
        if first:
            stopped({**spec, "layout": first})
        if not is_left:
            work(spec)
    if dist.is_initialized():
        dist.destroy_process_group()
