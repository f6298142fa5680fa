"""Tensors of a checkpoint in parts: each rank writes what it holds, whoever goes on reads what it needs.

A part's file is a safetensors file like the whole one's, whose header also says where in the whole each tensor
begins (under the name that torch.distributed.checkpoint gives it, whose reader puts them together). A whole
file is one part that begins at 0: so a checkpoint of either kind is read by any layout and number of ranks,
2 to 1, FSDP2 to DDP, DDP to FSDP2, and no rank holds more of it than its own part.

torch's own writer is not used: it sends its plan of who writes what from rank to rank as pickles, which can run
code when they are read, and hashes nothing on the way. `checkpoint_writer.Writer` writes parts.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as dcp
from torch import Tensor
from torch.distributed.checkpoint import HuggingFaceStorageReader
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.tensor import DTensor

PLACES = "DCP_SHARDING_INFO"  # in a header's metadata: JSON, {name: {"saved_offsets": [...]}}

Contents = dict[str, tuple[torch.Size, torch.dtype]]  # of whole tensors, by name
Place = list[int]  # where a part begins in the whole, along each axis


def own(tensors: Mapping[str, Tensor], rank: int) -> tuple[dict[str, Tensor], dict[str, Place]]:
    """What this rank is to write, and where it lies in the whole. What several ranks hold is written by the
    first of them alone.

    Args:
        tensors: cut among ranks (DTensor) or, alike on all, whole.
    """
    parts: dict[str, Tensor] = {}
    places: dict[str, Place] = {}
    for name, value in tensors.items():
        if isinstance(value, DTensor):
            part = value.to_local().detach()
            is_first = all(
                value.device_mesh.get_local_rank(axis) == 0
                for axis, placement in enumerate(value.placements)
                if placement.is_replicate()
            )
            # Where an axis is left out of its mesh, other ranks hold the same on meshes of their own.
            is_first &= bool((value.device_mesh.mesh == 0).any())
            if is_first and part.numel():
                (chunk,) = value.__create_chunk_list__()
                parts[name], places[name] = part, list(chunk.offsets)
        elif rank == 0:
            parts[name], places[name] = value.detach(), [0] * value.ndim
    return parts, places


def contents(checkpoint: Path) -> Contents:
    """Whole shape and type of each tensor of a checkpoint, by name."""
    found = HuggingFaceStorageReader(str(checkpoint)).read_metadata().state_dict_metadata
    return {
        name: (entry.size, entry.properties.dtype)
        for name, entry in found.items()
        if isinstance(entry, TensorStorageMetadata)
    }


def read(checkpoint: Path, tensors: Mapping[str, Tensor]) -> None:
    """Fill tensors, whole or cut among ranks, from a checkpoint of either kind. Each rank reads by itself.

    The caller has found `checkpoint` with `checkpoint.newest`, so that every byte was checked.

    Raises:
        ValueError: it lacks one of them, or has it in another shape.
    """
    wanted: dict[str, Any] = {name: value.detach() for name, value in tensors.items()}
    if not wanted:
        return
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "torch.distributed is disabled")  # meant: see above
            dcp.load(wanted, storage_reader=HuggingFaceStorageReader(str(checkpoint)), no_dist=True)
    except dcp.CheckpointException as error:
        (reason, _trace), *_ = error.failures.values()
        raise ValueError(f"{checkpoint.name} is not a checkpoint of this model: {reason}") from error
