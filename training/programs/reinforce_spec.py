"""What a reinforcement of a language model is asked to do."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

from training.distributed.survival import Limits
from training.learning import precision
from training.learning.precision import Asked
from training.programs import specs
from training.programs.surviving_run import SurvivingSpec


@dataclass(frozen=True, kw_only=True)
class ReinforceSpec(SurvivingSpec):
    """What to do.

    Attributes:
        data: folder of a frozen dataset of responses or preferences; its prompts alone are used.
        kind: "response" or "preference": what it holds.
        base_model: the model that learns, models and base: as of a tune.
        reward_model: a reward model's result folder. reward_base: its base.
        adapter: "lora" (merged into the base at the end) or "full". rank: of the LoRA.
        batch_size: replies a step over all processes, a multiple of `replies`. replies: drawn for each prompt.
        beta: how dear it is to leave the base; 0: nothing.
        most_new_tokens: of a reply. temperature: at which replies are drawn.
        profile_steps: as of a tune. The rest too; see also SurvivingSpec.
    """

    APART: ClassVar[tuple[str, ...]] = (*SurvivingSpec.APART, "models", "profile_steps")

    kind: str = "preference"
    base_model: str
    models: str = ""
    base: dict[str, str] | None = None
    reward_model: str
    reward_base: str
    adapter: str = "lora"
    rank: int = 16
    steps: int = 200
    batch_size: int = 32
    replies: int = 8
    learning_rate: float = 1e-5
    warmup: float = 0.06
    weight_decay: float = 0.0
    beta: float = 0.04
    most_new_tokens: int = 160
    temperature: float = 1.0
    precision: Asked = "auto"
    save_every: int = 25
    timeout_s: int = 1800
    profile_steps: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kind not in ("response", "preference"):
            raise ValueError(f"kind: found {self.kind!r}, expected response or preference")
        if self.adapter not in ("lora", "full"):
            raise ValueError(f"adapter: found {self.adapter!r}, expected lora or full")
        precision.check(self.precision)
        specs.check_range("rank", self.rank, 1, 1024)
        specs.check_range("steps", self.steps, 1, 10**6)
        specs.check_range("replies", self.replies, 2, 1024)
        specs.check_range("batch_size", self.batch_size, 2, 65_536)
        if self.batch_size % self.replies:
            raise ValueError(
                f"batch_size: found {self.batch_size}, expected a multiple of the {self.replies} replies "
                "a prompt gets"
            )
        specs.check_range("learning_rate", self.learning_rate, 0, 10)
        specs.check_range("warmup", self.warmup, 0, 1)
        specs.check_range("beta", self.beta, 0, 1e3)
        specs.check_range("most_new_tokens", self.most_new_tokens, 1, 100_000)
        specs.check_range("temperature", self.temperature, 0.01, 100)
        specs.check_range("profile_steps", self.profile_steps, 0, 1000)

    def limits(self) -> Limits:
        """When to step in. Rewards jump by nature, so only what is no number counts."""
        return dataclasses.replace(super().limits(), spikes=False)
