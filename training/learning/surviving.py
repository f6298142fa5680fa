"""transformers' Trainer with `Survival` wired in: what any of our trainers puts before its own class.

* Checkpoints are written beside the training (`checkpoint_writer`), as safetensors and JSON: weights, optimiser,
  schedule, state. Where ranks hold copies rank 0 writes them whole; where the layout divides the weights each
  rank writes its own part, and nobody holds more. Either kind is taken up under any layout (`sharded`). Nothing
  in them is unpickled.
* The random state of each step follows from seed, step and rank, so that a run that goes on draws the same
  numbers as one that was never disturbed, with no state to save.
* Loss and gradient are looked at before each step is taken.
* A rank's share of a batch is done in pieces once memory ran out.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import ExportableState

from training.distributed import communicate, sharded
from training.distributed.compress import TopK
from training.distributed.spread import Spread, load_state, room_for_state, state_of
from training.distributed.survival import GivenUp, Survival

OPTIMIZER, SETTINGS, STATE = "optimizer", "training", "trainer_state"  # files of a checkpoint, beside "model"
LEFT = "left_over"  # of gradients that are sent by top-k, rank by rank
_OF_STATE = re.compile(r"\d+/")  # how the name of an optimiser's tensor begins: the number of its parameter


class SurvivingTrainer(Trainer):
    """A Trainer that belongs to a `Survival`, given as an attribute before `train`.

    `schedule_positions` says which batch of the schedule each step takes; for the journal. `pieces`: in how many
    parts a rank takes its share of a batch, before memory asks for more. `spread`: the layout over ranks; None:
    whatever the Trainer makes of them, copies.
    """

    survival: Survival
    schedule_positions: Any
    pieces: int = 1
    spread: Spread | None = None
    sparse: TopK | None = None
    _resumed: Path | None = None

    def send_sparsely(self, hook: TopK) -> None:
        """Gradients go by top-k. What its ranks had left over at the checkpoint that this run goes on from is
        taken up: each rank its own, or of another number of ranks the mean of all, which they owe together.
        """
        self.sparse = hook
        path = self._resumed / f"{LEFT}.safetensors" if self._resumed else None
        if path is None or not path.is_file():
            return
        held = load_file(path)
        ranks = [held[str(rank)] for rank in range(len(held))]
        mine = (
            ranks[communicate.rank()] if len(ranks) == communicate.world_size() else sum(ranks) / len(ranks)
        )
        assert isinstance(mine, Tensor)
        hook.put(self._learning(), mine)

    def _move_model_to_device(self, model: Any, device: torch.device) -> None:
        """What waits in the host's memory stays there."""
        if self.spread is None or not self.spread.layout.offload:
            super()._move_model_to_device(model, device)

    def _learning(self) -> list[Tensor]:
        assert self.model is not None
        return [value for value in self.model.parameters() if value.requires_grad]

    def training_step(
        self, model: Any, inputs: dict[str, Any], num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """One step's gradient; in pieces where memory asks for it."""
        step = self.state.global_step + 1
        drawn_by = (
            self.spread.data_rank if self.spread else communicate.rank()
        )  # those that cut matrices draw alike
        torch.manual_seed(step_seed(self.args.seed, step, drawn_by))
        pieces = self.in_pieces(inputs, self.pieces * self.survival.recovery.pieces)
        self._own_loss = self.learn(model, pieces, num_items_in_batch)
        return self._own_loss

    def learn(self, model: Any, pieces: list[dict[str, Any]], count: Tensor | int | None) -> Tensor:
        """The gradient of the pieces of a step. Returns its loss on this rank."""
        total: Tensor | None = None
        for number, piece in enumerate(pieces):
            is_last = number == len(pieces) - 1
            waits = isinstance(model, DistributedDataParallel) and not is_last
            with model.no_sync() if waits else contextlib.nullcontext():
                loss = super().training_step(model, piece, count)
            total = loss if total is None else total + loss
        assert total is not None
        return total

    def in_pieces(self, inputs: dict[str, Any], count: int) -> list[dict[str, Any]]:
        """A share of a batch in at most so many parts, whose losses add up to that of the whole."""
        return split(inputs, count)

    def kept(self) -> dict[str, Tensor]:
        """The weights that a checkpoint holds, cut among ranks where they are."""
        assert self.model is not None
        return dict(self.model.state_dict())

    def _clip_grad_norm(self, model: Any) -> Any:
        if self.spread is not None and self.spread.divides:
            norm: Any = self.spread.clip(model, self.args.max_grad_norm)
        else:
            norm = clipped(model, self.args.max_grad_norm)  # before the step, and the same on all ranks
        self.survival.check(self.state.global_step + 1, float(self._own_loss), float(norm))
        return norm

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Begin to write; the files follow from the state as it is now."""
        if self.state.best_global_step:
            best = Path(str(self.args.output_dir)) / f"checkpoint-{self.state.best_global_step}"
            self.state.best_model_checkpoint = str(best)
        assert self.model is not None and self.optimizer is not None and self.lr_scheduler is not None
        in_parts = self.spread is not None and self.spread.divides
        # ZeRO-1's state is put together by all ranks, also those that write nothing.
        tensors, plain = _taken_apart(state_of(self.optimizer))
        left = communicate.gathered(self.sparse.flat(self._learning())) if self.sparse else []
        if not in_parts and not self.args.should_save:
            return
        more = {LEFT: {str(rank): value for rank, value in enumerate(left)}} if left else {}
        states: Any = self.state.stateful_callbacks  # by name, whatever transformers' annotation says
        for one in [*self.callback_handler.callbacks, self.control]:
            if isinstance(one, ExportableState):
                states[type(one).__name__] = one.state()
        writer = self.survival.writer(in_parts=in_parts)
        writer.start(
            self.state.global_step,
            {"model": self.kept(), OPTIMIZER: tensors, **more},
            {
                SETTINGS: {"optimizer": plain, "scheduler": _plain(self.lr_scheduler.state_dict())},
                STATE: dataclasses.asdict(self.state),
            },
            best=self.state.best_global_step,
        )
        if left or (self.spread is not None and self.spread.layout.zero == 1):
            writer.before_update()  # what was put together for it shall be gone before there are activations

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        sharded.read(Path(resume_from_checkpoint), self.kept())

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        """The optimiser's state and the place in the schedule; the rates themselves are the arguments'."""
        if checkpoint is None:
            return
        self._resumed = Path(checkpoint)
        assert self.optimizer is not None and self.lr_scheduler is not None
        kept = json.loads((self._resumed / f"{SETTINGS}.json").read_text())
        contents = sharded.contents(self._resumed)
        tensors = room_for_state(
            self.optimizer, {name: of for name, of in contents.items() if _OF_STATE.match(name)}
        )
        sharded.read(self._resumed, tensors)
        load_state(self.optimizer, _put_together(tensors, kept["optimizer"]))
        schedule: Any = self.lr_scheduler
        rates = list(schedule.base_lrs)
        schedule.load_state_dict({**kept["scheduler"], "lr_lambdas": [None] * len(schedule.lr_lambdas)})
        schedule.base_lrs = rates
        factors = [factor(schedule.last_epoch) for factor in schedule.lr_lambdas]
        for group, rate, factor in zip(self.optimizer.param_groups, rates, factors, strict=True):
            group["initial_lr"], group["lr"] = rate, rate * factor
        schedule._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _load_rng_state(self, checkpoint: str | None) -> None:
        """Nothing to load: see `training_step`."""

    def _load_best_model(self) -> None:
        """Of any attempt: the best one may have been written before this one was begun, under another layout."""
        self.survival.rest()
        communicate.barrier()  # rank 0 has written it
        best = self.survival.checkpoint(self.state.best_global_step)
        if best is None:
            raise GivenUp(
                "the best checkpoint of this run could not be written (the log says why): "
                "mend that, then start the job again"
            )
        self._load_from_checkpoint(str(best))


class Steps(TrainerCallback):
    """Tells the survival of a trainer which steps were taken."""

    def __init__(self, trainer: SurvivingTrainer) -> None:
        self.trainer = trainer

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        assert self.trainer.model is not None and self.trainer.optimizer is not None
        self.trainer.survival.begin(state.global_step, self.trainer.model, self.trainer.optimizer)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        trainer, step = self.trainer, state.global_step
        assert trainer.model is not None and trainer.optimizer is not None
        position = int(trainer.schedule_positions[step - 1])
        trainer.survival.stepped(step, position, trainer.model, trainer.optimizer)


def clipped(model: torch.nn.Module, most: float) -> Tensor:
    """Scale the gradients to a common 2-norm of at most `most`; the norm before. As torch's `clip_grad_norm_`,
    but for leaving alone what is short enough: that one multiplies it by one, which is a pass over memory.
    """
    learning = [value for value in model.parameters() if value.grad is not None]
    norm = get_total_norm([value.grad for value in learning if value.grad is not None])
    if not norm <= most:  # nor a number: the step will not be taken
        clip_grads_with_norm_(learning, most, norm)
    return norm


def step_seed(seed: int, step: int, rank: int) -> int:
    """A different number of 63 bits for each seed, step and rank: splitmix64 (Steele et al. 2014)."""
    mask = (1 << 64) - 1
    value = 0
    for part in (seed, step, rank):
        value = (value ^ part) + 0x9E3779B97F4A7C15 & mask
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & mask
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB & mask
        value ^= value >> 31
    return value >> 1


def split(inputs: dict[str, Any], pieces: int) -> list[dict[str, Any]]:
    """A share of a batch in at most so many parts along the first axis; its losses must add up over parts."""
    tensors = [value for value in inputs.values() if isinstance(value, Tensor) and value.ndim]
    items = len(tensors[0]) if tensors else 1
    pieces = min(pieces, items)
    if pieces <= 1:
        return [inputs]
    size = -(-items // pieces)
    return [
        {
            name: value[start : start + size] if isinstance(value, Tensor) and value.ndim else value
            for name, value in inputs.items()
        }
        for start in range(0, items, size)
    ]


def _taken_apart(state: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimiser's state as tensors by name and the rest as plain values."""
    tensors: dict[str, Tensor] = {}
    scalars: dict[str, Any] = {}
    for number, fields in state["state"].items():
        for name, value in fields.items():
            if isinstance(value, Tensor):
                tensors[f"{number}/{name}"] = value
            else:
                scalars[f"{number}/{name}"] = value
    return tensors, {"scalars": scalars, "groups": state["param_groups"]}


def _put_together(tensors: dict[str, Tensor], plain: dict[str, Any]) -> dict[str, Any]:
    state: dict[int, dict[str, Any]] = {}
    for key, value in {**tensors, **plain["scalars"]}.items():
        number, name = key.split("/", 1)
        state.setdefault(int(number), {})[name] = value
    return {"state": state, "param_groups": plain["groups"]}


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    """What of a scheduler's state is JSON: its functions are the trainer's own and come back with it."""
    return {name: entry for name, entry in value.items() if name != "lr_lambdas"}
