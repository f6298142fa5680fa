"""Ranks that are forked from one process, for tests of what runs on several.

Under torchrun every rank imports torch, transformers and TRL for itself, five seconds each. Here one process
does (`python -m tests.forked`), and forks the ranks of each group; it never computes, so that nothing is lost
in a fork. They are told of each other as torchrun tells them, talk over gloo, and end with it. Runs under
torchrun itself are in training/programs/test_survival.py and test_tune_survival.py.

It reads a JSON object a line, {"ranks": 2, "act": "module:function", "given": [...], "log": PATH}, and answers
with a line of the ranks' exit codes. 0 ranks are one process that no torchrun started.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import secrets
import signal
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

from bench._survival_runs import free_port

ROOT = Path(__file__).parents[1]
# The last is what a head's start takes: else rank 0 of each group imports it.
IMPORTED = ("training.programs.finetune", "training.programs.tune", "sklearn.linear_model")


class Ranks:
    """The process that is forked, as tests see it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, 0
        self.child = subprocess.Popen(
            [sys.executable, "-m", "tests.forked"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / "stderr").open("w"),
            cwd=ROOT,
            env={
                **os.environ,
                **{"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
                **{"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"},
            },
            text=True,
            start_new_session=True,
        )

    def run(self, ranks: int, act: str, *given: Any) -> None:
        """So many ranks, or (0) one process without a group, do `act` ("module:function") with what is given."""
        assert self.child.stdin is not None and self.child.stdout is not None
        self.asked += 1
        log = self.folder / f"log-{self.asked}"
        asked = {"ranks": ranks, "act": act, "given": given, "log": str(log)}
        self.child.stdin.write(json.dumps(asked) + "\n")
        self.child.stdin.flush()
        try:
            answer = self.child.stdout.readline()
        except BaseException:  # time is over: whoever asks next must not be given this group's answer
            self.close()
            raise
        told = log if log.exists() else self.folder / "stderr"
        assert answer and not any(json.loads(answer)), told.read_text()[-4000:]

    def close(self) -> None:
        os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()


def be_rank(asked: dict[str, Any], rank: int, told: dict[str, str]) -> NoReturn:
    """What a forked process does."""
    log = os.open(asked["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream, instead in ((0, os.open(os.devnull, os.O_RDONLY)), (1, log), (2, log)):
        os.dup2(instead, stream)
    code = 1
    try:
        if asked["ranks"]:
            os.environ |= told | {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        module, name = asked["act"].split(":")
        getattr(importlib.import_module(module), name)(*asked["given"])
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
    for needed in IMPORTED:
        importlib.import_module(needed)
    gc.collect()
    gc.freeze()  # what was imported stays: the ranks need not go through it
    for line in sys.stdin:
        print(json.dumps(group(json.loads(line))), flush=True)
