"""Under torchrun with two ranks: FSDP2 shards are written beside the training, read again by DDP, and a rank
whose weights were changed is found and reset. Run by tests/training/programs/test_survival.py.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from training.distributed import checkpoint, replicas, sharded


def made() -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 3))
    return model, torch.optim.AdamW(model.parameters(), lr=0.01)


def train(model: nn.Module, optimizer: Any, step: int) -> None:
    """One step on the step's own batch, shared out where there are ranks."""
    batch = torch.randn(8, 7, generator=torch.Generator().manual_seed(step))
    if dist.is_initialized():
        batch = batch[dist.get_rank() :: 2]
    (model(batch) ** 2).mean().backward()
    optimizer.step()
    optimizer.zero_grad()


def main(folder: Path) -> None:
    dist.init_process_group("gloo")
    group = dist.new_group(backend="gloo")
    model, _ = made()
    for part in (model[0], model[2], model):
        fully_shard(part)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for step in range(3):
        train(model, optimizer, step)
    try:
        sharded.start(folder, "sharded", 3, model, optimizer)
    except ValueError as error:
        assert "found several ranks and no group" in str(error)
    else:
        raise AssertionError("torch would have aborted this process")
    writing = sharded.start(folder, "sharded", 3, model, optimizer, extra={"at": 3}, group=group)
    for step in range(3, 6):
        train(model, optimizer, step)  # goes on while it is written
    assert writing.finish() == folder / "checkpoint-3"
    expected = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True))

    plain, _ = made()
    ddp = DistributedDataParallel(plain)
    optimizer = torch.optim.AdamW(ddp.parameters(), lr=0.01)
    found = checkpoint.newest([folder], "sharded")
    assert found is not None and sharded.load(found, ddp, optimizer) == {"at": 3}
    for step in range(3, 6):
        train(ddp, optimizer, step)
    if dist.get_rank() == 0:
        torch.save(expected, folder / "expected.pt")
        for name, value in plain.state_dict().items():
            torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-6)

    assert replicas.compare(plain, torch.device("cpu")) == (0, [])
    if dist.get_rank() == 1:
        with torch.no_grad():
            plain[0].weight[0, 0] += 1e-6
    differed = replicas.compare(plain, torch.device("cpu"))
    replicas.reset(plain, optimizer, differed[0])
    assert replicas.compare(plain, torch.device("cpu")) == (0, [])
    if dist.get_rank() == 0:
        (folder / "differed.json").write_text(json.dumps(differed))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
