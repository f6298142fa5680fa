"""What programs that train share: what they are told of survival, and how a rank ends that lost another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from jobs import program
from training.distributed import communicate, elastic, faults
from training.distributed.survival import Limits, Survival
from training.programs import specs


@dataclass(frozen=True, kw_only=True)
class SurvivingSpec(specs.Spec):
    """Settings of a run that may be killed and goes on.

    Attributes:
        result: the folder to make. work: where checkpoints lie, shared by all attempts of one job.
        data: folder of a frozen dataset.
        processes: for the record; torchrun decides.
        threads: torch threads of each process; None leaves it to OMP_NUM_THREADS.
        save_every: steps between checkpoints.
        rollbacks: steps that may be refused (NaN, a spike) before the run stops.
        heartbeat_s: a rank that does not beat for so long is killed. timeout_s: a collective that takes so
            long fails, and a checkpoint that one rank writes so much longer than another.
        second_copy: a folder on another disk for second copies of the checkpoints.
        least_nodes: of a run on several; one that fails again and again is left out only while so many remain.
    """

    # Where and with how much help a run is done, not what is trained.
    APART: ClassVar[tuple[str, ...]] = (
        *("result", "work", "processes", "threads"),
        *("rollbacks", "heartbeat_s", "timeout_s", "second_copy", "least_nodes"),
    )

    spec_version: int = specs.SPEC_VERSION
    result: str
    work: str
    data: str
    seed: int = 0
    processes: int = 1
    threads: int | None = None
    save_every: int = 100
    rollbacks: int = 3
    heartbeat_s: float = 5.0
    timeout_s: int = 300
    second_copy: str = ""
    least_nodes: int = 1

    def __post_init__(self) -> None:
        specs.check_range("seed", self.seed, 0, 2**31 - 1)
        specs.check_range("processes", self.processes, 1, 1024)
        specs.check_range("threads", self.threads or 1, 1, 1024)
        specs.check_range("save_every", self.save_every, 1, 10**8)
        specs.check_range("rollbacks", self.rollbacks, 0, 1000)
        specs.check_range("heartbeat_s", self.heartbeat_s, 1, 86_400)
        specs.check_range("timeout_s", self.timeout_s, 1, 86_400)
        specs.check_range("least_nodes", self.least_nodes, 1, 1024)

    def limits(self) -> Limits:
        """When to step in, as `Survival` wants it."""
        return Limits(
            rollbacks=self.rollbacks,
            heartbeat_s=self.heartbeat_s,
            timeout_s=self.timeout_s,
            compare_every=self.save_every,
            elsewhere=self.second_copy,
            least_nodes=self.least_nodes,
        )

    def key(self) -> str:
        """Hash of all that a checkpoint depends on; where it lies and how many processes train is left out."""
        settings = {name: value for name, value in self.to_json().items() if name not in self.APART}
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


class Surviving(Protocol):
    """A rank's part of a run; `survival` once it has begun."""

    survival: Survival | None


@contextmanager
def leaving_with_the_others(run: Surviving) -> Iterator[None]:
    """Inside, a rank that finds another one gone says so in its note and leaves (SystemExit), so that torchrun
    starts all again. No error event: the lost one says why, or was killed, and a new start may go well.
    """
    try:
        yield
    except Exception as error:
        if not faults.lost_peer(error):
            raise
        if run.survival is not None:
            run.survival.heart.stop(f"{elastic.LOST_PEER}: {error}")
        program.log(f"rank {communicate.rank()} lost another rank: {error}")
        raise SystemExit(1) from error


def curve(log: list[dict[str, float]], names: dict[str, str]) -> list[dict[str, Any]]:
    """The run's curve from a Trainer's log: one entry a logged step with what was measured then.

    Args:
        names: as the Trainer calls a figure -> as the curve does; the rest is left out.
    """
    steps: dict[int, dict[str, Any]] = {}
    for entry in log:
        found = {new: float(entry[old]) for old, new in names.items() if old in entry}
        if found:
            steps.setdefault(int(entry["step"]), {"step": int(entry["step"])}).update(found)
    return [steps[step] for step in sorted(steps)]
