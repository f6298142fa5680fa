"""TRL's GRPO with checkpoints that can be trusted: replies are drawn, and those of higher reward made likelier.

Shao et al. 2024, "DeepSeekMath", section 4. Each prompt of a step gets a group of replies, drawn by the model as
it is; a reply's advantage is its reward less the group's mean, over the group's deviation. The order of prompts
is fixed beforehand, so that a run that goes on draws the same replies (`surviving` seeds each step).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import trl
from datasets import Dataset
from torch import Tensor
from transformers import PrinterCallback, TrainerCallback

from jobs import program
from training.distributed import faults
from training.distributed.survival import GivenUp, Survival
from training.learning.batching import Ints
from training.learning.surviving import Steps
from training.learning.trainer import NoLastCheckpoint
from training.learning.tuning import Tuner
from training.learning.watching import Drawn
from training.objectives.language import Turns

Reward = Callable[[Sequence[Turns], Sequence[str]], Sequence[float]]
GRPOConfig = trl.GRPOConfig


def order(prompts: int, *, a_step: int, steps: int, seed: int) -> Ints:
    """(steps, a_step) which prompts each step takes: pass after pass, each in an order of its own."""
    passes = -(-steps * a_step // prompts)
    rng = np.random.default_rng([seed, 31])
    found = np.concatenate([rng.permutation(prompts) for _ in range(passes)])
    return found[: steps * a_step].reshape(steps, a_step).astype(np.int64)


class Grpo(Tuner, trl.GRPOTrainer):  # type: ignore[misc]
    """See the module. `drawn`: how many replies, and how long drawing them and asking for their rewards took.

    Args:
        prompts: the dialogue of each reply group, in the order in which they are met. positions: (steps,) their
            places in the schedule.
        reward: (prompts, replies) -> a number a reply; only differences within one prompt count.
        adapter: settings of a LoRA, or None to let all weights learn.
    """

    def __init__(
        self,
        model: Any,
        args: Any,
        tokenizer: Any,
        *,
        prompts: Sequence[Turns],
        positions: Ints,
        reward: Reward,
        survival: Survival,
        adapter: Any = None,
    ) -> None:
        self.survival, self.schedule_positions = survival, positions
        self.drawn = Drawn()

        def rewarded(prompts: list[Turns], completions: list[Any], **_more: Any) -> Any:
            return [float(one) for one in reward(prompts, [turns[-1]["content"] for turns in completions])]

        super().__init__(
            model=model,
            args=args,
            train_dataset=Dataset.from_list([{"prompt": prompt} for prompt in prompts]),
            processing_class=tokenizer,
            reward_funcs=rewarded,
            peft_config=adapter,
            callbacks=[Steps(self), Told(len(positions)), NoLastCheckpoint()],
        )
        self.remove_callback(PrinterCallback)

    def training_step(
        self, model: Any, inputs: Any, num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """As its parents, with a sentence where memory runs out: a group cannot be cut in pieces."""
        try:
            return super().training_step(model, inputs, num_items_in_batch)
        except (RuntimeError, MemoryError) as error:
            if not faults.out_of_memory(error):
                raise
            raise GivenUp(
                "memory ran out while replies were drawn or learnt from: lower batch_size or most_new_tokens, "
                "or use an adapter"
            ) from error

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        begun = time.perf_counter()
        found = super()._generate_and_score_completions(inputs)
        self.drawn.seconds += time.perf_counter() - begun
        self.drawn.tokens += found["prompt_ids"].numel() + found["completion_ids"].numel()
        self.drawn.rows += len(found["prompt_ids"])
        return found

    def in_pieces(self, inputs: Any, count: int) -> list[Any]:
        """Whole: the prompts of a step are a list until their replies are drawn."""
        return [inputs]


class Told(TrainerCallback):
    """Tells the parent how far the run is and the mean reward of the replies drawn; rank 0 alone speaks."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **options: Any) -> None:
        """A step's figures."""
        if state.is_world_process_zero and logs and "reward" in logs:
            reward = float(logs["reward"])
            program.metric(state.global_step, loss=float(logs["loss"]), reward=reward)
            text = f"step {state.global_step} of {self.steps}, mean reward {reward:.3f}"
            program.progress(state.global_step, self.steps, text)
