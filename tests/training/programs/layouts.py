"""Under torchrun with two ranks: the fine-tune or the tune program under one layout after the other, and runs
that are interrupted under one and taken up under the next. Run by test_layouts.py and test_tune_layouts.py.

python -m torch.distributed.run --nproc-per-node=2 layouts.py SPECS.json; the specs say where results go. One
with "left" is only begun, for another number of processes to take up.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import torch.distributed as dist

from training.learning import language_base
from training.learning.surviving import SurvivingTrainer
from training.objectives import language
from training.programs import finetune, tune

STOPPED_AT = 5


class Stopped(BaseException):
    """Both ranks end here, as if they had been told to."""


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
    language_base.LORA_DROPOUT = 0.0  # ranks draw other numbers than one process
    for spec in specs:
        first, is_left = spec.pop("begun_as", ""), spec.pop("left", False)
        if first:
            stopped({**spec, "layout": first})
        if not is_left:
            work(spec)
    dist.destroy_process_group()


if __name__ == "__main__":
    try:
        main(json.loads(Path(sys.argv[1]).read_text()))
    except BaseException:
        traceback.print_exc()
        os._exit(1)  # the other rank waits in a collective
