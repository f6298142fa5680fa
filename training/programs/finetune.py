"""Fine-tune an encoder for an objective, under torchrun with one or more processes or by itself.

Each attempt writes its checkpoints to a folder of its own under `work` and begins with the newest whole one
that any attempt left there, so that a killed run is taken up again and ends with the weights of an
undisturbed one.

Result folder:
    model/       config.json, model.safetensors and tokenizer (as transformers loads them), head.safetensors
    result.json  objective, field, labels (columns of what it predicts), calibration, validation figures,
                 history, pace
    spec.json    what was asked for
    trace.json.gz  what the profiler saw, if it was asked to look
"""

from __future__ import annotations

import json
import math
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import transformers

from jobs import program
from training.distributed import checkpoint, communicate, compress, memory
from training.distributed.recovery import positions
from training.distributed.shape import Beside
from training.distributed.spread import Spread
from training.distributed.survival import Survival
from training.learning import base_folder, faster, precision
from training.learning.batching import schedule
from training.learning.exchange import Exchange, name_of
from training.learning.increments import increment
from training.learning.loading import Collate, TokenData
from training.learning.task_surgery import Surgery
from training.learning.text_model import (
    TextClassifier,
    Tokeniser,
    be_quiet,
    set_threads,
)
from training.learning.towards_base import TowardsBase
from training.learning.trainer import ExactTrainer
from training.learning.vocabulary import CutVocabulary
from training.learning.watching import Watch
from training.objectives.frozen import Examples
from training.programs import finetune_model, finetune_tuning, specs
from training.programs.finetune_arguments import arguments
from training.programs.finetune_order import order_of
from training.programs.finetune_spec import FinetuneSpec
from training.programs.surviving_run import curve, leaving_with_the_others
from training.programs.trainer_arguments import saves

CURVE = {
    "loss": "loss",
    "learning_rate": "learning_rate",
    "eval_loss": "validation_loss",
    "eval_accuracy": "validation_accuracy",
}


def work(data: dict[str, Any]) -> None:
    """The program, on every rank."""
    started = time.monotonic()
    with specs.clear_errors(data):
        run = _Run(FinetuneSpec.from_json(data))
        with leaving_with_the_others(run):
            run.perform(started)


class _Run:
    """One rank's part of a run, station by station."""

    def __init__(self, spec: FinetuneSpec) -> None:
        self.spec = spec
        self.task = spec.task
        self.survival: Survival | None = None
        self.watch: Watch | None = None  # of the last attempt, as the next
        self.pull: TowardsBase | None = None
        self.exchange: Exchange | None = None
        self.known: npt.NDArray[np.bool_] | None = None  # of the training items, in a run that goes on
        self.head_s = self.begun = 0.0
        be_quiet()
        set_threads(spec.threads)
        memory.prepare()

    def perform(self, started: float) -> None:
        spec, task = self.spec, self.task
        self.train, replayed = self._to_learn()
        task.check(self.train)
        self.validation = task.read(Path(spec.data), "validation")
        self.tokeniser = Tokeniser.load(Path(spec.base_model), spec.max_length)
        self.encoded, self.watched = (
            task.encode(self.tokeniser, some.texts) for some in (self.train, self.validation)
        )
        self.targets = task.targets(self.train, self.encoded)
        self.watched_targets = task.targets(self.validation, self.watched)
        self.steps = spec.steps(len(self.train))
        self.own = Path(spec.work) / f"attempt-{communicate.attempt()}"
        # Joins the process group.
        self.args = arguments(spec, self.own, self.steps, has_validation=bool(len(self.validation)))
        compress.check(spec.compression, backend=communicate.backend())
        self.lengths = [len(row) for row in self.encoded.tokens]
        self.order = order_of(spec, self.train, self.targets, self.encoded.tokens, self.args.device)
        self.survival = Survival(Path(spec.work), self.own, spec.key(), self.args.device, spec.limits())
        self.precision = precision.settled(spec.precision, self.args.device, Path(spec.work))
        self.tuned = finetune_tuning.found(
            spec,
            lambda: self._trials(),
            self.args.device,
            is_plain=spec.curriculum == "none",
        )
        self.faster = finetune_tuning.settings(self.tuned)
        if communicate.rank() == 0:
            ranks = finetune_tuning.ranks_in_words(self.args.device)
            program.log(f"{ranks}; products in {self.precision.precision} ({self.precision.why})")
        trainer, resume = self.survival.attempt(self._train_from)
        trained = time.monotonic() - self.begun
        figures = self._validate(trainer)
        figures["base_distance"] = round(self.pull.distance(), 6) if self.pull else None
        model = trainer.whole_model()
        if communicate.rank() == 0:
            figures |= {"replayed": replayed, **self._figures(trainer, model, resume, trained)}
            trainer.words.restore(model.encoder)
            self._write(model, figures, started)
            self.survival.clear()
            for name in (faster.FILE, precision.FILE):
                (Path(spec.work) / name).unlink(missing_ok=True)
        communicate.barrier()  # the others stay: torchrun would call one that leaves early a failure
        self.survival.heart.stop("done")

    def _train_from(self, resume: Path | None) -> tuple[ExactTrainer, Path | None]:
        """Train to the end, from a checkpoint or the base; more than once where a step went wrong."""
        assert self.survival is not None
        transformers.set_seed(self.spec.seed)
        self.args.learning_rate = self.spec.learning_rate * self.survival.recovery.rate
        model = finetune_model.make(self.spec, self.task).to(self.args.device)
        is_new = resume is None and self.spec.head_start and not self.spec.start_head
        begun = time.monotonic()
        if is_new and communicate.rank() == 0:
            chosen = self.precision.precision
            finetune_model.start_head(model, self.tokeniser, self.train, self.task, self.spec.seed, chosen)
        self.head_s += time.monotonic() - begun
        trainer = self._trainer(model, self.survival)
        if resume and communicate.rank() == 0:
            program.log(f"going on from step {checkpoint.step_of(resume)}")
        self.begun = time.monotonic()
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
        return trainer, resume

    def _trials(self) -> faster.Trials:
        """What settings are tried on: a model of its own, and the first batches in their plain order."""
        spec = self.spec
        model = finetune_model.make(spec, self.task).to(self.args.device)
        layout, _bucket, _persist = finetune_model.layout(
            spec, model, max(self.lengths), self.precision.precision, self._beside(model)
        )
        words = CutVocabulary(model.encoder, [self.encoded.tokens], self.tokeniser.pad)
        return faster.Trials(
            model=model,
            data=TokenData(words.renumbered(self.encoded.tokens), self.targets),
            collate=Collate(self.task, words.pad),
            batches=schedule(self.lengths, batch_size=spec.batch_size, steps=faster.BATCHES, seed=spec.seed),
            weights=self.train.weights,
            share=-(-spec.batch_size // layout.data),
            precision=self.precision.precision,
            device=self.args.device,
        )

    def _beside(self, model: TextClassifier) -> Beside:
        saved = saves(self.args, self.steps)
        return finetune_model.beside(self.spec, model, self.watched.tokens, self.precision.precision, saved)

    def _trainer(self, model: TextClassifier, survival: Survival) -> ExactTrainer:
        spec = self.spec
        words = CutVocabulary(model.encoder, [self.encoded.tokens, self.watched.tokens], self.tokeniser.pad)
        beside = self._beside(model)
        layout, self.args.ddp_bucket_cap_mb, persist = finetune_model.layout(
            spec, model, max(self.lengths), self.precision.precision, beside
        )
        data = TokenData(words.renumbered(self.encoded.tokens), self.targets)
        longest = sorted(data.tokens, key=len)[-2:]
        layout, again = finetune_model.computed_again(layout, model, longest, survival.recovery.again)
        spread = Spread(layout, self.args.device)
        spread.apply(model, again, persist)
        if spread.divides:
            survival.holds_parts()
        taken = positions(self.steps, survival.recovery.skipped)
        trainer = ExactTrainer(
            model,
            self.args,
            data,
            batches=self.order.batches(taken, lambda: trainer.state.log_history),  # asked once it trains
            weights=self.train.weights,
            words=words,
            task=self.task,
            validation=(self.watched.tokens, self.watched_targets) if len(self.validation) else None,
            survival=survival,
            positions=taken,
            patience=spec.patience if len(self.validation) else None,
            precision=self.precision.precision,
            loading=self.faster.loading if self.faster else None,
            spread=spread,
            surgery=Surgery.of(spec.surgery_tasks, self.task, self.known, spec.seed)
            if spec.gradient_surgery
            else None,
        )
        if self.faster:
            self.faster.prepare(model.encoder)
            trainer.pieces = self.faster.pieces(-(-spec.batch_size // spread.data_ranks))
        if self.watch is not None:
            self.watch.close()
        self.watch = Watch(
            trainer,
            compression=spec.compression,
            compression_share=spec.compression_share,
            profile_steps=spec.profile_steps,
            folder=self.own / "profile",
            longest=max(self.lengths),
            spread=spread,
            asked=spec.layout,
            takes=finetune_model.takes(self.precision.precision),
            beside=beside,
        )
        trainer.add_callback(self.watch)
        if spec.exchange:
            self.exchange = Exchange(
                model.encoder,
                Path(spec.exchange),
                name_of(Path(spec.work)),
                base_folder.examine(Path(spec.base_model)).fingerprint,
                every=spec.exchange_every,
                weight=spec.exchange_weight,
            )
            trainer.add_callback(self.exchange)
        if spec.base_penalty:
            self.pull = TowardsBase(model.encoder, spec.base_penalty)
            trainer.add_callback(self.pull)
        return trainer

    def _figures(
        self, trainer: ExactTrainer, model: TextClassifier, resume: Path | None, trained: float
    ) -> dict[str, Any]:
        """What result.json says of the training itself."""
        assert self.survival is not None and self.watch is not None
        resumed = checkpoint.step_of(resume) if resume else None
        count = len(self.train)
        samples = (trainer.state.global_step - (resumed or 0)) * count / _a_pass(self.train, self.spec)
        return {
            "train_count": count,
            "label_counts": self.task.counts(self.train),
            "steps": trainer.state.global_step,
            "resumed_from_step": resumed,
            "recovered": self.survival.recovery.events,
            "samples_per_s": round(samples / max(trained, 1e-9), 2),
            "head_s": round(self.head_s, 2),
            "trained_s": round(trained, 2),
            "world_size": communicate.world_size(),
            "device": str(self.args.device),
            "precision": self.precision.precision,
            "precision_why": self.precision.why,
            "scoring": precision.choose(self.spec.scoring, self.args.device).precision,
            "tuned": self.tuned,
            "stopping": self._stopping(trainer),
            "surgery": trainer.surgery.figures() if trainer.surgery else None,
            "exchange": self.exchange.figures() if self.exchange else None,
            "history": curve(trainer.state.log_history, CURVE),
            **self.order.figures(trainer.batches, trainer.forgetting),
            **self.watch.figures(model.encoder, model.head.out_features),
        }

    def _stopping(self, trainer: ExactTrainer) -> dict[str, Any] | None:
        """Whether the run stopped early, and the checkpoint that was kept: none where nothing was watched."""
        if self.spec.patience is None:
            return None
        state, best = trainer.state, trainer.state.best_metric
        return {
            "planned": self.steps,
            "step": state.global_step,
            "kept": state.best_global_step if best is not None else None,
            "validation_loss": round(float(best), 6) if best is not None else None,
        }

    def _to_learn(self) -> tuple[Examples, int | None]:
        """The training items, and how many of them are learnt again (None where all are learnt for the first
        time)."""
        spec = self.spec
        train = self.task.read(Path(spec.data), "train").counted()
        if not spec.before:
            return train, None
        before = self.task.read(Path(spec.before), "train").counted()
        kept, known = increment(train, before, spec.replay, np.random.default_rng([spec.seed, 13]))
        replayed = int(known.sum())
        self.known = known
        program.log(f"going on with {len(kept) - replayed} new items and {replayed} of those learnt before")
        return train.taken(kept), replayed

    def _validate(self, trainer: ExactTrainer) -> dict[str, Any]:
        """Calibration and figures on the validation items; every rank takes part."""
        items, targets = self.validation, self.watched_targets
        outputs = trainer.outputs_of(self.watched.tokens) if len(items) else []
        fitted = self.task.calibrate(outputs, targets)
        figures: dict[str, Any] = {"n": 0}
        if len(items):
            figures = self.task.figures(items, self.watched, outputs, targets, fitted)
        return {"calibration": fitted, "validation": figures}

    def _write(self, model: TextClassifier, figures: dict[str, Any], started: float) -> None:
        spec, trace = self.spec, self.watch.trace() if self.watch else None
        with program.result_folder(spec.result) as folder:
            target = folder / "model"
            target.mkdir()
            model.save(target)
            self.tokeniser.save(target)
            if trace is not None:
                shutil.copyfile(trace, folder / trace.name)
            (folder / "spec.json").write_text(json.dumps(spec.to_json(), indent=1, ensure_ascii=False))
            result = {
                "spec_version": specs.SPEC_VERSION,
                "learner": "finetune",
                "objective": spec.objective,
                "field": dict(self.task.field),
                "tagging": spec.tagging,
                "labels": self.task.columns,
                "max_length": spec.max_length,
                **figures,
                "seconds": round(time.monotonic() - started, 2),
            }
            (folder / "result.json").write_text(
                json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False)
            )


def _a_pass(train: Examples, spec: FinetuneSpec) -> int:
    """Steps of one pass."""
    return math.ceil(len(train) / spec.batch_size)


if __name__ == "__main__":
    program.main(work)
