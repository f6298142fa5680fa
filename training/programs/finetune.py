"""Fine-tune a text classifier, under torchrun with one or more processes or by itself.

Each attempt writes its checkpoints to a folder of its own under `work` and begins with the newest whole one
that any attempt left there, so that a killed run is taken up again and ends with the weights of an
undisturbed one.

Result folder:
    model/       config.json, model.safetensors and tokenizer (as transformers loads them), head.safetensors
    result.json  labels in the order of the outputs, temperature, validation figures, history, pace
    spec.json    what was asked for
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import secrets
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers import TrainingArguments

from jobs import program
from training.distributed import checkpoint, communicate, faults
from training.learning import calibration, probe
from training.learning.batching import schedule
from training.learning.encoder import Encoder
from training.learning.text_model import (
    TextClassifier,
    Tokeniser,
    Tokens,
    be_quiet,
    load_encoder,
    set_threads,
)
from training.learning.trainer import ExactTrainer, TokenData
from training.objectives.classification import Examples
from training.objectives.registry import Objective, objective
from training.programs import specs

KEPT_CHECKPOINTS = 2  # the newest may turn out damaged
CURVE_POINTS = 100
WATCHED_TIMES = 10  # a run looks at the validation items so often
HEAD_ITEMS = 5_000  # at most so many items are embedded to start the head
HEAD_C = 10.0
_ALONE = secrets.token_hex(8)  # names the attempt of a process that no torchrun started


@dataclass(frozen=True, kw_only=True)
class FinetuneSpec(specs.Spec):
    """What to train.

    Attributes:
        result: the folder to make. work: where checkpoints lie, shared by all attempts of one job.
        data: folder of a frozen dataset. labels: ids in the order of the outputs; all of the schema.
        base_model: folder of an encoder.
        epochs: passes over the training items, fractions allowed; max_steps overrides it.
        batch_size: items a step, over all processes. processes: for the record; torchrun decides.
        dropout: replaces the encoder's own rates; None keeps them.
        warmup: share of the steps in which the rate rises.
        save_every: steps between checkpoints.
        patience: stop when the validation loss has not fallen for so many checkpoints, and keep the best;
            None: train to the end.
        head_start: begin with a linear probe's weights as the head instead of zeros.
        threads: torch threads of each process; None leaves it to OMP_NUM_THREADS.
    """

    spec_version: int = specs.SPEC_VERSION
    result: str
    work: str
    data: str
    labels: list[str]
    base_model: str
    objective: str = "classification"
    epochs: float = 3.0
    max_steps: int | None = None
    batch_size: int = 16
    learning_rate: float = 1e-4
    weight_decay: float = 0.01
    warmup: float = 0.06
    max_length: int = 128
    dropout: float | None = None
    head_start: bool = True
    seed: int = 0
    processes: int = 1
    threads: int | None = None
    save_every: int = 100
    patience: int | None = None

    def __post_init__(self) -> None:
        specs.check_labels(self.labels)
        objective(self.objective)
        specs.check_range("epochs", self.epochs, 1e-6, 10_000)
        specs.check_range("max_steps", self.max_steps or 1, 1, 10**8)
        specs.check_range("batch_size", self.batch_size, 1, 65_536)
        specs.check_range("learning_rate", self.learning_rate, 0, 1000)
        specs.check_range("weight_decay", self.weight_decay, 0, 10)
        specs.check_range("warmup", self.warmup, 0, 1)
        specs.check_range("max_length", self.max_length, 4, 8192)
        specs.check_range("dropout", self.dropout or 0.0, 0, 0.95)
        specs.check_range("seed", self.seed, 0, 2**31 - 1)
        specs.check_range("processes", self.processes, 1, 1024)
        specs.check_range("threads", self.threads or 1, 1, 1024)
        specs.check_range("save_every", self.save_every, 1, 10**8)
        specs.check_range("patience", self.patience or 1, 1, 10**6)

    def steps(self, items: int) -> int:
        """Optimiser steps for so many training items."""
        if self.max_steps is not None:
            return self.max_steps
        return max(1, math.ceil(self.epochs * math.ceil(items / self.batch_size) - 1e-9))

    def key(self) -> str:
        """Hash of all that a checkpoint depends on; where it lies and how many processes train is left out."""
        settings = self.to_json()
        for name in ("result", "work", "processes", "threads"):
            del settings[name]
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def work(data: dict[str, Any]) -> None:
    """The program, on every rank."""
    started = time.monotonic()
    with specs.clear_errors(data):
        spec = FinetuneSpec.from_json(data)
        try:
            _Run(spec).perform(started)
        except Exception as error:
            if communicate.rank() == 0:  # a checkpoint that was being written gives its space back
                checkpoint.discard_unsealed(Path(spec.work) / f"attempt-{_attempt()}")
            if not faults.lost_peer(error):
                raise
            # Another rank died and says why, or was killed. No error event here: a retry may go well.
            program.log(f"rank {communicate.rank()} lost another rank: {error}")
            raise SystemExit(1) from error


class _Run:
    """One rank's part of a run, station by station."""

    def __init__(self, spec: FinetuneSpec) -> None:
        self.spec = spec
        self.objective: Objective = objective(spec.objective)
        be_quiet()
        set_threads(spec.threads)

    def perform(self, started: float) -> None:
        spec = self.spec
        train = self.objective.read(Path(spec.data), "train", spec.labels).counted()
        self.objective.check(train)
        validation = self.objective.read(Path(spec.data), "validation", spec.labels)
        tokeniser = Tokeniser.load(Path(spec.base_model), spec.max_length)
        tokens, validation_tokens = tokeniser(train.texts), tokeniser(validation.texts)
        steps = spec.steps(len(train))
        self.own = Path(spec.work) / f"attempt-{_attempt()}"
        args = _arguments(spec, self.own, steps, bool(len(validation)))  # joins the process group
        transformers.set_seed(spec.seed)
        encoder = load_encoder(Path(spec.base_model), spec.dropout)
        model = TextClassifier(encoder, len(spec.labels)).to(args.device)
        resume = self._newest(args.device)
        begun = time.monotonic()
        if resume is None and spec.head_start and communicate.rank() == 0:
            _start_head(model, tokeniser, train, len(spec.labels), spec.seed)
        head_s = time.monotonic() - begun
        trainer = ExactTrainer(
            model,
            args,
            TokenData(tokens, train.targets),
            batches=schedule(
                [len(row) for row in tokens], batch_size=spec.batch_size, steps=steps, seed=spec.seed
            ),
            weights=train.weights,
            pad=tokeniser.pad,
            losses=self.objective.losses,
            validation=(validation_tokens, validation.targets) if len(validation) else None,
            seal_key=spec.key(),
            patience=spec.patience if len(validation) else None,
        )
        begun = time.monotonic()
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
        trained = time.monotonic() - begun
        figures = self._validate(trainer, validation_tokens, validation)
        if communicate.rank() == 0:
            done = trainer.state.global_step - (checkpoint.step_of(resume) if resume else 0)
            figures |= {
                "train_count": len(train),
                "label_counts": train.counts(spec.labels),
                "steps": trainer.state.global_step,
                "resumed_from_step": checkpoint.step_of(resume) if resume else None,
                "samples_per_s": round(done * len(train) / _a_pass(train, spec) / max(trained, 1e-9), 2),
                "head_s": round(head_s, 2),
                "trained_s": round(trained, 2),
                "world_size": communicate.world_size(),
                "device": str(args.device),
                "history": _history(trainer.state.log_history),
            }
            self._write(model, tokeniser, figures, started)

    def _newest(self, device: torch.device) -> Path | None:
        """The checkpoint to begin with, the same on all ranks: an earlier attempt may still be dying and
        write
        one.
        """
        found = ""
        if communicate.rank() == 0:
            attempts = Path(self.spec.work).glob("attempt-*")
            path = checkpoint.newest(attempts, self.spec.key())
            found = str(path or "")
            if path is not None:
                program.log(f"going on from step {checkpoint.step_of(path)} of an earlier attempt")
        agreed = communicate.agreed(found, device)
        return Path(agreed) if agreed else None

    def _validate(self, trainer: ExactTrainer, tokens: Tokens, validation: Examples) -> dict[str, Any]:
        """Temperature and figures on the validation items; every rank takes part."""
        if not tokens:
            return {"temperature": 1.0, "validation": {"n": 0}}
        logits = trainer.logits_of(tokens)
        return validation_figures(logits, validation.targets)

    def _write(
        self, model: TextClassifier, tokeniser: Tokeniser, figures: dict[str, Any], started: float
    ) -> None:
        spec = self.spec
        with program.result_folder(spec.result) as folder:
            target = folder / "model"
            target.mkdir()
            model.save(target)
            tokeniser.save(target)
            (folder / "spec.json").write_text(json.dumps(spec.to_json(), indent=1, ensure_ascii=False))
            result = {
                "spec_version": specs.SPEC_VERSION,
                "learner": "finetune",
                "labels": spec.labels,
                "max_length": spec.max_length,
                **figures,
                "seconds": round(time.monotonic() - started, 2),
            }
            (folder / "result.json").write_text(
                json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False)
            )
        for attempt in Path(spec.work).glob("attempt-*"):
            shutil.rmtree(attempt, ignore_errors=True)  # the result is whole: nobody goes back


def validation_figures(logits: Any, targets: Any) -> dict[str, Any]:
    """The temperature, and how the validation items are met with it and without."""
    temperature = calibration.fit_temperature(logits, targets)
    raw, scaled = calibration.calibrated(logits, 1.0), calibration.calibrated(logits, temperature)
    return {
        "temperature": temperature,
        "validation": {
            "n": len(targets),
            "accuracy": float((logits.argmax(axis=1) == targets).mean()),
            "loss": calibration.negative_log_likelihood(logits, targets),
            "loss_calibrated": calibration.negative_log_likelihood(logits, targets, temperature),
            "ece": calibration.ece(raw, targets),
            "ece_calibrated": calibration.ece(scaled, targets),
        },
    }


def _attempt() -> str:
    """A name for this attempt that all its ranks know: torchrun makes a new run id for each start."""
    given = os.environ.get("TORCHELASTIC_RUN_ID", "none")
    return _ALONE if given == "none" else hashlib.sha256(given.encode()).hexdigest()[:16]


def _arguments(spec: FinetuneSpec, folder: Path, steps: int, has_validation: bool) -> TrainingArguments:
    on_cpu = not torch.cuda.is_available()
    ranks = int(os.environ.get("WORLD_SIZE", "0"))  # torchrun sets it
    stops_early = has_validation and spec.patience is not None
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=1,  # one "epoch" is the whole schedule
        per_device_train_batch_size=max(1, spec.batch_size // max(1, ranks)),
        learning_rate=spec.learning_rate,
        weight_decay=spec.weight_decay,
        warmup_steps=math.ceil(spec.warmup * steps),
        lr_scheduler_type="linear",
        max_grad_norm=1.0,
        seed=spec.seed,
        logging_strategy="steps",
        logging_steps=max(1, steps // CURVE_POINTS),
        logging_first_step=True,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=spec.save_every,
        save_total_limit=KEPT_CHECKPOINTS,
        eval_strategy="steps" if has_validation else "no",
        eval_steps=spec.save_every if stops_early else max(1, math.ceil(steps / WATCHED_TIMES)),
        load_best_model_at_end=stops_early,
        metric_for_best_model="eval_loss" if stops_early else None,
        greater_is_better=False if stops_early else None,
        average_tokens_across_devices=False,
        ddp_find_unused_parameters=False,
        ddp_backend="gloo" if on_cpu and ranks else None,
        use_cpu=on_cpu,
        dataloader_pin_memory=not on_cpu,
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to=[],
        push_to_hub=False,
    )


def _start_head(model: TextClassifier, tokeniser: Tokeniser, train: Examples, k: int, seed: int) -> None:
    """Begin where a linear probe ends. From zeros a head needs hundreds of steps, in which it pulls the
    encoder
    about.

    Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution". DDP
    copies rank 0's weights to the others.
    """
    rng = np.random.default_rng([seed, 12])
    some = np.arange(len(train))
    if len(some) > HEAD_ITEMS:
        some = np.sort(rng.choice(some, size=HEAD_ITEMS, replace=False))
    if len(np.unique(train.targets[some])) < 2:
        return
    program.progress(0, 1, f"reading {len(some)} texts to start from")
    vectors = Encoder(model.encoder.eval(), tokeniser).encode([train.texts[i] for i in some])
    fitted = probe.fit(vectors, train.targets[some], k, c=HEAD_C, seed=seed, weights=train.weights[some])
    model.start_head(*fitted.head(vectors))


def _a_pass(train: Examples, spec: FinetuneSpec) -> int:
    """Steps of one pass."""
    return math.ceil(len(train) / spec.batch_size)


def _history(log: list[dict[str, float]]) -> list[dict[str, float]]:
    """The run's curve: one entry a logged step, with what was measured then."""
    kept = {
        "loss": "loss",
        "learning_rate": "learning_rate",
        "eval_loss": "validation_loss",
        "eval_accuracy": "validation_accuracy",
    }
    steps: dict[int, dict[str, float]] = {}
    for entry in log:
        found = {new: entry[old] for old, new in kept.items() if old in entry}
        if found:
            steps.setdefault(int(entry["step"]), {"step": int(entry["step"])}).update(found)
    return [steps[step] for step in sorted(steps)]


if __name__ == "__main__":
    program.main(work)
