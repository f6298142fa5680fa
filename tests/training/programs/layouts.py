"""Under torchrun with two ranks: the fine-tune program under one layout after the other, and a run that is
interrupted under one and taken up under the next. Run by test_layouts.py.

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

from training.learning.trainer import ExactTrainer
from training.programs import finetune

STOPPED_AT = 5


class Stopped(BaseException):
    """Both ranks end here, as if they had been told to."""


def stopped(spec: dict[str, Any]) -> None:
    """Begin a run and leave it in the middle of a step."""
    clip = ExactTrainer._clip_grad_norm

    def clip_or_stop(trainer: ExactTrainer, model: Any) -> Any:
        if trainer.state.global_step + 1 == STOPPED_AT:
            raise Stopped
        return clip(trainer, model)

    ExactTrainer._clip_grad_norm = clip_or_stop  # type: ignore[method-assign]
    try:
        finetune.work(spec)
    except Stopped:
        return
    finally:
        ExactTrainer._clip_grad_norm = clip  # type: ignore[method-assign]
    raise AssertionError("it should have been stopped")


def main(specs: list[dict[str, Any]]) -> None:
    for spec in specs:
        first, is_left = spec.pop("begun_as", ""), spec.pop("left", False)
        if first:
            stopped({**spec, "layout": first})
        if not is_left:
            finetune.work(spec)
    dist.destroy_process_group()


if __name__ == "__main__":
    try:
        main(json.loads(Path(sys.argv[1]).read_text()))
    except BaseException:
        traceback.print_exc()
        os._exit(1)  # the other rank waits in a collective
