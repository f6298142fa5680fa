"""A layout applied to a real model: one object whose `step` is the same arithmetic however ranks share it.

Order of building, from the inside out: a pipeline stage is cut out, its matrices are split (TP), checkpoints
are set, then weights are divided (FSDP2, HSDP) or copied (DDP). gloo on CPU, NCCL on GPUs.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule
from torch.distributed.optim import ZeroRedundancyOptimizer
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

from training.distributed import fsdp, norms, pipeline, split
from training.distributed.blocks import blocks, checkpoint_blocks
from training.distributed.layout import Layout
from training.distributed.tasks import Batch, Task

AXES = ("pipeline", "replicate", "shard", "tensor")


class Engine:
    """A model that trains under a layout; every rank makes one, with equal weights, and calls `step` alike.

    Attributes:
        model: this rank's part, wrapped. own: the same, without DDP around it.
        mesh: ranks by the axes pipeline, replicate, shard, tensor; None for one process without a group.
    """

    def __init__(
        self,
        model: nn.Module,
        layout: Layout,
        task: Task,
        *,
        learning_rate: float,
        make_optimizer: type[torch.optim.Optimizer] = torch.optim.AdamW,
        clip: float | None = None,
        device: torch.device | None = None,
        compute: torch.dtype | None = None,
        bucket_mb: float = 25.0,
        persist: int = 0,
        again: Sequence[int] | None = None,
    ) -> None:
        """Args:
            make_optimizer: a class that takes (parameters, lr=...).
            clip: the longest gradient; None: as it comes.
            compute: dtype of FSDP2's arithmetic; None: that of the weights.
            bucket_mb: DDP sends gradients in buckets of about this size.
            persist: parameters with fewer figures are not divided by FSDP2; only without tensor parallelism.
            again: layers (of this rank, from 0) to compute again in the backward pass, as
                `memory.choose_layers` picks them; None: as the layout says.

        Raises:
            ValueError: the layout does not fit the number of processes, or the model.
        """
        self.layout, self.task, self.most, self.again = layout, task, clip, again
        self.device = device or torch.device("cpu")
        self.mesh = mesh_of(layout, self.device)
        self.at = {axis: self.mesh.get_local_rank(axis) if self.mesh else 0 for axis in AXES}
        self.whole: list[nn.Parameter] = []  # that every data rank holds, and nobody else takes the mean of
        self.own = self._build(model.to(self.device), compute, persist if layout.tensor == 1 else 0)
        self.model = self._copy(self.own, bucket_mb)
        self.optimizer = self._optimizer(make_optimizer, learning_rate)
        self.line = self._line() if layout.pipeline > 1 else None

    def step(self, batch: Batch) -> float:
        """Learn from one global batch, given whole to every rank. Returns its mean loss before the update.

        Each rank takes its rows, in `accumulation` parts. The gradient is that of the mean over all losses of
        the batch, whoever computed them.
        """
        layout = self.layout
        losses = int(self.task.count(batch).sum())
        mine = {name: self._share(rows).to(self.device) for name, rows in batch.items()}
        total = self._through_line(mine, losses) if self.line else self._through_model(mine, losses)
        if self.whole:
            assert self.mesh is not None
            fsdp.mean_of_whole(self.whole, self.mesh)
        if self.mesh:
            dist.all_reduce(total)
            total /= layout.tensor * layout.data
        if self.most is not None:
            norms.clip(self.model.parameters(), self.most, layout.data * layout.tensor)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return float(total)

    def weights(self) -> dict[str, Tensor]:
        """This rank's parameters, put together over the ranks that divide them; of a pipeline, its stage's.

        Every rank must call it.
        """
        return {
            name: (value.full_tensor() if isinstance(value, DTensor) else value).detach().cpu().clone()
            for name, value in self.own.named_parameters()
        }

    def _build(self, model: nn.Module, compute: torch.dtype | None, persist: int) -> nn.Module:
        layout, mesh = self.layout, self.mesh
        if layout.pipeline > 1:
            model = pipeline.cut(model, self.at["pipeline"], layout.pipeline)
        if layout.tensor > 1:
            assert mesh is not None
            split.split_matrices(model, mesh["tensor"])
        if self.again is not None:
            checkpoint_blocks(model, self.again)
        elif layout.checkpointing != "none":
            count = len(blocks(model))
            checkpoint_blocks(model, range(0, count, 1 if layout.checkpointing == "full" else 2))
        if layout.fsdp:
            assert mesh is not None
            self.whole = fsdp.shard_weights(
                model,
                mesh["replicate", "shard"] if layout.replicate > 1 else mesh["shard"],
                free_after_forward=layout.zero == 3,
                offload=layout.offload,
                compute=compute,
                persist=persist,
            )
        elif layout.pipeline > 1 and layout.replicate > 1:
            self.whole = list(model.parameters())
        return model

    def _copy(self, model: nn.Module, bucket_mb: float) -> nn.Module:
        """DDP around the model where ranks hold the same weights. Not around a stage: DDP expects one forward
        pass a step, and a pipeline makes several.
        """
        if self.layout.fsdp or self.layout.replicate == 1 or self.layout.pipeline > 1:
            return model
        assert self.mesh is not None
        return DistributedDataParallel(
            model,
            process_group=self.mesh.get_group("replicate"),
            gradient_as_bucket_view=True,
            bucket_cap_mb=bucket_mb,
        )

    def _optimizer(self, make: type[torch.optim.Optimizer], rate: float) -> torch.optim.Optimizer:
        learning = [value for value in self.model.parameters() if value.requires_grad]
        settings: dict[str, Any] = {"lr": rate}
        if make is torch.optim.AdamW:
            settings["weight_decay"] = 0.0
        if self.layout.zero == 1 and self.layout.replicate > 1:
            assert self.mesh is not None
            return ZeroRedundancyOptimizer(
                learning, optimizer_class=make, process_group=self.mesh.get_group("replicate"), **settings
            )
        # DTensors and plain tensors cannot be updated together in one fused loop.
        if make is torch.optim.AdamW:
            settings["foreach"] = False
        return make(learning, **settings)

    def _line(self) -> Any:
        assert self.mesh is not None
        return pipeline.assembly_line(
            self.model,
            index=self.at["pipeline"],
            stages=self.layout.pipeline,
            micro_batches=self.layout.accumulation,
            schedule=self.layout.schedule,
            loss=self._line_loss,
            device=self.device,
            group=self.mesh.get_group("pipeline"),
        )

    def _share(self, rows: Tensor) -> Tensor:
        """This rank's rows of a batch; ranks that cut matrices and stages share them."""
        number = self.at["replicate"] * self.layout.shard + self.at["shard"]
        return rows[number :: self.layout.data]

    def _through_model(self, mine: Batch, losses: int) -> Tensor:
        """Forward and backward over this rank's rows. Returns its part of the mean loss, times data ranks."""
        total = torch.zeros((), device=self.device)
        parts = _parts(mine, self.layout.accumulation)
        for number, part in enumerate(parts):
            with self._together(last=number == len(parts) - 1):
                # DDP and FSDP take the mean over data ranks: times their number, it is the sum again. Logits
                # get no name: they are large, and free again once their loss is known.
                loss = self.task.loss(self.task.outputs(self.model, part), part["targets"])
                loss = loss * (self.layout.data / losses)
                loss.backward()
                total += loss.detach()
        return total

    def _together(self, *, last: bool) -> AbstractContextManager[Any]:
        """Gradients travel with the last part of a batch only."""
        if isinstance(self.model, FSDPModule):
            self.model.set_requires_gradient_sync(last)
        elif isinstance(self.model, DistributedDataParallel) and not last:
            return self.model.no_sync()
        return nullcontext()

    def _line_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.task.loss(outputs, targets) * self._scale

    def _through_line(self, mine: Batch, losses: int) -> Tensor:
        """The same through the stages; only the last one knows a loss."""
        self._scale = self.layout.data / losses
        found: list[Tensor] = []
        first, last = self.at["pipeline"] == 0, self.at["pipeline"] == self.layout.pipeline - 1
        assert self.line is not None
        self.line.step(
            *([mine["ids"]] if first else []),
            **({"target": mine["targets"], "losses": found} if last else {}),
        )
        return torch.stack(found).sum().detach() if last else torch.zeros((), device=self.device)


def _parts(mine: Batch, count: int) -> list[Batch]:
    rows = len(next(iter(mine.values())))
    cuts = [list(value.tensor_split(min(count, rows))) for value in mine.values()]
    return [dict(zip(mine, part, strict=True)) for part in zip(*cuts, strict=True)]


def mesh_of(layout: Layout, device: torch.device) -> DeviceMesh | None:
    """The ranks by `AXES`; None for one process without a group.

    Raises:
        ValueError: another number of processes than the layout has ranks.
    """
    world = dist.get_world_size() if dist.is_initialized() else 1
    if world != layout.ranks:
        raise ValueError(
            f"found {world} processes, expected {layout.ranks} for {layout.name}: "
            "start as many with torchrun --nproc-per-node"
        )
    if not dist.is_initialized():
        if layout.fsdp:
            raise ValueError("FSDP2 needs a process group, for one process as well: start with torchrun")
        return None
    sizes = (layout.pipeline, layout.replicate, layout.shard, layout.tensor)
    return init_device_mesh(device.type, sizes, mesh_dim_names=AXES)
