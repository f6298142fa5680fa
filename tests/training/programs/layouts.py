"""Ranks that run the fine-tune or the tune program under one layout after the other, and runs that are
interrupted under one and taken up under the next. The fixture `ranks` starts it; see `Ranks`.

Under torchrun every rank imports torch, transformers and TRL for itself, five seconds each. Here one process
does, and forks the ranks of each group; it never computes, so that nothing is lost in a fork. They are told of
each other as torchrun tells them, talk over gloo, and end with it. Runs under torchrun itself are in
test_survival.py and test_tune_survival.py.

It reads a JSON object a line: {"ranks": 2, "specs": [...], "log": PATH}, 0 ranks being one process that no
torchrun started, and answers with a line of their exit codes. The specs say where results go; one with "left" is
only begun, for another number of processes to take up, and one with "drops" has the adapter's dropout, of which
ranks draw other numbers than one process.
"""

from __future__ import annotations

import gc
import json
import os
import secrets
import signal
import sys
import traceback
from typing import Any, NoReturn

import sklearn.linear_model  # noqa: F401  # of a head's start: else rank 0 of each group imports it
import torch.distributed as dist

from bench._survival_runs import free_port
from training.learning import language_base
from training.learning.surviving import SurvivingTrainer
from training.objectives import language
from training.programs import finetune, tune

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
    for spec in specs:
        first, is_left = spec.pop("begun_as", ""), spec.pop("left", False)
        language_base.LORA_DROPOUT = DROPOUT if spec.pop("drops", False) else 0.0
        if first:
            stopped({**spec, "layout": first})
        if not is_left:
            work(spec)
    if dist.is_initialized():
        dist.destroy_process_group()


def be_rank(asked: dict[str, Any], rank: int, told: dict[str, str]) -> NoReturn:
    """What a forked process does."""
    log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream, instead in ((0, os.open(os.devnull, os.O_RDONLY)), (1, log), (2, log)):
        os.dup2(instead, stream)
    code = 1
    try:
        if asked["ranks"]:
            os.environ |= told | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        main(asked["specs"])
        code = 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    os._exit(code)


def group(asked: dict[str, Any]) -> list[int]:
    """Exit codes of the ranks, in the order in which they ended. With the first that fails the others are
    killed, who would wait for it in a collective.
    """
    world = str(asked["ranks"])
    told = {
        **{"WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world, "MASTER_ADDR": "127.0.0.1"},
        **{"MASTER_PORT": str(free_port()), "TORCHELASTIC_RUN_ID": secrets.token_hex(8)},
    }
    running = set()
    for rank in range(max(1, asked["ranks"])):
        if not (child := os.fork()):
            be_rank(asked, rank, told)
        running.add(child)
    codes = []
    while running:
        child, status = os.wait()
        running.discard(child)
        codes.append(os.waitstatus_to_exitcode(status))
        if codes[-1]:
            for one in running:
                os.kill(one, signal.SIGKILL)
    return codes


if __name__ == "__main__":
    gc.collect()
    gc.freeze()  # what was imported stays: the ranks need not go through it
    for line in sys.stdin:
        print(json.dumps(group(json.loads(line))), flush=True)
