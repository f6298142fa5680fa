"""One rank's part in keeping a run alive: what happened before this start, and what to do when it happens
now.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from jobs import program
from training.distributed import anomalies, checkpoint, communicate, elastic, faults, listing, replicas
from training.distributed.checkpoint_writer import Writer
from training.distributed.recovery import FILE, MOST_PIECES, STEPS, Recovery, StepJournal, read_steps

T = TypeVar("T")
_CONNECTION_TIMES, _CONNECTION_SECONDS = 3, 600.0
_PIECES_FIRST = 4  # before layers are computed again
_LEAST_RATE_STEP = 0.5  # of the rate after each rollback


@dataclass(frozen=True, kw_only=True)
class Limits:
    """When to step in.

    Attributes:
        rollbacks: how often at most a step may be refused (NaN, a spike) before the run stops; 0: at once.
        spikes: whether jumps count, or only what is no number.
        heartbeat_s: a rank that has not beaten for so long is killed and all start again.
        timeout_s: ranks that write a checkpoint together wait so long for each other.
        compare_every: steps between comparisons of the ranks' weights; None: never.
        kept: checkpoints kept, besides the best.
        elsewhere: folder of the second copies, or "".
        least_nodes: a node that fails again and again is left out only while so many remain.
        chooses_layers: whether activations of some layers alone can be computed again, where memory runs out.
    """

    rollbacks: int = 3
    spikes: bool = True
    heartbeat_s: float = 5.0
    timeout_s: float = 300.0
    compare_every: int | None = 100
    kept: int = 2
    elsewhere: str = ""
    least_nodes: int = 1
    chooses_layers: bool = True


class GivenUp(ValueError):
    """Nothing more can be tried; the message says what happened and what to do."""


class Survival:
    """Made by each rank once the group stands.

    Args:
        work: the run's folder, shared by all ranks and all attempts; checkpoints of this attempt go to `own`
            in it.
        key: what is trained (`checkpoint.seal`).
    """

    def __init__(self, work: Path, own: Path, key: str, device: torch.device, limits: Limits) -> None:
        self.work, self.own, self.key, self.device, self.limits = work, own, key, device, limits
        self.rank, self.ranks = communicate.rank(), communicate.world_size()
        before = ""
        if self.rank == 0:
            self.recovery = Recovery.read(work, key)
            starts = sorted(int(name) for name in listing.names(work / "starts") if name.isdigit())
            if starts:
                self._look_back(elastic.newest_notes(work))
            self.recovery.write(work)
            before = json.dumps([asdict(self.recovery), (starts[-1] if starts else 0) + 1])
        told, number = json.loads(communicate.agreed(before, device))
        self.recovery = Recovery(**told)
        self.watch = anomalies.Watch(spikes=limits.spikes)
        self.heart = elastic.Heart(
            work / "starts" / str(number),
            self.rank,
            patience=limits.heartbeat_s,
            signals=elastic.is_launched(),
        )
        if self._is_left_out():
            self.heart.stop(elastic.LEFT_OUT)
            program.end_launcher(elastic.LEAVE)
            raise SystemExit(elastic.STOPPED)
        self._writer: Writer | None = None
        self.journal: StepJournal | None = None

    # --- before and after
    # -------------------------------------------------------------------------------------

    def attempt(self, train: Callable[[Path | None], T]) -> T:
        """Call `train` with the checkpoint to go on from, again and again until it is through.

        It is called anew after a step that must not be taken and, with a single rank, after memory ran out.

        Raises:
            GivenUp: as often as the limits allow it did not help.
            SystemExit: torchrun must start all ranks again; the note says why.
        """
        while True:
            found = self.checkpoint()
            try:
                return train(found)
            except anomalies.Anomaly as error:
                self.rest()  # what is being written is whole, or is not there
                good = self.checkpoint()
                self._roll_back(error, checkpoint.step_of(good) if good else 0)
            except (RuntimeError, MemoryError) as error:
                if not faults.out_of_memory(error):
                    raise
                self._less_memory(error)
            finally:
                self.rest()
            gc.collect()

    def begin(self, step: int, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Training starts or goes on after `step`, everything loaded."""
        self.heart.move(step)
        self.watch = anomalies.Watch(spikes=self.limits.spikes)
        if self.rank == 0:
            self.journal = StepJournal(self.work / STEPS, step)
        if step and self.limits.compare_every is not None:
            self.compare(step, model, optimizer)

    def holds_parts(self) -> None:
        """Ranks hold different weights from now on: there is nothing to compare."""
        self.limits = replace(self.limits, compare_every=None)

    def rest(self) -> None:
        """No training now: what was begun is written, and nobody watches this rank's beats."""
        self.heart.move(-1)
        if self._writer is not None:
            self._writer.wait()
        if self.journal is not None:
            self._tell_replayed(self.journal)
            self.journal.close()
            self.journal = None

    def writer(self, *, in_parts: bool = False) -> Writer:
        """The writer of checkpoints: rank 0's, or `in_parts` every rank's, who all call this then."""
        if self._writer is None:
            self._writer = Writer(
                self.own,
                self.key,
                keep=self.limits.kept,
                elsewhere=Path(self.limits.elsewhere) / self.key[:16] if self.limits.elsewhere else None,
                told=self._not_written,
                group=communicate.group_apart(self.limits.timeout_s) if in_parts else None,
            )
        return self._writer

    def checkpoint(self, step: int | None = None) -> Path | None:
        """The newest whole checkpoint of any attempt, or that of `step`; the same on all ranks, who all call it.

        Also what was half written is removed; an earlier attempt may still be dying.
        """
        found = ""
        if self.rank == 0:
            checkpoint.discard_unsealed(self.own)
            places: list[Path] = list(self.work.glob("attempt-*"))
            if self.limits.elsewhere:
                places.append(Path(self.limits.elsewhere) / self.key[:16])
            found = str(checkpoint.newest(places, self.key, step) or "")
        agreed = communicate.agreed(found, self.device)
        return Path(agreed) if agreed else None

    def clear(self) -> None:
        """The result is whole and nobody goes back: remove checkpoints, their second copies and notes."""
        places = [*self.work.glob("attempt-*"), self.work / "starts"]
        if self.limits.elsewhere:
            places.append(Path(self.limits.elsewhere) / self.key[:16])
        for path in places:
            shutil.rmtree(path, ignore_errors=True)
        for name in (STEPS, FILE):
            (self.work / name).unlink(missing_ok=True)

    # --- in each step
    # -----------------------------------------------------------------------------------------

    def check(self, step: int, loss: float, gradient: float) -> None:
        """Look at a step before it is taken; all ranks call it with a loss of their own and the same
        gradient.

        Raises:
            Anomaly: it must not be taken; on all ranks alike.
        """
        self.loss = replicas.mean_over_ranks(loss, self.device)
        self.watch.check(step, loss=self.loss, gradient=gradient)
        if self._writer is not None:
            self._writer.before_update()

    def stepped(self, step: int, position: int, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """A step was taken."""
        self.heart.move(step)
        if self.journal is not None:
            self.journal.add(step, position, self.loss, self.ranks)
        every = self.limits.compare_every
        if every is not None and step % every == 0:
            self.compare(step, model, optimizer)

    def compare(self, step: int, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Find ranks whose weights differ, name them, and give them the right ones."""
        source, wrong = replicas.compare(model, self.device)
        if not wrong:
            return
        if self._writer is not None:
            self._writer.before_update()
        replicas.reset(model, optimizer, source)
        names = ", ".join(str(rank) for rank in wrong)
        self._event(
            "diverged",
            step,
            f"rank {names} held other weights than rank {source}: reset from it",
            ranks=wrong,
        )

    # --- what went wrong
    # --------------------------------------------------------------------------------------

    def _roll_back(self, error: anomalies.Anomaly, good: int) -> None:
        recovery = self.recovery
        advice = "lower the learning rate, or look for damaged weights in the base model"
        if error.step == 1:
            raise GivenUp(f"{error}: {advice}") from error
        if recovery.rollbacks >= self.limits.rollbacks:
            tried = f", after {recovery.rollbacks} rollbacks that did not help" if recovery.rollbacks else ""
            raise GivenUp(f"{error}{tried}: {advice}") from error
        recovery.rollbacks += 1
        position = recovery.leave_out(error.step)
        recovery.rate *= _LEAST_RATE_STEP
        self._event(
            "anomaly",
            error.step,
            f"{error}: back to step {good}, its batch left out, learning rate halved "
            f"(now {recovery.rate:g} of what was asked)",
            back_to=good,
            batch=position,
        )
        if self.rank == 0:  # at another rate no step done again has its loss of before
            (self.work / STEPS).unlink(missing_ok=True)

    def _less_memory(self, error: BaseException) -> None:
        if self.recovery.pieces >= MOST_PIECES:
            raise GivenUp(
                f"memory ran out even with the batch in {self.recovery.pieces} pieces and all activations "
                "computed again: "
                "use a smaller model or max_length, or a machine with more memory"
            ) from error
        if self.ranks > 1:  # the others are in the middle of a step and cannot be told
            self.heart.stop("memory")
            program.log(f"rank {self.rank} ran out of memory: {error}")
            raise SystemExit(1) from error
        self._save_memory(max(self.heart.step, 0))
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _save_memory(self, step: int) -> None:
        """Smaller pieces first, which cost least; then, before they get too small to be worked on well, layers
        are computed again.
        """
        recovery = self.recovery
        if recovery.pieces >= _PIECES_FIRST and recovery.again < 1:
            recovery.again = 0.5 if self.limits.chooses_layers and not recovery.again else 1.0
            which = "some" if recovery.again < 1 else "all"
            self._event(
                "memory",
                step,
                f"memory ran out after step {step}: the activations of {which} layers are now computed again in "
                "the backward pass, what is learnt stays the same",
                again=recovery.again,
            )
            return
        recovery.pieces *= 2
        self._event(
            "memory",
            step,
            f"memory ran out after step {step}: each rank now does its share in {self.recovery.pieces} pieces, "
            "the batch stays the same",
            pieces=self.recovery.pieces,
        )

    def _look_back(self, notes: list[elastic.Note]) -> None:
        """Rank 0, at a start: what ended the last one, by the notes its ranks left."""
        if not notes or all(note.end in ("done", elastic.LEFT_OUT) for note in notes):
            return
        step = max([note.step for note in notes] + list(read_steps(self.work / STEPS)))  # notes lag a second
        nodes = list(dict.fromkeys(note.node for note in notes))
        lost = elastic.lost_among(notes)
        seconds = round(time.time() - max(note.at for note in notes), 1)
        if any(note.end == "memory" for note in notes):
            self._save_memory(max(step, 0))
        elif lost or any("agent" in note.end for note in notes):
            gone = lost or [note for note in notes if "agent" in note.end]
            names = ", ".join(elastic.describe(note, len(nodes)) for note in gone)
            still = all(note.end == elastic.STILL for note in gone)
            how = "stood still and was killed" if still else "was lost"
            whom = f"{names} of {len(notes)} {how}"
            if len(gone) == len(notes):  # the only process, or the worker or the machine with all of them
                whom = f"the process {how}" if len(notes) == 1 else f"all {len(notes)} ranks were lost"
            text = f"{whom} after step {max(step, 0)}; started again {seconds} s later"
            # Where all were lost (the power, the worker) no node is to blame: the job is tried again.
            blamed = [note.node for note in gone] if len(gone) < len(notes) else []
            self._event("lost", step, text, nodes=blamed, seconds=seconds)
            self._leave_nodes_out(nodes, step)
        elif elastic.lost_each_other(notes):
            self._event("connection", step, "the ranks lost each other though none died", at=time.time())
            self._look_at_network(step)

    def _look_at_network(self, step: int) -> None:
        """Tell of connections that are lost again and again; once in so long."""
        since = time.time() - _CONNECTION_SECONDS
        recent = [event["kind"] for event in self.recovery.events if event.get("at", 0) > since]
        if recent.count("connection") >= _CONNECTION_TIMES and "network" not in recent:
            text = (
                f"connections were lost {recent.count('connection')} times in ten minutes: look at the network "
                "between the nodes"
            )
            self._event("network", step, text, at=time.time())

    def _leave_nodes_out(self, nodes: list[str], step: int) -> None:
        lost = [name for event in self.recovery.events if event["kind"] == "lost" for name in event["nodes"]]
        for name in elastic.failing_nodes(lost, nodes, least=self.limits.least_nodes):
            if name not in self.recovery.left_out:
                self.recovery.left_out.append(name)
                self._event("node", step, f"node {name} has failed {lost.count(name)} times and is left out")

    def _is_left_out(self) -> bool:
        """Whether this node is, and enough others are here now: alone it is better than nothing."""
        if not self.recovery.left_out:  # the same on all ranks
            return False
        node = self.heart.node
        stays = node not in self.recovery.left_out
        first = os.environ.get("LOCAL_RANK", "0") == "0"
        others = communicate.summed(np.array([stays and first], np.float32), self.device)
        enough = int(others[0]) >= max(1, self.limits.least_nodes)
        if first and not stays and not enough:
            program.log(f"node {node} was left out and is needed again: too few others are here")
        return enough and not stays

    def _event(self, kind: str, step: int, text: str, **more: object) -> None:
        """Note it on all ranks, write it down and tell it on rank 0."""
        self.recovery.add(kind, step, text, **more)
        if self.rank == 0:
            self.recovery.write(self.work)
            program.log(text)

    def _not_written(self, text: str) -> None:
        """From the writer's thread."""
        self.recovery.add("checkpoint", max(self.heart.step, 0), text)
        program.log(text)

    def _tell_replayed(self, journal: StepJournal) -> None:
        if journal.differing:
            text = f"{journal.differing} of {journal.repeated} steps done again had another loss than before"
            self._event(
                "resumed", self.heart.step, text, repeated=journal.repeated, differing=journal.differing
            )
        elif journal.repeated:
            program.log(f"{journal.repeated} steps were done again with the same batches and losses")
