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

import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from jobs import program
from training.distributed import checkpoint, communicate, memory
from training.distributed.recovery import positions
from training.distributed.spread import Spread
from training.distributed.survival import Survival
from training.learning import batching, dialogues, precision, reply_scores, text_model
from training.learning.watching import Watch
from training.objectives import language
from training.objectives.language import DPO, REWARD
from training.programs import language_watch, specs
from training.programs.surviving_run import curve, leaving_with_the_others
from training.programs.tune_arguments import arguments
from training.programs.tune_spec import TuneSpec
from training.programs.tune_watch import Watched

REFERENCE = "reference.npy"
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
        self.begun = self.reference_s = 0.0
        self.before: dict[str, Any] | None = None  # figures of the untouched model
        self.dtype = language_base.dtype_of(spec.precision)
        self.base = language_base.folder_of(spec.base_model, spec.models)
        self.tokenizer = language_base.load_tokenizer(self.base)
        self.pad = int(self.tokenizer.pad_token_id)

    def perform(self, started: float) -> None:
        from training.learning import tuning

        spec = self.spec
        self.train, validation = self._held("train"), self._held("validation")
        _refuse_if_dropped(self.train, spec)
        self.longest = max(sum(len(reply) for reply in one.replies) for one in self.train.examples)
        self.steps = spec.steps(len(self.train.examples))
        self.own = Path(spec.work) / f"attempt-{communicate.attempt()}"
        self.args = arguments(  # joins the process group
            spec, self.own, self.steps, has_validation=bool(validation.examples), dtype=self.dtype
        )
        self.survival = Survival(Path(spec.work), self.own, spec.key(), self.args.device, spec.limits())
        self.rows = tuning.rows_of(spec.objective, self.train.examples)
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
        assert self.survival is not None and self.costs is not None
        begun_at = checkpoint.step_of(resume) if resume else 0
        total, learning = self.parameters
        tokens = _tokens(trainer.plan.batches[begun_at:], self.train.examples)
        return {
            "train_count": len(self.train.examples),
            "validation_before": self.before,
            "steps": trainer.state.global_step,
            "resumed_from_step": begun_at if resume else None,
            "recovered": self.survival.recovery.events,
            "tokens_per_s": round(tokens / max(trained, 1e-9), 1),
            "trained_s": round(trained, 2),
            "reference_s": round(self.reference_s, 2),
            "parameters": total,
            "parameters_learning": learning,
            "precision": _named(self.dtype),
            "world_size": communicate.world_size(),
            "device": str(self.args.device),
            "history": curve(trainer.state.log_history, CURVE),
            **self.costs.figures(trainer.model, self._outputs()),
        }

    def _outputs(self) -> int | None:
        """Figures that the model gives an item; None: one for each word at each token."""
        return 1 if self.spec.objective == REWARD else None

    def _train_from(self, resume: Path | None) -> tuple[Any, Path | None]:
        """Train to the end, from a checkpoint or the base; more than once where a step went wrong."""
        assert self.survival is not None
        spec = self.spec
        self.args.learning_rate = spec.learning_rate * self.survival.recovery.rate
        trainer = self._trainer(self._model(), self.survival)
        self._before(trainer.model)
        if self.costs is not None:
            self.costs.close()
        self.costs = language_watch.watch(
            trainer,
            items=spec.batch_size,
            longest=self.longest,
            adapter=spec.adapter,
            dtype=self.dtype,
            profile_steps=spec.profile_steps,
            folder=self.own / "profile",
        )
        if resume and communicate.rank() == 0:
            program.log(f"going on from step {checkpoint.step_of(resume)}")
        self.begun = time.monotonic()
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
        return trainer, resume

    def _trainer(self, model: Any, survival: Survival) -> Any:
        """The objective's trainer, its model laid out over the ranks."""
        from training.learning import tuning

        spec, args, recovery = self.spec, self.args, survival.recovery
        layout, args.ddp_bucket_cap_mb, persist = language_watch.layout(
            spec.layout,
            model,
            items=spec.batch_size,
            longest=self.longest,
            outputs=self._outputs(),
            precision=language_watch.takes(spec.adapter, self.dtype),
            pieces=recovery.pieces,
            again=spec.gradient_checkpointing or bool(recovery.again),
        )
        if layout.checkpointing != "none":  # of all layers: the trainer knows no other way
            args.activation_checkpointing = args.gradient_checkpointing = True
        if not layout.offload:
            model.to(args.device)
        weights = [one.weight for one in self.train.examples]
        schedule = batching.schedule(
            [one.length for one in self.train.examples],
            batch_size=spec.batch_size,
            steps=self.steps + len(recovery.skipped),
            seed=spec.seed,
            weights=weights,  # TRL's losses are means over alike examples
        )
        if communicate.rank() == 0 and min(weights) < max(weights):
            least, most = min(weights), max(weights)
            program.log(f"examples are drawn in proportion to their weights, {least:g} to {most:g}")
        taken = positions(self.steps, recovery.skipped)
        batches = [schedule[at] for at in taken]
        plan = tuning.Plan(
            batches=batches,
            positions=taken,
            survival=survival,
            spread=Spread(layout, args.device),
            persist=persist,
            watch=self.watch.some if self.watch.examples else None,
            callbacks=[tuning.TokenReporter(batches, _tokens(batches, self.train.examples))],
        )
        return tuning.TRAINERS[spec.objective](model, args, self.rows, self.tokenizer, plan)

    def _before(self, model: Any) -> None:
        """What the untouched model thinks of the examples; once, whatever happens to the training."""
        if self.before is not None:
            return
        begun = time.monotonic()
        if self.spec.objective == DPO:
            self._refer(model, self.train.examples, self.rows)
        self.reference_s = time.monotonic() - begun
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

    def _model(self) -> Any:
        import transformers

        from training.learning import language_base

        spec = self.spec
        transformers.set_seed(spec.seed)
        # What learns is float32: steps of a low rate would be lost in bfloat16's three digits.
        dtype = self.dtype if spec.adapter == "lora" else language_base.dtype_of("fp32")
        model = language_base.load_base(self.base, spec.objective, dtype, self.tokenizer)
        if spec.adapter == "lora":
            model = language_base.with_adapter(
                model, spec.objective, spec.rank, 2 * spec.rank, language_base.LORA_DROPOUT
            )
        self.parameters = total, learning = language_base.parameters(model)
        program.log(f"{learning:,} of {total:,} parameters learn, in {_named(self.dtype)}")
        return model

    def _refer(self, model: Any, examples: Sequence[dialogues.Tokenised], rows: list[dict[str, Any]]) -> None:
        """Add what the untouched model thinks of each reply; a later attempt reads what this one worked out."""
        path = Path(self.spec.work) / REFERENCE
        path.parent.mkdir(parents=True, exist_ok=True)
        wanted = 2 * len(examples)
        found = np.load(path) if path.is_file() else np.empty(0)
        lacking = np.array([len(found) != wanted], dtype=np.float32)
        if communicate.summed(lacking, self.args.device)[0]:  # all work it out, or none
            replies = [reply for example in examples for reply in example.replies]
            tell = specs.Progress(0, wanted, "asking the base about reply")
            found = reply_scores.likelihoods(model, replies, self.pad, on_progress=tell).sums
            if communicate.rank() == 0:
                part = path.with_name(f".{REFERENCE}-{communicate.attempt()}.npy")
                np.save(part, found)
                os.replace(part, path)
        for row, (chosen, rejected) in zip(rows, found.reshape(-1, 2), strict=True):
            row["ref_chosen_logps"], row["ref_rejected_logps"] = float(chosen), float(rejected)

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
        (Path(spec.work) / REFERENCE).unlink(missing_ok=True)


def _named(dtype: Any) -> str:
    return "bf16" if "bfloat16" in str(dtype) else "fp32"


def _refuse_if_dropped(train: dialogues.Held, spec: TuneSpec) -> None:
    if not train.examples:
        raise ValueError(
            f"all {train.too_long + train.empty} training examples were dropped: {train.too_long} are longer "
            f"than {spec.max_length} tokens (the longest has {train.longest}) and {train.empty} have an empty "
            "reply: raise max_length"
        )


def _tokens(batches: Sequence[batching.Ints], examples: Sequence[dialogues.Tokenised]) -> int:
    """Tokens that these batches hold, padding left out, both replies of a pair counted."""
    sizes = np.array([sum(len(one) for one in example.replies) for example in examples])
    return int(sum(sizes[batch].sum() for batch in batches))


if __name__ == "__main__":
    program.main(work)
