"""transformers' Trainer, made exact: the same losses for any number of processes, checkpoints without pickle.

What differs from the plain Trainer, and why:

* Global batches are fixed by the seed and cut into ranks' shares, with multipliers that make DDP's average of
  gradients the gradient of the batch's weighted mean loss (`batching.share_of`). The plain Trainer 5.24
  doubles loss and gradient of an encoder classifier on two ranks, and pads uneven batches with items of the
  next pass.
* The whole run is one "epoch" of batches known beforehand, so that resuming is skipping to a number.
* Checkpoints without pickle, written beside the training; steps that must not be taken are not: see `surviving`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from jobs import program
from training.distributed import communicate
from training.distributed.spread import Spread
from training.distributed.survival import Survival
from training.learning import packed
from training.learning.curriculum import Batches, Forgetting, samples_of
from training.learning.loading import Collate, Loading, RankBatches, TokenData, loader
from training.learning.precision import Precision
from training.learning.surviving import Steps, SurvivingTrainer
from training.learning.task_surgery import Surgery
from training.learning.text_model import TextClassifier, Tokens, infer
from training.learning.vocabulary import CutVocabulary
from training.objectives.task import Task

HEAD_RATE = 10.0  # the head learns so many times faster than the encoder: its weights are that much larger
PREDICT_TOKENS = 4096
_PROGRESS_SECONDS = 0.5


class ExactTrainer(SurvivingTrainer):
    """See the module.

    Args:
        batches: the global batch of every step.
        weights: (n,) of the training items.
        words: the cut word table; `data` is in its numbers, all other tokens in the tokenizer's.
        task: the objective: losses of a batch, figures of the validation items.
        validation: tokens and targets to watch the run on, or None.
        survival: what keeps the run alive. positions: (steps,) which batch of the schedule each step takes.
        precision: of the products; weights, gradients and the optimiser's state are float32.
        loading: who prepares batches; None: this process.
        spread: the layout over ranks, applied to `model` already; None: copies.
        surgery: between tasks, in place of the plain backward pass; needs copies. None: none.
    """

    def __init__(
        self,
        model: TextClassifier,
        args: TrainingArguments,
        data: TokenData,
        *,
        batches: Sequence[npt.NDArray[np.int64]],
        weights: npt.NDArray[np.float64],
        words: CutVocabulary,
        task: Task,
        validation: tuple[Tokens, Any] | None,
        survival: Survival,
        positions: npt.NDArray[np.int64],
        patience: int | None,
        precision: Precision = "fp32",
        loading: Loading | None = None,
        spread: Spread | None = None,
        surgery: Surgery | None = None,
    ) -> None:
        self.spread, self.surgery = spread, surgery
        self.precision, self.loading = precision, loading or Loading()
        self.batches, self.weights, self.words, self.task = batches, weights, words, task
        self.validation = validation
        # Of tags there is no one answer to forget.
        counts = isinstance(batches, Batches) and not task.per_token
        self.forgetting = Forgetting(len(data)) if counts else None
        self.survival, self.schedule_positions = survival, positions
        callbacks: list[TrainerCallback] = [
            Reporter(len(batches), samples_of(batches)),
            Steps(self),
        ]
        if patience is not None:
            callbacks.append(EarlyStoppingCallback(early_stopping_patience=patience))
        else:
            callbacks.append(NoLastCheckpoint())
        super().__init__(
            model, args, train_dataset=data, eval_dataset=data if validation else None, callbacks=callbacks
        )
        self.remove_callback(PrinterCallback)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Not prepared by accelerate: the batches are this rank's already."""
        rank, ranks = self.args.process_index, self.args.world_size
        if self.spread is not None:
            rank, ranks = self.spread.data_rank, self.spread.data_ranks
        sampler = RankBatches(self.batches, self.weights, rank, ranks)
        assert isinstance(self.train_dataset, TokenData)
        return loader(self.train_dataset, sampler, Collate(self.task, self.words.pad), self.loading)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """This rank's part of the weighted mean loss, times the number of ranks."""
        logits, losses = self.item_losses(model, inputs)
        return (losses.sum(), logits) if return_outputs else losses.sum()

    def learn(self, model: Any, pieces: list[dict[str, Any]], count: Tensor | int | None) -> Tensor:
        if self.surgery is not None:
            return self.surgery.learn(self, pieces)
        return super().learn(model, pieces, count)

    def item_losses(self, model: Any, inputs: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Outputs, and (b,) losses times their multipliers. Notes for `forgetting` what is right."""
        half = self.precision == "bf16"
        with torch.autocast(self.args.device.type, dtype=torch.bfloat16, enabled=half):
            logits = model(inputs["ids"], inputs["mask"])
        logits = logits.float()
        losses = self.task.losses(logits, inputs["targets"]) * inputs["scales"]
        if self.forgetting is not None:
            right = self.task.correct(logits.detach().cpu().numpy(), inputs["targets"].cpu().numpy())
            items = inputs["items"].cpu().numpy()
            whole = np.asarray(right, dtype=np.bool_).reshape(len(items), -1)
            self.forgetting.record(items, np.asarray(whole.all(axis=1)))
        return logits, losses

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW; no decay on biases and norms, a higher rate for the head."""
        if self.optimizer is None:
            assert isinstance(self.model, TextClassifier)
            rate, decay = self.args.learning_rate, self.args.weight_decay
            encoder = list(self.model.encoder.named_parameters())
            plain = [value for name, value in encoder if value.ndim < 2]
            decayed = [value for name, value in encoder if value.ndim >= 2]
            groups = [
                {"params": decayed, "lr": rate, "weight_decay": decay},
                {"params": plain, "lr": rate, "weight_decay": 0.0},
                {"params": list(self.model.head.parameters()), "lr": rate * HEAD_RATE, "weight_decay": 0.0},
            ]
            if self.spread is not None:
                self.optimizer = self.spread.optimizer(groups, eps=self.args.adam_epsilon)
            else:
                # Fused on a CPU too: one pass over memory instead of a dozen.
                self.optimizer = torch.optim.AdamW(groups, eps=self.args.adam_epsilon, fused=True)
        return self.optimizer

    def whole_model(self) -> TextClassifier:
        """The model with all its weights, to read from; every rank must call it."""
        found = self.spread.whole(self.model) if self.spread else self.model
        assert isinstance(found, TextClassifier)
        return found

    def outputs_of(self, tokens: Tokens, precision: Precision = "fp32") -> Any:
        """(n, k) outputs, or one (t, k) an item per token; worked out by all ranks together, known to each."""
        model = self.whole_model()
        model.eval()
        fast = packed.scorer(model, precision)
        device = self.args.device
        lengths = np.array([len(row) for row in tokens] if model.per_token else [1] * len(tokens))
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        out = np.zeros((int(starts[-1]), model.head.out_features), dtype=np.float32)
        # Dealt out by length, so that no rank gets all the long ones.
        mine = np.argsort([len(row) for row in tokens], kind="stable")[
            communicate.rank() :: communicate.world_size()
        ]
        for at, (logits,) in infer(
            lambda ids, mask: (fast(ids, mask),),
            self.words.renumbered([tokens[i] for i in mine]),
            pad=self.words.pad,
            device=device,
            batch_tokens=PREDICT_TOKENS,
        ):
            if not model.per_token:
                out[mine[at]] = logits
                continue
            for item, found in zip(mine[at], logits, strict=True):
                out[starts[item] : starts[item + 1]] = found[: lengths[item]]
        summed = communicate.summed(out, device)
        return np.split(summed, starts[1:-1]) if model.per_token else summed

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Loss and accuracy on the validation items, by products as the training makes them."""
        assert self.validation is not None
        tokens, targets = self.validation
        loss, accuracy = self.task.watch(self.outputs_of(tokens, self.precision), targets)
        metrics = {"eval_loss": loss, "eval_accuracy": accuracy}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class NoLastCheckpoint(TrainerCallback):
    """Leaves out the checkpoint of the last step: the model that is written next is all that it would hold."""

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if state.global_step >= state.max_steps:
            control.should_save = False


class Reporter(TrainerCallback):
    """Tells the parent how far the run is and what its figures are; rank 0 alone speaks."""

    def __init__(self, steps: int, samples: int) -> None:
        self.steps, self.samples_a_step = steps, samples / steps
        self.loss = float("nan")
        self.told = 0.0
        self.mark = (time.monotonic(), 0)  # when the last figures were given, at which step

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.mark = (time.monotonic(), state.global_step)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        now = time.monotonic()
        last = state.global_step >= self.steps
        if state.is_world_process_zero and (last or now - self.told >= _PROGRESS_SECONDS):
            self.told = now
            loss = "" if self.loss != self.loss else f", loss {self.loss:.4f}"
            program.progress(state.global_step, self.steps, f"step {state.global_step} of {self.steps}{loss}")

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        if not logs or not state.is_world_process_zero:
            return
        if "eval_loss" in logs:
            program.metric(
                state.global_step,
                validation_loss=logs["eval_loss"],
                validation_accuracy=logs["eval_accuracy"],
            )
        elif "loss" in logs:
            self.loss = logs["loss"]
            now, (then, step) = time.monotonic(), self.mark
            self.mark = (now, state.global_step)
            pace = (state.global_step - step) / max(now - then, 1e-9)
            program.metric(
                state.global_step,
                loss=logs["loss"],
                learning_rate=logs["learning_rate"],
                samples_per_s=round(pace * self.samples_a_step, 2),
                eta_s=round((self.steps - state.global_step) / pace, 1) if pace > 0 else 0.0,
            )
