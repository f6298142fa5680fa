"""One machine's agent of a run: torchrun, with a sentence where its own traceback would stand. It kills ranks of
its own that stand still (`stillness`).

    python -m training.distributed.agent OPTIONS -m MODULE SPEC.json

Of a run on several machines, the agent on the machine of `--rdzv-endpoint` holds the place where all meet. When
that one is lost, or cannot be reached, no other can form a group: they end, and the job takes the run up again
from its newest checkpoint. torch's own agent waits for good for an answer that a broken network keeps back, so
the place is called now and then.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

from training.distributed import elastic, stillness

LOST = (
    "the place where the machines of this run meet ({endpoint}) was lost or cannot be reached: this machine "
    "ends its part; the job goes on from its newest checkpoint, and its log then names the command that brings "
    "this machine in again"
)


CALLS = 6  # that must go unanswered within the patience


def endpoint_of(options: list[str]) -> str:
    """host:port among torchrun's options; empty where all is on one machine."""
    name = "--rdzv-endpoint="
    return next((one.removeprefix(name) for one in options if one.startswith(name)), "")


def patience_of(options: list[str]) -> float:
    """Seconds that the place may be silent: the last read_timeout among the options, or 60 as torch has it."""
    found = re.findall(r"--rdzv-conf=\S*\bread_timeout=(\d+)", " ".join(options))
    return float(found[-1]) if found else 60.0


def watch(endpoint: str, patience: float) -> None:
    """Call `endpoint` again and again; end this process, and so its ranks, once it has been silent for so long.

    It is not missed before it has answered once: the machine that holds it may start later.
    """
    host, _, port = endpoint.rpartition(":")
    answered = None
    while answered is None or time.monotonic() - answered < patience:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=patience / CALLS).close()
            answered = time.monotonic()
        except OSError:
            pass
        time.sleep(patience / CALLS)
    _say(endpoint, f"no answer for {patience:g} s")
    os._exit(1)


def spec_of(options: list[str]) -> dict[str, Any]:
    """The spec that the ranks are given, the last of the options; empty where it cannot be read."""
    try:
        found = json.loads(Path(options[-1]).read_text())
    except (IndexError, OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _say(endpoint: str, why: object) -> None:
    print(f"{LOST.format(endpoint=endpoint)} ({why})", file=sys.stderr, flush=True)


def main(options: list[str]) -> int:
    """Run the agent to its end. Its exit code."""
    os.environ.update(elastic.ENVIRONMENT)
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # else forty lines of C++ stand before the sentence
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.elastic.rendezvous.api import RendezvousError

    endpoint, spec = endpoint_of(options), spec_of(options)
    if spec.get("work"):
        look = stillness.Watch(Path(spec["work"]), float(spec.get("heartbeat_s", elastic.PATIENCE)))
        threading.Thread(target=look.run, name="stillness", daemon=True).start()
    if endpoint:
        place = (endpoint, patience_of(options))
        threading.Thread(target=watch, args=place, name="watch", daemon=True).start()
    try:
        run.main(options)
    except RendezvousError as error:
        _say(endpoint, error)
        return 1
    except ChildFailedError:
        return 1  # the ranks have said why
    finally:
        if spec.get("work"):
            stillness.end_left(Path(spec["work"]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
