"""Checkpoints of models that are cut among ranks (FSDP2, tensor parallel), by torch's distributed checkpoint.

Each rank writes its shards as safetensors with their place in the whole in the header, so that any number of
ranks, sharded or not, can read them again: 2 ranks to 1, FSDP2 to DDP. torch's own default format is not
used: its list of contents is unpickled when it is read, which can run code.

Sealed and found like the others (`checkpoint.newest`), which a run of one kind may hand to a run of the
other.
"""

from __future__ import annotations

import json
import shutil
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from torch import Tensor, nn
from torch.distributed.checkpoint import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.state_dict import (
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)

from training.distributed import checkpoint, communicate

SETTINGS = "settings.json"  # of the optimiser's groups, and what the caller adds


@dataclass
class Writing:
    """A checkpoint that is on its way to the disk. Every rank calls `finish` in the same order."""

    draft: Path
    step: int
    key: str
    written: Future[Any] | None

    def finish(self) -> Path:
        """Wait until all ranks have written, seal it and give it its name. Returns its path, on every rank.

        Raises:
            OSError, RuntimeError: it could not be written; the draft is gone, older ones stand.
        """
        try:
            if self.written is not None:
                self.written.result()
            communicate.barrier()
            if communicate.rank() == 0:
                checkpoint.seal(self.draft, self.key)
                checkpoint.publish(self.draft, self.step)
            communicate.barrier()
        except BaseException:
            if communicate.rank() == 0:
                shutil.rmtree(self.draft, ignore_errors=True)
            raise
        return self.draft.parent / f"checkpoint-{self.step}"


def start(
    folder: Path,
    key: str,
    step: int,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    extra: dict[str, Any] | None = None,
    group: dist.ProcessGroup | None = None,
) -> Writing:
    """Copy the shards to memory and write them in a thread of torch's; training may go on when this returns.

    Args:
        extra: what else is to come back, as JSON.
        group: all ranks, over gloo (`dist.new_group(backend="gloo")`), made for this and used for nothing
            else: the thread talks over it while training talks over the default one. None with a single
            process.

    Raises:
        ValueError: several ranks, and no group of their own for the thread; torch would abort the process.
    """
    if dist.is_initialized() and group is None:
        raise ValueError(
            'found several ranks and no group, expected one made by dist.new_group(backend="gloo")'
        )
    draft = folder / f".checkpoint-{step}.tmp"
    if communicate.rank() == 0:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
    communicate.barrier()
    tensors, settings = _state(model, optimizer)
    if communicate.rank() == 0:
        (draft / SETTINGS).write_text(json.dumps({"optimizer": settings, "extra": extra or {}}))
    writer = HuggingFaceStorageWriter(str(draft), save_distributed=True)
    if not dist.is_initialized():
        dcp.save(tensors, storage_writer=writer, no_dist=True)
        return Writing(draft, step, key, None)
    written = dcp.async_save(tensors, storage_writer=writer, process_group=group)
    assert isinstance(written, Future)
    return Writing(draft, step, key, written)


def load(path: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Put a checkpoint into a model and its optimiser, whatever ranks and shards they have. Returns `extra`.

    The caller has found `path` with `checkpoint.newest`, so that every byte was checked.

    Raises:
        ValueError: it lacks a tensor of the model, or one has another shape.
    """
    tensors, _settings = _state(model, optimizer)
    found: dict[str, Any] = dict(tensors)  # loaded in place
    try:
        dcp.load(found, storage_reader=HuggingFaceStorageReader(str(path)), no_dist=not dist.is_initialized())
    except (RuntimeError, dcp.CheckpointException, ValueError) as error:
        raise ValueError(f"{path.name} is not a checkpoint of this model: {error}") from error
    kept = json.loads((path / SETTINGS).read_text())
    weights: dict[str, Any] = {name[6:]: value for name, value in found.items() if name.startswith("model.")}
    set_model_state_dict(model, weights)
    state: dict[str, dict[str, Any]] = {}
    for name, value in found.items():
        if name.startswith("optim."):
            parameter, field = name[6:].rsplit("/", 1)
            state.setdefault(parameter, {})[field] = value
    whole: Any = {"state": state, "param_groups": kept["optimizer"]}
    set_optimizer_state_dict(model, optimizer, whole)
    return dict(kept["extra"])


def _state(model: nn.Module, optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], list[Any]]:
    """All tensors by name, and the optimiser's groups as plain values (made first where it never stepped)."""
    weights: dict[str, Any] = get_model_state_dict(model)
    tensors: dict[str, Tensor] = {f"model.{name}": value for name, value in weights.items()}
    optim: dict[str, Any] = dict(get_optimizer_state_dict(model, optimizer))
    for parameter, fields in optim["state"].items():
        for field, value in fields.items():
            tensors[f"optim.{parameter}/{field}"] = value
    return tensors, list(optim["param_groups"])
