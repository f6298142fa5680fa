"""What a fine-tune is asked to do."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from training.distributed import compress
from training.distributed.layout import check_name
from training.distributed.survival import Limits
from training.learning import curriculum, precision
from training.learning.precision import Asked
from training.objectives import parts
from training.objectives.registry import flat_field, objective
from training.objectives.task import Choices, Tagging, Task
from training.programs import specs
from training.programs.surviving_run import SurvivingSpec


@dataclass(frozen=True, kw_only=True)
class FinetuneSpec(SurvivingSpec):
    """What to train.

    Attributes:
        field: the field of the schema to learn, as the schema has it. labels: ids of a flat list of labels,
            where no field is given.
        base_model: folder of an encoder.
        start_head: base_model is a model of the same objective and columns; its head is gone on with.
        before: folder of an earlier frozen dataset, whose items the base model has learnt: of those only a share
            `replay`, drawn anew, is learnt again, against forgetting. Empty: all of `data` is learnt.
        soft_labels, tagging: see training.objectives.task.Choices.
        epochs: passes over the training items, fractions allowed; max_steps overrides it.
        batch_size: items a step, over all processes.
        dropout: replaces the encoder's own rates; None keeps them.
        warmup: share of the steps in which the rate rises.
        patience: stop when the validation loss has not fallen for so many checkpoints, and keep the best;
            None: train to the end.
        head_start: begin with a linear probe's weights as the head instead of zeros.
        compare_every: steps between comparisons of the ranks' weights; None: as often as checkpoints.
        least_nodes: of a run on several.
        precision: of the matrix products; "auto": bf16 where the hardware is fast at it. Weights stay float32.
        scoring: the precision in which the model will read a pool; the result says which "auto" is here.
        curriculum: the order of difficulty in which items are met, see training.learning.curriculum.
        exchange: folder in which the runs of a group tell each other their gradients every `exchange_every`
            steps, which count `exchange_weight` (see learning.exchange); "": none.
        base_penalty: how strongly the encoder's weights are pulled back to the base's, see towards_base.
        compression: of gradients between processes: none, topk, powersgd, fp16, or bf16 over NCCL
            (`distributed.compress`). compression_share: of its entries that topk sends.
        gradient_surgery: PCGrad between tasks (`learning.task_surgery`). surgery_tasks: which they are
            (`objectives.parts`); increment with `before` alone.
        layout: how model and optimiser lie on the processes (`distributed.layout.NAMES`); "auto": the simplest
            that fits. One process is one process under any of them, but for "zero3_offload".
        autotune_s: seconds to look for faster settings before the training begins; 0: none. What they are is
            found on the machine (`learning.faster`) and changes results by rounding alone.
        profile_steps: steps that torch's profiler looks at, 0 for none; the trace comes with the result.
        The rest: see SurvivingSpec.
    """

    APART: ClassVar[tuple[str, ...]] = (
        *SurvivingSpec.APART,
        *("compare_every", "least_nodes", "layout", "autotune_s", "profile_steps", "scoring", "exchange"),
    )

    field: dict[str, Any] = dataclasses.field(default_factory=dict)
    labels: list[str] = dataclasses.field(default_factory=list)
    base_model: str
    start_head: bool = False
    before: str = ""
    replay: float = 0.25
    objective: str = "classification"
    soft_labels: bool = False
    tagging: Tagging = "bio"
    epochs: float = 3.0
    max_steps: int | None = None
    batch_size: int = 16
    learning_rate: float = 1e-4
    weight_decay: float = 0.01
    warmup: float = 0.06
    max_length: int = 128
    dropout: float | None = None
    head_start: bool = True
    patience: int | None = None
    compare_every: int | None = None
    least_nodes: int = 1
    precision: Asked = "fp32"
    scoring: Asked = "fp32"
    curriculum: str = "none"
    base_penalty: float = 0.0
    exchange: str = ""
    exchange_every: int = 10
    exchange_weight: float = 0.25
    compression: str = "none"
    compression_share: float = compress.SHARE
    gradient_surgery: bool = False
    surgery_tasks: parts.Among = parts.INCREMENT
    layout: str = "auto"
    autotune_s: float = 0.0
    profile_steps: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.field:
            specs.check_labels(self.labels)
        assert self.task is not None  # bound now, so that what it refuses is refused before any work
        specs.check_range("replay", self.replay, 0, 1)
        specs.check_range("epochs", self.epochs, 1e-6, 10_000)
        specs.check_range("max_steps", self.max_steps or 1, 1, 10**8)
        specs.check_range("batch_size", self.batch_size, 1, 65_536)
        specs.check_range("learning_rate", self.learning_rate, 0, 1000)
        specs.check_range("weight_decay", self.weight_decay, 0, 10)
        specs.check_range("warmup", self.warmup, 0, 1)
        specs.check_range("max_length", self.max_length, 4, 8192)
        specs.check_range("dropout", self.dropout or 0.0, 0, 0.95)
        specs.check_range("patience", self.patience or 1, 1, 10**6)
        specs.check_range("compare_every", self.compare_every or 1, 1, 10**8)
        specs.check_range("least_nodes", self.least_nodes, 1, 1024)
        specs.check_range("autotune_s", self.autotune_s, 0, 86_400)
        specs.check_range("profile_steps", self.profile_steps, 0, 1000)
        compress.check(self.compression, self.compression_share)
        check_name(self.layout, self.compression, self.gradient_surgery)
        self._check_surgery()
        self._check_exchange()
        precision.check(self.precision)
        precision.check(self.scoring)
        curriculum.check(self.curriculum)
        specs.check_range("base_penalty", self.base_penalty, 0, 10_000)

    def _check_surgery(self) -> None:
        if not self.gradient_surgery:
            return
        parts.check(self.surgery_tasks, self.task)
        if self.surgery_tasks == parts.INCREMENT and not self.before:
            raise ValueError(
                "gradient_surgery: found no data learnt before, expected `before`: it stands between what is "
                "new and what is learnt again"
            )

    def _check_exchange(self) -> None:
        specs.check_range("exchange_every", self.exchange_every, 1, 10**6)
        specs.check_range("exchange_weight", self.exchange_weight, 0, 1)
        if not self.exchange:
            return
        if self.layout not in ("auto", "ddp", "zero1"):
            raise ValueError(
                f"exchange: found it with the layout {self.layout}, expected auto, ddp or zero1: whole "
                "gradients are told to other runs"
            )
        if self.compression != "none" or self.gradient_surgery:
            raise ValueError(
                "exchange: found it with compression or gradient_surgery, expected neither: each of them makes "
                "another thing of the gradient"
            )

    @property
    def copies(self) -> bool:
        """Whether every rank must hold the whole model."""
        return self.compression != "none" or self.gradient_surgery or bool(self.exchange)

    @cached_property
    def task(self) -> Task:
        """The objective, bound to the field."""
        choices = Choices(soft_labels=self.soft_labels, tagging=self.tagging)
        return objective(self.objective).bind(self.field or flat_field(self.labels), choices)

    def steps(self, items: int) -> int:
        """Optimiser steps for so many training items."""
        return specs.steps_for(
            items, epochs=self.epochs, batch_size=self.batch_size, max_steps=self.max_steps
        )

    def limits(self) -> Limits:
        """When to step in, as `Survival` wants it."""
        return dataclasses.replace(
            super().limits(),
            compare_every=self.compare_every or self.save_every,
            least_nodes=self.least_nodes,
        )
