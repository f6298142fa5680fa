"""TRL's trainers, fed by batches that are known beforehand and with checkpoints that can be trusted.

Losses, masks and reference models are TRL's own. What differs from its plain trainers, and why:

* Examples arrive as token ids that were counted and checked; TRL would cut or drop what is too long unsaid.
* Batches of alike length are fixed by the seed, so that resuming is skipping to a number, and ranks get unequal
  shares only with the factor that keeps DDP's average exact.
* Reference log probabilities of DPO are worked out once before the first step, longest batches first and
  without gradients, in place of once a step; no second model is held.
* Checkpoints hold what learns, as safetensors and JSON; steps that must not be taken are not: see `surviving`.
* Under a curriculum it is counted how often pairs are forgotten, by the margin that the loss is worked out of.
  Responses are not: none of them is right or wrong.
* Weights are divided among ranks by `Spread`, once TRL has put on the model what its trainer needs (the
  untouched adapter of DPO, a head that gives log probabilities): the Trainer cannot do it on CPUs.
* TRL's head for log probabilities holds some 30 bytes of each logit it is at: 3 GB at 3,000 tokens by the 32,768
  words of its tile, made for a GPU's own kernel. Elsewhere it goes over `TILE` words at a time, no slower.
* Nothing is sent to TRL's makers (its telemetry is on by default), and no model card is written.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import trl
from datasets import Dataset
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import PrinterCallback, TrainerCallback
from trl.trainer import utils as trl_utils

from jobs import program
from training.distributed import communicate
from training.distributed.spread import Spread
from training.distributed.survival import Survival
from training.learning.batching import Ints
from training.learning.curriculum import Batches, Forgetting, samples_of
from training.learning.surviving import Steps, SurvivingTrainer, split
from training.learning.trainer import NoLastCheckpoint, Reporter
from training.learning.tuning_data import IGNORED, Row, Rows, Shares
from training.objectives.language import DPO, REWARD, SFT

TILE = 2048

if not torch.cuda.is_available():
    # It fails where another release of TRL has another name for it.
    trl_utils._CHUNKED_LOGPROB_CHUNK_SIZE = min(TILE, trl_utils._CHUNKED_LOGPROB_CHUNK_SIZE)


def tile() -> int:
    """Words whose logits TRL's head for log probabilities has at hand at once, here."""
    return int(trl_utils._CHUNKED_LOGPROB_CHUNK_SIZE)


@dataclass(kw_only=True)
class Plan:
    """What a run goes through. `batches`: the examples of every step, `positions` their places in the schedule.
    `watch`: figures of the model as it is, on the validation examples; None: there are none. `spread`: the
    layout over ranks, which is applied to the trainer's model; `persist`: see `Spread.apply`.
    """

    batches: Sequence[Ints]
    positions: Ints
    survival: Survival
    spread: Spread
    persist: int = 0
    watch: Callable[[Any], dict[str, float]] | None = None
    callbacks: list[TrainerCallback] = field(default_factory=list)


class Tuner(SurvivingTrainer):
    """What all trainers of language models have in common; stands before TRL's class."""

    def kept(self) -> dict[str, Tensor]:
        """What learns: with an adapter a hundredth of the weights, the rest being the base's."""
        assert self.model is not None
        return {name: value for name, value in self.model.named_parameters() if value.requires_grad}

    def _send_telemetry(self) -> None:
        return

    def create_model_card(self, *_args: Any, **_options: Any) -> None:
        return


class _Known(Tuner):
    """What the three trainers below have in common; stands before TRL's class."""

    objective = ""
    # From what the model gives and a batch: (n,) by how much it prefers each chosen reply. None: no pairs.
    margins: Callable[[Any, dict[str, Any]], Tensor] | None = None

    def __init__(self, model: Any, args: Any, rows: list[Row], tokenizer: Any, plan: Plan) -> None:
        self.plan, self.rows = plan, rows
        self.survival, self.schedule_positions = plan.survival, plan.positions
        self.spread = spread = plan.spread
        counts = isinstance(plan.batches, Batches) and self.margins is not None
        self.forgetting = Forgetting(len(rows)) if counts else None
        held = Dataset.from_list(rows)
        options: dict[str, Any] = {"eval_dataset": held.select([0])} if plan.watch else {}
        super().__init__(
            model=model,
            args=args,
            train_dataset=held,
            processing_class=tokenizer,
            callbacks=[*plan.callbacks, Steps(self), NoLastCheckpoint()],
            **options,
        )
        self.remove_callback(PrinterCallback)  # type: ignore[attr-defined]
        # TRL gathers the figures of all pairs, and accelerate's gather hangs or dies where shares are unequal.
        self.accelerator.gather = communicate.joined  # type: ignore[attr-defined]
        if spread.divides:
            spread.apply(self.model, persist=plan.persist)
            self.survival.holds_parts()

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """transformers' AdamW; where ranks divide its state or weights, the layout's, with the same groups."""
        spread = self.spread
        assert spread is not None
        if self.optimizer is None and (spread.divides or spread.layout.zero):
            args: Any = self.args  # type: ignore[attr-defined]
            whose: Any = self.model
            decayed = set(self.get_decay_parameter_names(whose))  # type: ignore[attr-defined]
            learning = [(name, value) for name, value in whose.named_parameters() if value.requires_grad]
            groups = [
                {
                    "params": [value for name, value in learning if (name in decayed) == is_decayed],
                    "lr": args.learning_rate,
                    "weight_decay": args.weight_decay if is_decayed else 0.0,
                }
                for is_decayed in (True, False)
            ]
            self.optimizer = spread.optimizer(groups, eps=args.adam_epsilon)
        found: torch.optim.Optimizer = super().create_optimizer(model)  # type: ignore[misc]
        return found

    def autocast_smart_context_manager(
        self, cache_enabled: bool | None = True
    ) -> AbstractContextManager[Any]:
        """accelerate does it for models that it wraps; those that are divided it leaves alone."""
        args: Any = self.args  # type: ignore[attr-defined]
        if self.spread is not None and self.spread.divides and args.bf16:
            return torch.autocast(args.device.type, dtype=torch.bfloat16, cache_enabled=cache_enabled)
        found: AbstractContextManager[Any] = super().autocast_smart_context_manager(cache_enabled)  # type: ignore[misc]
        return found

    def _prepare_dataset(self, dataset: Any, *_args: Any, **_options: Any) -> Any:
        return dataset

    def _precompute_ref_logps(self, dataset: Any, *_args: Any, **_options: Any) -> Any:
        return dataset  # the rows have them

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Not prepared by accelerate: the batches are this rank's already."""
        spread = self.plan.spread
        sampler = Shares(self.plan.batches, spread.data_rank, spread.data_ranks)
        data: Any = Rows(self.rows)
        return DataLoader(data, batch_sampler=sampler, collate_fn=self._collate)

    def _collate(self, entries: list[tuple[Row, float, int]]) -> dict[str, Tensor]:
        batch: dict[str, Tensor] = self.data_collator([row for row, _factor, _at in entries])  # type: ignore[attr-defined]
        factor = entries[0][1]
        if factor == 0 and "labels" in batch:
            batch["labels"] = torch.full_like(batch["labels"], IGNORED)
        batch = {**batch, "factor": torch.tensor(factor)}
        if self.forgetting is not None and factor > 0:
            batch["items"] = torch.tensor([at for _row, _factor, at in entries])
        return batch

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **options: Any) -> Any:
        """TRL's loss, times this rank's factor; SFT weighs by tokens itself. Notes for `forgetting` which pairs
        are ordered right."""
        factor, items = inputs.pop("factor"), inputs.pop("items", None)
        if items is None or self.forgetting is None or self.margins is None:
            loss = super().compute_loss(model, inputs, *args, **options)
        else:
            with _overheard(model) as told:
                loss = super().compute_loss(model, inputs, *args, **options)
            right = self.margins(told[0], inputs) > 0
            self.forgetting.record(items.cpu().numpy(), right.cpu().numpy())
        return loss if self.objective == SFT else loss * factor

    def in_pieces(self, inputs: dict[str, Any], count: int) -> list[dict[str, Any]]:
        """SFT's losses are sums over tokens and add up; of pairs, chosen and rejected stay together, and each
        part counts as much as it has of them."""
        if self.objective == SFT:
            return split(inputs, count)
        return pairs_apart(inputs, count)

    def evaluate(self, *_args: Any, **_options: Any) -> dict[str, float]:
        """Figures on the validation examples, exact over items."""
        assert self.plan.watch is not None
        me: Any = self
        told = {f"eval_{name}": value for name, value in self.plan.watch(me.model).items()}
        # Rank 0's: an adaptive curriculum goes by them, and ranks must not differ in a last digit.
        found: dict[str, float] = json.loads(communicate.agreed(json.dumps(told), me.args.device))
        me.log(dict(found))
        me.control = me.callback_handler.on_evaluate(me.args, me.state, me.control, found)
        return found


@contextmanager
def _overheard(model: Any) -> Iterator[list[Any]]:
    """What the model gives inside. TRL's losses pass it on at the price of another pass, if at all."""
    told: list[Any] = []
    hook = model.register_forward_hook(lambda _model, _inputs, outputs: told.append(outputs))
    try:
        yield told
    finally:
        hook.remove()


def pairs_apart(inputs: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """A batch of n pairs in at most `count` parts.

    Tensors of 2n rows hold the chosen and then the rejected replies, those of n rows one value a pair. The
    `factor` of a part is the batch's, times its share of the pairs.
    """
    pairs = len(inputs["input_ids"]) // 2
    size = -(-pairs // min(count, pairs))
    parts = []
    for start in range(0, pairs, size):
        some = torch.arange(start, min(start + size, pairs))
        part = dict(inputs)
        for name, value in inputs.items():
            if isinstance(value, Tensor) and value.ndim:
                part[name] = value[torch.cat([some, some + pairs]) if len(value) == 2 * pairs else some]
        parts.append({**part, "factor": inputs["factor"] * (len(some) / pairs)})
    return parts


def implied_margins(outputs: Any, inputs: dict[str, Any]) -> Tensor:
    """(n,) nats, of DPO's implied rewards: by how much more the chosen reply has gained."""
    chosen, rejected = outputs.log_probs.detach().sum(dim=1).chunk(2)
    gained: Tensor = (chosen - inputs["ref_chosen_logps"]) - (rejected - inputs["ref_rejected_logps"])
    return gained


def reward_margins(outputs: Any, _inputs: dict[str, Any]) -> Tensor:
    """(n,) by how much a reward model rewards the chosen reply of each pair more."""
    chosen, rejected = outputs.logits.detach()[:, 0].chunk(2)
    found: Tensor = chosen - rejected
    return found


class Sft(_Known, trl.SFTTrainer):  # type: ignore[misc]
    objective = SFT


class Dpo(_Known, trl.DPOTrainer):  # type: ignore[misc]
    objective = DPO

    margins = staticmethod(implied_margins)


class Reward(_Known, trl.RewardTrainer):  # type: ignore[misc]
    objective = REWARD

    margins = staticmethod(reward_margins)


class TokenReporter(Reporter):
    """As its parent, with the pace in tokens of the steps since it last spoke. `tokens`: (n,) of the examples"""

    def __init__(self, batches: Sequence[Ints], tokens: Ints) -> None:
        super().__init__(len(batches), samples_of(batches))
        self.batches, self.tokens = batches, tokens

    def tokens_between(self, first: int, last: int) -> int:
        """Tokens of the batches of steps that were begun: a curriculum knows no later ones."""
        return int(sum(self.tokens[self.batches[at]].sum() for at in range(first, last)))

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **options: Any) -> None:
        if not logs or not state.is_world_process_zero:
            return
        if "eval_loss" in logs or "loss" not in logs:
            super().on_log(args, state, control, logs, **options)
            return
        self.loss = float(logs["loss"])
        now, (then, step) = time.monotonic(), self.mark
        self.mark = (now, state.global_step)
        seconds = max(now - then, 1e-9)
        pace = (state.global_step - step) / seconds
        accuracy = logs.get("rewards/accuracies", logs.get("accuracy"))
        program.metric(
            state.global_step,
            loss=self.loss,
            learning_rate=float(logs["learning_rate"]),
            tokens_per_s=round(self.tokens_between(step, state.global_step) / seconds, 1),
            samples_per_s=round(pace * self.samples_a_step, 2),
            eta_s=round((self.steps - state.global_step) / pace, 1) if pace > 0 else 0.0,
            **({} if accuracy is None else {"accuracy": float(accuracy)}),
        )


TRAINERS: dict[str, Any] = {SFT: Sft, DPO: Dpo, REWARD: Reward}
CONFIGS: dict[str, Any] = {SFT: trl.SFTConfig, DPO: trl.DPOConfig, REWARD: trl.RewardConfig}
