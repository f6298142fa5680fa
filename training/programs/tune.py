"""Tune a language model on what people wrote or preferred, under torchrun with one or more processes.

SFT on responses, DPO or a reward model (Bradley-Terry) on preferences; a LoRA adapter or all weights. Each
attempt writes its checkpoints to a folder of its own under `work` and begins with the newest whole one that any
attempt left there, so that a killed run is taken up again and ends with the weights of an undisturbed one.

Result folder:
    model/       the adapter (adapter_config.json, adapter_model.safetensors) or the whole weights
                 (config.json, model.safetensors), and the tokenizer
    result.json  objective, figures on the validation items before and after, what was dropped, history, pace
    spec.json    what was asked for
    trace.json.gz  what the profiler saw, if it was asked to look
"""

from __future__ import annotations

import gc
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from jobs import program
from training.distributed import checkpoint, communicate, memory
from training.distributed.layout import Layout
from training.distributed.recovery import positions
from training.distributed.spread import Spread
from training.distributed.survival import Survival
from training.learning import dialogues, precision, text_model
from training.learning.batching import Ints
from training.learning.tuning_data import rows_of
from training.learning.watching import Watch
from training.objectives import language
from training.objectives.language import DPO, REWARD, SFT
from training.programs import language_watch, specs, tune_model
from training.programs.ordering import Order
from training.programs.surviving_run import curve, leaving_with_the_others
from training.programs.trainer_arguments import saves
from training.programs.tune_arguments import arguments
from training.programs.tune_order import Reference, order_of
from training.programs.tune_spec import TuneSpec
from training.programs.tune_watch import Watched

CURVE = {
    "loss": "loss",
    "learning_rate": "learning_rate",
    "rewards/accuracies": "accuracy",
    "accuracy": "accuracy",
    "eval_loss": "validation_loss",
    "eval_accuracy": "validation_accuracy",
}


def work(data: dict[str, Any]) -> None:
    """The program, on every rank."""
    started = time.monotonic()
    with specs.clear_errors(data):
        run = _Run(TuneSpec.from_json(data))
        with leaving_with_the_others(run):
            run.perform(started)


class _Run:
    """One rank's part of a run, station by station."""

    def __init__(self, spec: TuneSpec) -> None:
        from training.learning import language_base

        text_model.be_quiet()
        text_model.set_threads(spec.threads)
        memory.prepare()
        settled = precision.settled(spec.precision, text_model.device(), Path(spec.work))
        self.spec = spec = replace(spec, precision=settled.precision)
        self.survival: Survival | None = None
        self.costs: Watch | None = None  # of the last attempt
        self.order: Order | None = None  # of all attempts
        self.begun = 0.0
        self.before: dict[str, Any] | None = None  # figures of the untouched model
        self.dtype = language_base.dtype_of(spec.precision)
        self.base = language_base.folder_of(spec.base_model, spec.models)
        self.tokenizer = language_base.load_tokenizer(self.base)
        self.pad = int(self.tokenizer.pad_token_id)

    def perform(self, started: float) -> None:
        spec = self.spec
        self.train, validation = self._held("train"), self._held("validation")
        _refuse_if_dropped(self.train, spec)
        # Replies of a pair are padded to the same length.
        self.longest = max(len(one.replies) * one.length for one in self.train.examples)
        self.steps = spec.steps(len(self.train.examples))
        self.own = Path(spec.work) / f"attempt-{communicate.attempt()}"
        self.args = arguments(  # joins the process group
            spec, self.own, self.steps, has_validation=bool(validation.examples), dtype=self.dtype
        )
        self.survival = Survival(Path(spec.work), self.own, spec.key(), self.args.device, spec.limits())
        self.rows = rows_of(spec.objective, self.train.examples)
        self.reference = Reference(spec, self.train.examples, self.pad, self.args.device)
        self.watch = Watched(spec, self.pad, validation.examples)
        trainer, resume = self.survival.attempt(self._train_from)
        trained = time.monotonic() - self.begun
        leads = communicate.rank() == 0
        # Where weights are divided a look at the model and its copy take all ranks.
        after = self.watch.all(trainer.model) if leads or trainer.spread.divides else {}
        model = trainer.spread.whole(trainer.model, here=leads, host=True)
        if leads:
            dropped = {"train": self.train.counts(), "validation": validation.counts()}
            figures = {
                "dropped": dropped,
                "validation": after,
                **self._figures(trainer, resume, trained),
            }
            self._write(model, figures, started)
            self.survival.clear()
            (Path(spec.work) / precision.FILE).unlink(missing_ok=True)
        communicate.barrier()  # the others stay: torchrun would call one that leaves early a failure
        self.survival.heart.stop("done")

    def _figures(self, trainer: Any, resume: Path | None, trained: float) -> dict[str, Any]:
        """What result.json says of the training itself."""
        assert self.survival is not None and self.costs is not None and self.order is not None
        begun_at = checkpoint.step_of(resume) if resume else 0
        total, learning = self.parameters
        tokens = self.reporter.tokens_between(begun_at, trainer.state.global_step)
        return {
            "train_count": len(self.train.examples),
            "validation_before": self.before,
            "steps": trainer.state.global_step,
            "resumed_from_step": begun_at if resume else None,
            "recovered": self.survival.recovery.events,
            "tokens_per_s": round(tokens / max(trained, 1e-9), 1),
            "trained_s": round(trained, 2),
            "reference_s": round(self.reference.seconds, 2),
            "parameters": total,
            "parameters_learning": learning,
            "precision": _named(self.dtype),
            "world_size": communicate.world_size(),
            "device": str(self.args.device),
            "history": curve(trainer.state.log_history, CURVE),
            **self.order.figures(trainer.plan.batches, trainer.forgetting),
            **self.costs.figures(trainer.model, self._outputs()),
        }

    def _outputs(self) -> int | None:
        """Figures that the model gives an item; None: one for each word at each token."""
        return 1 if self.spec.objective == REWARD else None

    def _train_from(self, resume: Path | None) -> tuple[Any, Path | None]:
        """Train to the end, from a checkpoint or the base; more than once where a step went wrong."""
        from training.learning import language_base

        assert self.survival is not None
        spec = self.spec
        self.args.learning_rate = spec.learning_rate * self.survival.recovery.rate
        if self.order is None:
            self.order = order_of(spec, self.train.examples, self.reference, self._base)
            gc.collect()  # the base, if it was asked
        model = self._model(spec.objective)
        self.parameters = total, learning = language_base.parameters(model)
        program.log(f"{learning:,} of {total:,} parameters learn, in {_named(self.dtype)}")
        trainer = self._trainer(model, self.survival)
        self._before(trainer.model)
        if self.costs is not None:
            self.costs.close()
        self.costs = language_watch.watch(
            trainer,
            items=spec.batch_size,
            longest=self.longest,
            adapter=spec.adapter,
            dtype=self.dtype,
            saved=saves(self.args, self.steps),
            profile_steps=spec.profile_steps,
            folder=self.own / "profile",
            asked=spec.layout,
        )
        if resume and communicate.rank() == 0:
            program.log(f"going on from step {checkpoint.step_of(resume)}")
        self.begun = time.monotonic()
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
        return trainer, resume

    def _trainer(self, model: Any, survival: Survival) -> Any:
        """The objective's trainer, its model laid out over the ranks."""
        from training.learning import tuning

        assert self.order is not None
        spec, args = self.spec, self.args
        layout, args.ddp_bucket_cap_mb, persist = self._layout(model, self._outputs())
        if layout.checkpointing != "none":  # of all layers: the trainer knows no other way
            args.activation_checkpointing = args.gradient_checkpointing = True
        if not layout.offload:
            model.to(args.device)
        taken = positions(self.steps, survival.recovery.skipped)
        batches = self.order.batches(taken, lambda: trainer.state.log_history)  # asked once it trains
        self.reporter = tuning.TokenReporter(batches, _tokens(self.train.examples))
        plan = tuning.Plan(
            batches=batches,
            positions=taken,
            survival=survival,
            spread=Spread(layout, args.device),
            persist=persist,
            watch=self.watch.some if self.watch.examples else None,
            callbacks=[self.reporter],
        )
        trainer = tuning.TRAINERS[spec.objective](model, args, self.rows, self.tokenizer, plan)
        return trainer

    def _layout(self, model: Any, outputs: int | None) -> tuple[Layout, int, int]:
        assert self.survival is not None
        return tune_model.layout(
            self.spec,
            model,
            self.survival.recovery,
            longest=self.longest,
            outputs=outputs,
            dtype=self.dtype,
            saved=saves(self.args, self.steps),
        )

    def _base(self) -> Any:
        """The untouched base, laid out as for a tune on responses; also where a reward model, without a head for
        words, is to be made of it."""
        model = self._model(SFT)
        layout, _bucket, persist = self._layout(model, None)
        if not layout.offload:
            model.to(self.args.device)
        Spread(layout, self.args.device).apply(model, persist=persist)
        return model

    def _before(self, model: Any) -> None:
        """What the untouched model thinks of the examples; once, whatever happens to the training."""
        if self.before is not None:
            return
        if self.spec.objective == DPO:
            told = self.reference.sums(lambda: model).reshape(-1, 2)
            for row, (chosen, rejected) in zip(self.rows, told, strict=True):
                row["ref_chosen_logps"], row["ref_rejected_logps"] = float(chosen), float(rejected)
        self.before = self.watch.all(model)

    def _held(self, split: str) -> dialogues.Held:
        spec = self.spec
        found = language.read(Path(spec.data), split, spec.objective)
        if split == "train":
            language.check(found, spec.objective)
        held = dialogues.tokenised(self.tokenizer, found, spec.max_length)
        if held.too_long or held.empty:
            program.log(
                f"{split}: {held.too_long} of {len(found)} examples are longer than {spec.max_length} "
                f"tokens and {held.empty} have an empty reply: dropped; the longest has {held.longest}"
            )
        return held

    def _model(self, objective: str) -> Any:
        return tune_model.make(self.spec, self.base, objective, self.dtype, self.tokenizer)

    def _write(self, model: Any, figures: dict[str, Any], started: float) -> None:
        spec = self.spec
        with program.result_folder(spec.result) as folder:
            target = folder / "model"
            target.mkdir()
            model.save_pretrained(str(target))
            (target / "README.md").unlink(missing_ok=True)  # PEFT's empty model card
            self.tokenizer.save_pretrained(str(target))
            if self.costs is not None and (trace := self.costs.trace()):
                shutil.copyfile(trace, folder / trace.name)
            (folder / "spec.json").write_text(json.dumps(spec.to_json(), indent=1, ensure_ascii=False))
            result = {
                "spec_version": specs.SPEC_VERSION,
                "learner": "tune",
                "objective": spec.objective,
                "adapter": spec.adapter,
                "base": spec.base or {"name": Path(spec.base_model).name},
                "beta": spec.beta,
                "max_length": spec.max_length,
                "labels": [],
                **figures,
                "seconds": round(time.monotonic() - started, 2),
            }
            (folder / "result.json").write_text(
                json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False)
            )
        self.reference.clear()


def _named(dtype: Any) -> str:
    return "bf16" if "bfloat16" in str(dtype) else "fp32"


def _refuse_if_dropped(train: dialogues.Held, spec: TuneSpec) -> None:
    if not train.examples:
        raise ValueError(
            f"all {train.too_long + train.empty} training examples were dropped: {train.too_long} are longer "
            f"than {spec.max_length} tokens (the longest has {train.longest}) and {train.empty} have an empty "
            "reply: raise max_length"
        )


def _tokens(examples: Sequence[dialogues.Tokenised]) -> Ints:
    """(n,) tokens of each example, both replies of a pair counted."""
    return np.array([sum(len(one) for one in example.replies) for example in examples])


if __name__ == "__main__":
    program.main(work)
