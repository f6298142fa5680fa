"""Runs of one base that tell each other their gradients now and then, so that they stay easy to merge.

Two fine-tunes of one base on different data move many weights in opposite directions; averaged afterwards, these
cancel. Every `every` steps a run publishes the mean gradient of its encoder since the last time into a folder
that the runs of a group share, and reads the newest of the others. Until the next time each of its steps goes
along (1 - weight) * own + weight * mean of the others'.

Nobody waits for anybody: a run alone, or one whose others are gone, trains as without. The word table is left
out, since each run has cut it to its own texts. What others publish comes when it comes, so a run that
exchanges is not repeatable to the last bit; `figures` tells what it heard.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from jobs import program
from jobs.program import file_sha256
from training.distributed import checkpoint, communicate, faults
from training.distributed.checkpoint_writer import write_tensors

STALE_SECONDS = 3600.0  # what was published longer ago is of a run that has ended or stands still
_SKIPPED = ("stale", "damaged", "other base")


class Exchange(TrainerCallback):
    """One run's part in a group. Every rank makes one; rank 0 writes and reads, and tells the others.

    Args:
        encoder: whose gradients are exchanged; its ranks hold copies.
        folder: shared by the group. name: of this run in it, the same in each of its attempts.
        base: fingerprint of the folder that the runs began with; others are not listened to.
        every: steps between exchanges. weight: share of the others, from 0 to 1.
    """

    def __init__(
        self, encoder: Any, folder: Path, name: str, base: str, *, every: int, weight: float
    ) -> None:
        self.folder, self.name, self.base, self.every, self.weight = folder, name, base, every, weight
        table = encoder.get_input_embeddings().weight
        self.parameters: dict[str, Tensor] = {
            key: value
            for key, value in encoder.named_parameters()
            if value.requires_grad and value is not table
        }
        self.own = {key: torch.zeros_like(value) for key, value in self.parameters.items()}
        self.steps = 0  # that `own` is the sum of
        self.heard: list[Tensor] | None = None
        self.times = self.published = self.heard_from = 0
        self.skipped = dict.fromkeys(_SKIPPED, 0)

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """The gradient is the mean over ranks, and clipped: no run can shout louder than another."""
        self.mix(state.global_step + 1)

    @torch.no_grad()
    def mix(self, step: int) -> None:
        """Note this step's own gradient, exchange where it is time, and put the mixture in its place."""
        gradients = {key: value.grad for key, value in self.parameters.items()}
        for key, gradient in gradients.items():
            if gradient is not None:
                self.own[key] += gradient
        self.steps += 1
        if step % self.every == 0:
            self._exchange(step)
        if self.heard is None:
            return
        for (key, value), other in zip(self.parameters.items(), self.heard, strict=True):
            gradient = gradients[key]
            value.grad = self.weight * other if gradient is None else torch.lerp(gradient, other, self.weight)

    def figures(self) -> dict[str, Any]:
        """For result.json: how often it exchanged, published, and heard how many gradients of others."""
        return {
            "every": self.every,
            "weight": self.weight,
            "times": self.times,
            "published": self.published,
            "heard": self.heard_from,
            "skipped": {reason: count for reason, count in self.skipped.items() if count},
        }

    def _exchange(self, step: int) -> None:
        self.times += 1
        heard: list[dict[str, Tensor]] = []
        if communicate.rank() == 0:
            self._publish(step)
            heard = self._read()
            self.heard_from += len(heard)
        for value in self.own.values():
            value.zero_()
        self.steps = 0
        device = next(iter(self.parameters.values())).device
        count = int(communicate.agreed(str(len(heard)), device))
        self.heard = self._agreed_mean(heard) if count else None

    def _agreed_mean(self, heard: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        """The mean of what rank 0 has heard, on every rank."""
        found = []
        for key, value in self.parameters.items():
            mean = torch.zeros_like(value)
            for other in heard:
                mean += other[key].to(mean.device) / len(heard)
            if communicate.world_size() > 1:
                dist.broadcast(mean, src=0)
            found.append(mean)
        return found

    def _publish(self, step: int) -> None:
        """The tensors under a name of their own, then the note that says which file is the newest. What cannot
        be written is told, and the run goes on."""
        mean = {key: (value / self.steps).contiguous().cpu() for key, value in self.own.items()}
        note = self.folder / f"{self.name}.json"
        draft = self.folder / f".{self.name}.tmp"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            before = _note(note)
            digest = write_tensors(draft, mean)
            checkpoint.flush(draft)
            file = self.folder / f"{self.name}-{step}.safetensors"
            os.replace(draft, file)
            told = {
                "base": self.base,
                "step": step,
                "file": file.name,
                "sha256": digest,
                "at": round(time.time(), 3),
            }
            draft.write_text(json.dumps(told))
            os.replace(draft, note)
            if before and before["file"] != file.name:
                (self.folder / before["file"]).unlink(missing_ok=True)
            self.published += 1
        except OSError as error:
            reason = faults.out_of_space(error, self.folder) or f"{type(error).__name__}: {error}"
            program.log(f"the gradient of step {step} was not published: {reason}")

    def _read(self) -> list[dict[str, Tensor]]:
        """The newest gradients of the others; what cannot be used is counted."""
        found = []
        for path in sorted(self.folder.glob("*.json")):
            if path.stem == self.name:
                continue
            note = _note(path)
            if note is None:
                self.skipped["damaged"] += 1
            elif note["base"] != self.base:
                self.skipped["other base"] += 1
            elif time.time() - note["at"] > STALE_SECONDS:
                self.skipped["stale"] += 1
            elif (tensors := self._tensors(self.folder / note["file"], note["sha256"])) is None:
                self.skipped["damaged"] += 1
            else:
                found.append(tensors)
        return found

    def _tensors(self, path: Path, digest: str) -> dict[str, Tensor] | None:
        """None of a file that is missing or damaged, or holds other tensors or what is no number."""
        try:
            if file_sha256(path) != digest:
                return None
            tensors = load_file(path)
        except (OSError, SafetensorError):
            return None
        fits = tensors.keys() == self.parameters.keys() and all(
            tensors[key].shape == value.shape and bool(tensors[key].isfinite().all())
            for key, value in self.parameters.items()
        )
        return tensors if fits else None


def name_of(work: Path) -> str:
    """A run's name in its group: the same in all attempts, since they share the work folder."""
    return hashlib.sha256(str(work.resolve()).encode()).hexdigest()[:16]


def sign_conflict(
    one: Mapping[str, Tensor], other: Mapping[str, Tensor], base: Mapping[str, Tensor]
) -> float:
    """Share of the weights that two runs have moved away from their base in opposite directions; of those that
    both have moved.

    >>> zero, at = torch.zeros(4), lambda *values: {"w": torch.tensor(values)}
    >>> sign_conflict(at(1.0, 1.0, -1.0, 2.0), at(1.0, -1.0, -1.0, 0.0), {"w": zero})
    0.3333333333333333
    """
    opposite = moved = 0
    for key, start in base.items():
        product = (one[key] - start).sign() * (other[key] - start).sign()
        opposite += int((product < 0).sum())
        moved += int((product != 0).sum())
    return opposite / max(1, moved)


def _note(path: Path) -> dict[str, Any] | None:
    """What a run last said of itself; None where that cannot be read."""
    try:
        found = json.loads(path.read_text())
        whole = {"base": str, "file": str, "sha256": str, "at": (int, float)}
        if not all(isinstance(found[key], kind) for key, kind in whole.items()):  # type: ignore[arg-type]
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return dict(found) if Path(found["file"]).name == found["file"] else None
