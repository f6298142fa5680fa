"""What a tune of a language model is asked to do."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from training.distributed.layout import check_name
from training.distributed.survival import Limits
from training.learning import curriculum, precision
from training.learning.precision import Asked
from training.objectives import language
from training.programs import specs
from training.programs.surviving_run import SurvivingSpec


@dataclass(frozen=True, kw_only=True)
class TuneSpec(SurvivingSpec):
    """What to tune.

    Attributes:
        base_model: folder of a causal language model, or a GGUF file that is unpacked to `models` once.
        base: what the base is known by (name, sha256); for the record.
        objective: "sft", "dpo" or "reward". adapter: "lora" or "full".
        rank: of the LoRA; its alpha is twice that.
        epochs: passes over the examples, fractions allowed; max_steps overrides it.
        batch_size: examples (pairs count once) a step, over all processes.
        beta: of DPO: how dear it is to leave the base.
        max_length: tokens of prompt and reply; a longer example is dropped and counted.
        curriculum: the order of difficulty in which examples are met, see training.learning.curriculum.
        precision: of the frozen weights, and of products: "auto", "fp32" or "bf16".
        layout: how model and optimiser lie on the processes (`distributed.layout.NAMES`); "auto": the
            simplest that fits. One process is one process under any of them, but for "zero3_offload".
        profile_steps: steps that torch's profiler looks at, 0 for none; the trace comes with the result.
        The rest: see SurvivingSpec.
    """

    APART: ClassVar[tuple[str, ...]] = (*SurvivingSpec.APART, "models", "layout", "profile_steps")

    base_model: str
    models: str = ""
    base: dict[str, str] | None = None
    objective: str
    adapter: str = "lora"
    rank: int = 16
    epochs: float = 3.0
    max_steps: int | None = None
    batch_size: int = 8
    learning_rate: float = 2e-4
    weight_decay: float = 0.0
    warmup: float = 0.06
    beta: float = 0.1
    max_length: int = 512
    curriculum: str = "none"
    gradient_checkpointing: bool = False
    precision: Asked = "auto"
    layout: str = "auto"
    profile_steps: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        language.kind_of(self.objective)
        if self.adapter not in ("lora", "full"):
            raise ValueError(f"adapter: found {self.adapter!r}, expected lora or full")
        precision.check(self.precision)
        curriculum.check(self.curriculum)
        specs.check_range("rank", self.rank, 1, 1024)
        specs.check_range("epochs", self.epochs, 1e-6, 10_000)
        specs.check_range("max_steps", self.max_steps or 1, 1, 10**8)
        specs.check_range("batch_size", self.batch_size, 1, 65_536)
        specs.check_range("learning_rate", self.learning_rate, 0, 10)
        specs.check_range("weight_decay", self.weight_decay, 0, 10)
        specs.check_range("warmup", self.warmup, 0, 1)
        specs.check_range("beta", self.beta, 1e-6, 1e3)
        specs.check_range("max_length", self.max_length, 8, 1_000_000)
        specs.check_range("profile_steps", self.profile_steps, 0, 1000)
        check_name(self.layout)

    def limits(self) -> Limits:
        """When to step in, as `Survival` wants it."""
        return dataclasses.replace(super().limits(), chooses_layers=False)

    def steps(self, examples: int) -> int:
        """Optimiser steps for so many training examples."""
        return specs.steps_for(
            examples, epochs=self.epochs, batch_size=self.batch_size, max_steps=self.max_steps
        )
