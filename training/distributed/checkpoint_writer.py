"""Checkpoints written beside the training: the call returns at once, a thread does the rest.

1. The thread copies the tensors into memory that it keeps for the purpose. Only the optimiser changes them, so
   training may go on through forward and backward meanwhile; `before_update` waits until the copy is whole.
2. It writes the copy under a temporary name, hashing as it goes; flushes; reads the disk back and compares;
   writes the marker; renames. Only then older checkpoints are removed, and a second copy is made elsewhere.

With a group every rank has a writer and does so with its parts of the tensors (`sharded`); the first alone
marks, renames and removes. After each of these steps all hear how it went for each, so that one that fails is
a checkpoint less for all and nobody waits for it.

A full disk or a place that is gone costs the new checkpoint and nothing else: the half-written one is
removed, the older ones stay, `told` says so, and training goes on.

The file format of tensors is safetensors (8 bytes: length of the header; the header in JSON; the raw bytes),
written here and not by the library so that the bytes are hashed on their way; everybody reads it.
"""

from __future__ import annotations

import contextlib
import contextvars
import hashlib
import json
import os
import shutil
import threading
from collections import ChainMap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from training.distributed import checkpoint, communicate, faults, sharded

Tensors = Mapping[str, Tensor]
Told = Callable[[str], None]

_NICE = 10  # the writer gives way to the training
_TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


class Unwritten(RuntimeError):
    """A rank could not do its part of a checkpoint; the message says which and why."""


class Writer:
    """Writes the checkpoints of one run, one after the other.

    Args:
        folder: where they lie. key: what they are sealed for (`checkpoint.seal`).
        keep: how many of the newest stay; the best stays too.
        elsewhere: a second place, on another disk or machine, or None.
        told: given a sentence for a person when one could not be written, on the first rank.
        group: all ranks, over gloo, made for this and used for nothing else: the thread talks over it while the
            training talks over the default one. Every rank then has a writer, and `start` is called by all with
            tensors cut among them. None: this process alone writes, and holds whole tensors.
    """

    def __init__(
        self,
        folder: Path,
        key: str,
        *,
        keep: int = 2,
        elsewhere: Path | None = None,
        told: Told = print,
        group: dist.ProcessGroup | None = None,
    ) -> None:
        if keep < 1:
            raise ValueError(f"keep: found {keep}, expected 1 or more")
        self.folder, self.key, self.keep, self.elsewhere, self.told = folder, key, keep, elsewhere, told
        self.group = group
        self.rank, self.ranks = (group.rank(), group.size()) if group is not None else (0, 1)
        self.failed = 0  # checkpoints that could not be written
        self._held: dict[str, dict[str, Tensor]] = {}
        self._places: dict[str, dict[str, sharded.Place]] = {}
        self._draft: Path | None = None  # of the first rank, to be removed
        self._copied = threading.Event()
        self._thread: threading.Thread | None = None

    def start(
        self,
        step: int,
        tensors: Mapping[str, Tensors],
        documents: Mapping[str, Any],
        best: int | None = None,
    ) -> None:
        """Begin to write the checkpoint of `step`. Waits first if an earlier one is not on the disk yet.

        Args:
            tensors: by name of the file (without .safetensors), then by name. They must not change before
                `before_update`.
            documents: what becomes JSON, by name of the file (without .json); taken as it is now.
            best: the step of the best checkpoint so far, which is kept.
        """
        self.wait()
        texts = {f"{name}.json": json.dumps(value, indent=1) for name, value in documents.items()}
        self._copied.clear()
        context = contextvars.copy_context()  # where events go
        self._thread = threading.Thread(
            target=context.run,
            args=(self._work, step, {k: dict(v) for k, v in tensors.items()}, texts, best),
            name=f"checkpoint-{step}",
        )
        self._thread.start()

    def before_update(self) -> None:
        """Wait until the copy in memory is whole. Call it before anything changes the tensors."""
        if self._thread is not None:
            self._copied.wait()

    def wait(self) -> None:
        """Wait until what was begun is on the disk, or has failed."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _work(self, step: int, tensors: dict[str, Tensors], texts: dict[str, str], best: int | None) -> None:
        with contextlib.suppress(OSError, AttributeError):  # Linux: a thread has a niceness of its own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        try:
            draft = self.folder / self._agree(lambda: self._begin(step, tensors))[0]
            files = self._agree(lambda: self._write(draft, texts))
            self._agree(lambda: self._finish(draft, step, dict(ChainMap(*files)), best))
        except Exception as error:  # told, not raised: the training goes on, the older ones stand
            self.failed += 1
            if self.rank == 0:
                self.told(f"no checkpoint of step {step}, the older ones stand: {self._reason(error)}")
        else:
            if self.rank == 0:
                self._copy_elsewhere(self.folder / f"checkpoint-{step}", best)
        finally:
            if self._draft is not None:
                shutil.rmtree(self._draft, ignore_errors=True)
                self._draft = None

    def _agree(self, act: Callable[[], Any]) -> list[Any]:
        """What each rank's `act` returned (as JSON), in their order.

        Raises:
            Unwritten: it failed on one of them; raised by all alike.
        """
        try:
            mine = {"found": act()}
        except Exception as error:
            mine = {"failed": self._reason(error)}
        said = [json.loads(text) for text in communicate.texts(json.dumps(mine), self.group)]
        for rank, one in enumerate(said):
            if "failed" in one:
                raise Unwritten(f"rank {rank}: {one['failed']}" if self.ranks > 1 else one["failed"])
        return [one["found"] for one in said]

    def _reason(self, error: Exception) -> str:
        if isinstance(error, Unwritten):
            return str(error)
        return faults.out_of_space(error, self.folder) or f"{type(error).__name__}: {error}"

    def _begin(self, step: int, tensors: dict[str, Tensors]) -> str:
        """Copy what is to be written; the first rank makes the draft. Returns its name."""
        try:
            self._copy(tensors)
        finally:
            tensors.clear()  # what was put together for this is not kept while the disk is written
            self._copied.set()
        if self.rank:
            return ""
        self._draft = checkpoint.draft_of(self.folder, step)
        return self._draft.name

    def _write(self, draft: Path, texts: dict[str, str]) -> checkpoint.Files:
        """This rank's files, read back from the disk."""
        intended: dict[str, str] = {}
        for file, held in self._held.items():
            if self.group is None:  # and what it has is the whole
                name, places = f"{file}.safetensors", None
            else:
                name, places = f"{file}-{self.rank + 1:05}-of-{self.ranks:05}.safetensors", self._places[file]
            if held or places is None:  # a rank may hold nothing of one
                intended[name] = write_tensors(draft / name, held, places)
        if self.rank == 0:
            for name, text in texts.items():
                (draft / name).write_text(text)
                intended[name] = hashlib.sha256(text.encode()).hexdigest()
        return checkpoint.read_back(draft, intended)

    def _finish(self, draft: Path, step: int, files: checkpoint.Files, best: int | None) -> None:
        """The first rank, when all have written: the checkpoint counts."""
        if self.rank == 0:
            checkpoint.seal(draft, self.key, files)
            checkpoint.publish(draft, step)
            checkpoint.rotate(self.folder, keep=self.keep, best=best)

    def _copy(self, tensors: dict[str, Tensors]) -> None:
        for gone in set(self._held) - set(tensors):
            del self._held[gone]
        for file, given in tensors.items():
            # Of one rank alone too: weights that wait in the host's memory are a DTensor whose only part it has.
            named, self._places[file] = sharded.own(given, self.rank)
            held = self._held.setdefault(file, {})
            for gone in set(held) - set(named):
                del held[gone]
            for name, value in named.items():
                there = held.get(name)
                if there is None or there.shape != value.shape or there.dtype != value.dtype:
                    held[name] = there = torch.empty(value.shape, dtype=value.dtype, device="cpu")
                there.copy_(value.detach())

    def _copy_elsewhere(self, written: Path, best: int | None) -> None:
        if self.elsewhere is None:
            return
        try:
            checkpoint.copy_to(written, self.elsewhere)
            checkpoint.rotate(self.elsewhere, keep=self.keep, best=best)
        except (OSError, ValueError) as error:
            self.told(f"no second copy of {written.name} in {self.elsewhere}: {error}")


def write_tensors(path: Path, tensors: Tensors, places: Mapping[str, sharded.Place] | None = None) -> str:
    """Write contiguous CPU tensors as a safetensors file. Returns the SHA-256 of what was meant to be
    written.

    Args:
        places: where each begins in the whole, if they are parts (`sharded`).

    Raises:
        ValueError: a kind of number that the format does not have.
        OSError: no space.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    if places is not None:
        told = {name: {"saved_offsets": place} for name, place in places.items()}
        header["__metadata__"][sharded.PLACES] = json.dumps(told)
    at = 0
    for name, value in tensors.items():
        if value.dtype not in _TYPES:
            raise ValueError(f"{name} holds {value.dtype}, which a checkpoint cannot keep")
        size = value.numel() * value.element_size()
        header[name] = {
            "dtype": _TYPES[value.dtype],
            "shape": list(value.shape),
            "data_offsets": [at, at + size],
        }
        at += size
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for piece in (len(head).to_bytes(8, "little"), head):
            digest.update(piece)
            file.write(piece)
        for value in tensors.values():
            if value.numel():
                content = value.reshape(-1).view(torch.uint8).numpy().data
                digest.update(content)
                file.write(content)
    return digest.hexdigest()
