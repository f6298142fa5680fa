"""transformers' Trainer, made exact: the same losses for any number of processes, checkpoints without pickle.

What differs from the plain Trainer, and why:

* Global batches are fixed by the seed and cut into ranks' shares, with multipliers that make DDP's average of
  gradients the gradient of the batch's weighted mean loss (`batching.share_of`). The plain Trainer 5.24
  doubles loss and gradient of an encoder classifier on two ranks, and pads uneven batches with items of the
  next pass.
* The whole run is one "epoch" of batches known beforehand, so that resuming is skipping to a number.
* Checkpoints hold safetensors, JSON and tensors read with weights_only; the pickled arguments are left out. A
  checkpoint is sealed once all ranks have written.
* A loss that is not a finite number stops the run at once instead of being filtered out of the log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from jobs import program
from training.distributed import checkpoint, communicate
from training.learning.batching import share_of
from training.learning.text_model import TextClassifier, Tokens, infer, padded

HEAD_RATE = 10.0  # the head learns so many times faster than the encoder: its weights are that much larger
PREDICT_TOKENS = 4096
_PROGRESS_SECONDS = 0.5

Entry = tuple[int, float]  # item, multiplier of its loss


class Diverged(ValueError):
    """The loss is no longer a finite number."""


class RankBatches(Sampler[list[Entry]]):
    """One rank's share of each global batch."""

    def __init__(
        self,
        batches: Sequence[npt.NDArray[np.int64]],
        weights: npt.NDArray[np.float64],
        rank: int,
        world: int,
    ) -> None:
        self.batches, self.weights, self.rank, self.world = batches, weights, rank, world

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[Entry]]:
        for batch in self.batches:
            items, scales = share_of(batch, self.weights, self.rank, self.world)
            yield list(zip(items.tolist(), scales.tolist(), strict=True))


class TokenData(Dataset[tuple[list[int], int, float]]):
    """Tokens and target of an item, by (item, multiplier)."""

    def __init__(self, tokens: Tokens, targets: npt.NDArray[np.int64]) -> None:
        self.tokens, self.targets = tokens, targets

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, entry: Entry) -> tuple[list[int], int, float]:
        item, scale = entry
        return self.tokens[item], int(self.targets[item]), scale


class ExactTrainer(Trainer):
    """See the module.

    Args:
        batches: the global batch of every step.
        weights: (n,) of the training items.
        pad: the tokenizer's padding id.
        losses: (outputs, targets) -> (b,) losses.
        validation: tokens and targets to watch the run on, or None.
        seal_key: what the checkpoints are sealed for.
    """

    def __init__(
        self,
        model: TextClassifier,
        args: TrainingArguments,
        data: TokenData,
        *,
        batches: Sequence[npt.NDArray[np.int64]],
        weights: npt.NDArray[np.float64],
        pad: int,
        losses: Callable[[Tensor, Tensor], Tensor],
        validation: tuple[Tokens, npt.NDArray[np.int64]] | None,
        seal_key: str,
        patience: int | None,
    ) -> None:
        self.batches, self.weights, self.pad, self.losses = batches, weights, pad, losses
        self.validation, self.seal_key = validation, seal_key
        callbacks: list[TrainerCallback] = [Reporter(len(batches), sum(len(batch) for batch in batches))]
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
        sampler = RankBatches(self.batches, self.weights, self.args.process_index, self.args.world_size)
        assert isinstance(self.train_dataset, TokenData)
        return DataLoader(self.train_dataset, batch_sampler=sampler, collate_fn=self._collate)

    def _collate(self, entries: list[tuple[list[int], int, float]]) -> dict[str, Tensor]:
        ids, mask = padded([tokens for tokens, _target, _scale in entries], self.pad)
        return {
            "ids": ids,
            "mask": mask,
            "targets": torch.tensor([target for _tokens, target, _scale in entries]),
            "scales": torch.tensor([scale for _tokens, _target, scale in entries]),
        }

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """This rank's part of the weighted mean loss, times the number of ranks."""
        logits = model(inputs["ids"], inputs["mask"])
        loss = (self.losses(logits, inputs["targets"]) * inputs["scales"]).sum()
        if not bool(torch.isfinite(loss)):
            raise Diverged(
                f"the loss became {loss.item()} at step {self.state.global_step + 1}: "
                "lower the learning rate, or look for damaged weights in the base model"
            )
        return (loss, logits) if return_outputs else loss

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW; no decay on biases and norms, a higher rate for the head."""
        if self.optimizer is None:
            assert isinstance(self.model, TextClassifier)
            rate, decay = self.args.learning_rate, self.args.weight_decay
            encoder = list(self.model.encoder.named_parameters())
            plain = [value for name, value in encoder if value.ndim < 2]
            decayed = [value for name, value in encoder if value.ndim >= 2]
            self.optimizer = torch.optim.AdamW(
                [
                    {"params": decayed, "lr": rate, "weight_decay": decay},
                    {"params": plain, "lr": rate, "weight_decay": 0.0},
                    {
                        "params": list(self.model.head.parameters()),
                        "lr": rate * HEAD_RATE,
                        "weight_decay": 0.0,
                    },
                ],
                eps=self.args.adam_epsilon,
            )
        return self.optimizer

    def logits_of(self, tokens: Tokens) -> npt.NDArray[np.float32]:
        """(n, k) logits, worked out by all ranks together and known to each."""
        model = self.model
        assert isinstance(model, TextClassifier)
        model.eval()
        device = self.args.device
        out = np.zeros((len(tokens), model.head.out_features), dtype=np.float32)
        # Dealt out by length, so that no rank gets all the long ones.
        mine = np.argsort([len(row) for row in tokens], kind="stable")[
            communicate.rank() :: communicate.world_size()
        ]
        for at, (logits,) in infer(
            lambda ids, mask: (model(ids, mask),),
            [tokens[i] for i in mine],
            pad=self.pad,
            device=device,
            batch_tokens=PREDICT_TOKENS,
        ):
            out[mine[at]] = logits
        return communicate.summed(out, device)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Loss and accuracy on the validation items."""
        assert self.validation is not None
        tokens, targets = self.validation
        logits = torch.from_numpy(self.logits_of(tokens))
        losses = self.losses(logits, torch.from_numpy(targets))
        metrics = {
            "eval_loss": float(losses.mean()),
            "eval_accuracy": float((logits.argmax(dim=1).numpy() == targets).mean()),
        }
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        assert self.model is not None
        state = {name: value.contiguous() for name, value in self.model.state_dict().items()}
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        communicate.barrier()  # each rank writes its own random state
        if self.args.should_save:
            checkpoint.seal(
                Path(self.args.output_dir or "") / f"checkpoint-{self.state.global_step}", self.seal_key
            )
        communicate.barrier()


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
