"""Under torchrun with two ranks: parts of an FSDP2 model are written beside the training, though one rank's disk
is full once and another part is damaged later; they are read again by DDP. A rank whose weights were changed is
named and reset by the survival of the run. Run by tests/training/programs/test_survival.py.
"""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from training.distributed import checkpoint, checkpoint_writer, communicate, replicas, sharded
from training.distributed.checkpoint_writer import Writer
from training.distributed.spread import load_state, room_for_state, state_of
from training.distributed.survival import Limits, Survival


def made() -> tuple[nn.Module, torch.optim.Optimizer]:
    """Of the last layer's bias the second rank has nothing."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 1))
    return model, torch.optim.AdamW(model.parameters(), lr=0.01)


def train(model: nn.Module, optimizer: Any, step: int, before_update: Callable[[], None] = int) -> None:
    """One step on the step's own batch, shared out where there are ranks."""
    batch = torch.randn(8, 7, generator=torch.Generator().manual_seed(step))
    if dist.is_initialized():
        batch = batch[dist.get_rank() :: 2]
    (model(batch) ** 2).mean().backward()
    before_update()
    optimizer.step()
    optimizer.zero_grad()


def held(model: nn.Module, optimizer: Any) -> dict[str, dict[str, Any]]:
    """What a checkpoint holds of both."""
    state = state_of(optimizer)["state"]
    fields = {f"{number}/{name}": value for number, one in state.items() for name, value in one.items()}
    return {"model": model.state_dict(), "optimizer": fields}


def take_up(path: Path, model: nn.Module, optimizer: Any) -> None:
    """Put a checkpoint into both."""
    sharded.read(path, model.state_dict())
    fields = room_for_state(optimizer, {k: v for k, v in sharded.contents(path).items() if "/" in k})
    sharded.read(path, fields)
    state: dict[int, dict[str, Any]] = {}
    for name, value in fields.items():
        number, field = name.split("/")
        state.setdefault(int(number), {})[field] = value
    load_state(optimizer, {"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def full_disk(*_args: Any) -> str:
    raise OSError(errno.ENOSPC, "No space left on device")


def main(folder: Path) -> None:
    dist.init_process_group("gloo")
    rank, told = dist.get_rank(), []
    second = folder / "second"
    writer = Writer(folder, "parts", told=told.append, elsewhere=second, group=communicate.group_apart(60))
    model, _ = made()
    for part in (model[0], model[2], model):
        fully_shard(part)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for step in range(3):
        train(model, optimizer, step)
    writer.start(3, held(model, optimizer), {"state": {"at": 3}})
    for step in range(3, 6):  # goes on while it is written
        train(model, optimizer, step, writer.before_update)
    writer.wait()
    expected = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True))

    plain_write = checkpoint_writer.write_tensors
    if rank == 1:
        checkpoint_writer.write_tensors = full_disk  # type: ignore[assignment]
    writer.start(5, held(model, optimizer), {})
    writer.wait()
    checkpoint_writer.write_tensors = plain_write
    assert writer.failed == 1, "both know"
    writer.start(6, held(model, optimizer), {})
    writer.wait()
    dist.barrier()
    if rank == 0:
        (sentence,) = told
        assert "no checkpoint of step 5, the older ones stand: rank 1: the disk is full" in sentence
        assert sorted(path.name for path in folder.iterdir()) == ["checkpoint-3", "checkpoint-6", "second"]
        damaged = folder / "checkpoint-6" / "model-00002-of-00002.safetensors"
        content = bytearray(damaged.read_bytes())
        content[-1] ^= 1
        damaged.write_bytes(bytes(content))
        assert checkpoint.newest([folder, second], "parts") == second / "checkpoint-6"
    else:
        assert not told
    dist.barrier()

    rows = communicate.joined(torch.full((rank + 1, 2), float(rank)))  # ranks give one row and two
    assert rows.tolist() == [[0, 0], [1, 1], [1, 1]]
    assert communicate.joined(torch.tensor(10 + rank)).tolist() == [10, 11]

    plain, _ = made()
    ddp = DistributedDataParallel(plain)
    optimizer = torch.optim.AdamW(ddp.parameters(), lr=0.01)
    found = checkpoint.newest([folder], "parts")
    assert found == folder / "checkpoint-3"
    take_up(found, plain, optimizer)
    for step in range(3, 6):
        train(ddp, optimizer, step)
    if rank == 0:
        torch.save(expected, folder / "expected.pt")
        for name, value in plain.state_dict().items():
            torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-6)

    survival = Survival(
        folder / "run", folder / "run" / "attempt-1", "run", torch.device("cpu"), Limits(compare_every=2)
    )
    survival.begin(0, plain, optimizer)
    for step in (1, 2, 3, 4):
        train(ddp, optimizer, step)
        if step == 3 and rank == 1:
            with torch.no_grad():
                plain[0].weight[0, 0] += 1e-6
        differed = replicas.compare(plain, torch.device("cpu"))
        assert differed == (0, [1] if step > 2 else []), (step, differed)
        survival.check(step, 1.0, 1.0)
        survival.stepped(step, step - 1, plain, optimizer)
    assert replicas.compare(plain, torch.device("cpu")) == (0, [])
    (folder / f"diverged-{rank}.json").write_text(json.dumps(survival.recovery.events))
    survival.heart.stop("done")
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
