"""One machine's agent of a run: torchrun, with a sentence where its own traceback would stand. It kills ranks of
its own that stand still (`stillness`).

    python -m training.distributed.agent OPTIONS -m MODULE SPEC.json

Of a run on several machines, the agent on the machine of `--rdzv-endpoint` holds the place where all meet. When
that one is lost, or cannot be reached, no other can form a group: they end, and the job takes the run up again
from its newest checkpoint. torch's own agent waits for good for an answer that a broken network keeps back, so
the place is called now and then.

A machine that is left out (`Survival` in its ranks says so by a signal) ends its part. If it holds the place it
stays, without ranks, until the others are done: the store that all meet at is this process's own, made before
torch asks for one, and outlives torch's agent.
"""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from jobs import program
from training.distributed import elastic, stillness
from training.distributed.recovery import FILE

if TYPE_CHECKING:
    from torch.distributed import TCPStore

LOST = (
    "the place where the machines of this run meet ({endpoint}) was lost or cannot be reached: this machine "
    "ends its part; the job goes on from its newest checkpoint, and its log then names the command that brings "
    "this machine in again"
)

LEFT_OUT = (
    "this machine ({node}) has failed too often in this run and is left out: it ends its part, and the others "
    "go on; find what ends its processes before it takes part in another run"
)
HOLDS = ". It stays until they are done, since they meet here"
ALONE = (
    "the machines that went on without this one ({node}) have been silent for {seconds:g} s: the job goes on "
    "from its newest checkpoint"
)
CALLS = 6  # that must go unanswered within the patience
SILENT = 120.0  # s without a beat of any rank: much longer than it takes to form a group anew


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


def hold(endpoint: str) -> TCPStore | None:
    """The store at `endpoint`, which lives as long as what is returned; None where another machine, or another
    agent of this one, holds it.
    """
    from torch.distributed import DistNetworkError, TCPStore

    host, _, port = endpoint.rpartition(":")
    host = host.strip("[]")
    try:
        family, kind, *_rest, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.bind(address)  # only an address of this machine can be bound
        socket.create_connection((host, int(port)), timeout=1).close()
        return None  # somebody listens there
    except ConnectionRefusedError:
        pass
    except OSError:
        return None
    try:  # torch's own agent finds the server of its process and shares it
        return TCPStore(host, int(port), is_master=True, multi_tenant=True, wait_for_workers=False)
    except DistNetworkError:
        return None  # another agent of this machine was faster


def spec_of(options: list[str]) -> dict[str, Any]:
    """The spec that the ranks are given, the last of the options; empty where it cannot be read."""
    try:
        found = json.loads(Path(options[-1]).read_text())
    except (IndexError, OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def goes_on_without(work: Path, node: str, seconds: float = 3.0) -> bool:
    """Whether the run in `work` has left `node` out and others train: to come again would only disturb them."""
    try:
        if node not in json.loads((work / FILE).read_text())["left_out"]:
            return False
    except (OSError, ValueError, LookupError):
        return False
    before = _beats(work, node)
    time.sleep(seconds)
    return any(before.get(key, beats) != beats for key, beats in _beats(work, node).items())


def stay(work: Path, result: Path, node: str, silent: float = SILENT) -> int:
    """Wait until the others have made `result`. The exit code: 1 if no rank has beaten for `silent` seconds."""
    program.hold_leash()  # the ranks held it
    seen, at = _beats(work, node), time.monotonic()
    while not result.is_dir():
        if time.monotonic() - at > silent:
            print(ALONE.format(node=node, seconds=silent), file=sys.stderr, flush=True)
            return 1
        time.sleep(elastic.BEAT_SECONDS)
        if (now := _beats(work, node)) != seen:
            seen, at = now, time.monotonic()
    return 0


def _beats(work: Path, but: str) -> dict[tuple[str, int], int]:
    """Beats by node and process of the newest start, those of one node left out."""
    return {(note.node, note.pid): note.beats for note in elastic.newest_notes(work) if note.node != but}


def _leave(number: int, _frame: FrameType | None) -> None:
    """As torch's own agent is told to stop: an exception in its loop. Each rank of a machine asks once."""
    from torch.distributed.elastic.multiprocessing.api import SignalException

    signal.signal(number, signal.SIG_IGN)
    raise SignalException("left out", sigval=signal.Signals(number))


def _say(endpoint: str, why: object) -> None:
    print(f"{LOST.format(endpoint=endpoint)} ({why})", file=sys.stderr, flush=True)


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Of the ranks that an agent starts, and of itself but for the allocator's, which was read when it started.
    What a person set stays, but for what torchrun cannot do without."""
    return program.ENVIRONMENT | elastic.ALLOCATOR | dict(given) | elastic.ENVIRONMENT


def main(options: list[str]) -> int:
    """Run the agent to its end. Its exit code."""
    os.environ.update(environment(os.environ))
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # else forty lines of C++ stand before the sentence
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.elastic.rendezvous.api import RendezvousError

    endpoint, spec, node = endpoint_of(options), spec_of(options), elastic.node_name()
    work, result = Path(spec.get("work", "")), Path(spec.get("result", ""))
    place = hold(endpoint) if endpoint else None
    said = LEFT_OUT.format(node=node)
    if spec.get("work"):
        look = stillness.Watch(work, float(spec.get("heartbeat_s", elastic.PATIENCE)))
        threading.Thread(target=look.run, name="stillness", daemon=True).start()
    if endpoint:
        if place is None and goes_on_without(work, node):
            print(said, file=sys.stderr, flush=True)
            return 1
        called = (endpoint, patience_of(options))
        threading.Thread(target=watch, args=called, name="watch", daemon=True).start()
    signal.signal(elastic.LEAVE, _leave)
    try:
        run.main(options)
    except RendezvousError as error:
        _say(endpoint, error)
        return 1
    except ChildFailedError:
        return 1  # the ranks have said why
    except SignalException as stopped:
        if stopped.sigval != elastic.LEAVE:
            return elastic.STOPPED
        print(said + (HOLDS if place is not None else ""), file=sys.stderr, flush=True)
    else:
        return 0
    finally:
        if spec.get("work"):
            stillness.end_left(work)
    if place is None:
        return 1
    gc.collect()  # torch's agent is gone now, and no longer a member of the group
    for told in (signal.SIGTERM, signal.SIGINT):
        signal.signal(told, signal.SIG_DFL)  # torch's handlers raise an exception for its loop
    return stay(work, result, node)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
