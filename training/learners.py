"""The learners a run can use: their settings, their program, and how settings become a program's spec."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.sentences import SentenceError, gettext_noop
from annotation.task_types import labels as label_lists
from training import settings_schema
from training.distributed.layout import CUT, Shared, check_name, check_ranks
from training.distributed.layout import Name as Layout
from training.learning.curriculum import Name as Curriculum
from training.objectives import language, parts, registry
from training.objectives.task import Choices, Field

LOOKS = 10  # checkpoints of a run that may stop early
LEAST_STEPS, MOST_STEPS = 100, 400  # of a fine-tune whose epochs are left to it
PASSES = 5.0
MOST_STEPS_LOST = 100  # to a kill


@dataclass(frozen=True, kw_only=True)
class FinetuneSettings:
    """`epochs` 0: as many as the size of the data asks for (see `epochs_for`). `processes`: ranks under
    torchrun; one by default, since on a CPU ranks share the cores that one rank's threads use already, and add
    what they have to tell each other. `precision`: see training.learning.precision. `curriculum`: the order of
    difficulty, see training.learning.curriculum. `base_penalty`: pull towards the base's weights, see
    training.learning.towards_base. `compression`: of the gradients that ranks send each other, of which
    top-k sends the share `compression_share`; bf16 needs GPUs.
    `layout`: how they hold model and optimiser, see training.distributed.layout. `autotune_s`:
    seconds to look for faster settings beforehand, see training.learning.faster. `profile_steps`: steps whose
    time is looked at closely.

    `base_model`: the name of a registered encoder; empty: the project's default. `patience`: stop when the
    validation loss has not fallen for so many checkpoints, and keep the best; 0: train to the end.
    `scoring`: the precision in which the model reads the pool afterwards; "auto" is settled once, where it is
    trained, so that one column has one precision.
    `soft_labels`: learn from what people believed instead of the final label. `tagging`: how spans are cut into
    tags. `start_from`: the base model, or the deployed one, which then learns what is new and a share `replay`
    of what it knows. `gradient_surgery`: PCGrad between tasks, see training.learning.task_surgery.
    `surgery_tasks`: which, the two of a run that goes on or parts of the loss, see training.objectives.parts.
    """

    base_model: str = ""
    epochs: float = 0.0
    patience: int = 0
    batch_size: int = 16
    learning_rate: float = 1e-4
    max_length: int = 128
    processes: int = 1
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    scoring: Literal["fp32", "bf16", "auto"] = "fp32"
    curriculum: Curriculum = "none"
    base_penalty: float = 0.0
    compression: Literal["none", "topk", "powersgd", "fp16", "bf16"] = "none"
    compression_share: float = 0.01
    layout: Layout = "auto"
    autotune_s: float = 0.0
    profile_steps: int = 0
    soft_labels: bool = False
    tagging: Literal["bio", "bilou"] = "bio"
    start_from: Literal["base", "deployed"] = "base"
    replay: float = 0.25
    gradient_surgery: bool = False
    surgery_tasks: parts.Among = parts.INCREMENT

    def __post_init__(self) -> None:
        if not 0 <= self.replay <= 1:
            raise ValueError(f"replay: found {self.replay}, expected a share from 0 to 1")
        if not 0 <= self.epochs <= 1000:
            raise ValueError(
                f"epochs: found {self.epochs}, expected a number from 0 (chosen by the data) to 1000"
            )
        if not 0 <= self.patience <= 1000:
            raise ValueError(f"patience: found {self.patience}, expected 0 (train to the end) to 1000")
        if not 1 <= self.batch_size <= 4096:
            raise ValueError(f"batch_size: found {self.batch_size}, expected 1 to 4096")
        if not 0 < self.learning_rate <= 1:
            raise ValueError(
                f"learning_rate: found {self.learning_rate}, expected a number above 0, at most 1"
            )
        if not 8 <= self.max_length <= 512:
            raise ValueError(f"max_length: found {self.max_length}, expected 8 to 512 tokens")
        if not 1 <= self.processes <= 64:
            raise ValueError(f"processes: found {self.processes}, expected 1 to 64")
        if not 0 <= self.base_penalty <= 10_000:
            raise ValueError(f"base_penalty: found {self.base_penalty}, expected 0 (none) to 10000")
        if not 0 < self.compression_share <= 1:
            raise ValueError(
                f"compression_share: found {self.compression_share}, expected a number above 0, at most 1"
            )
        check_name(self.layout, self.compression, self.gradient_surgery)
        learns_again = self.start_from == "deployed" and self.replay > 0
        if self.gradient_surgery and self.surgery_tasks == parts.INCREMENT and not learns_again:
            raise ValueError(
                "gradient_surgery: found a run that learns nothing again, expected start_from deployed and a "
                "replay above 0: it stands between what is new and what is learnt again, unless surgery_tasks "
                "says dimensions, levels or labels"
            )
        if not 0 <= self.autotune_s <= 3600:
            raise ValueError(f"autotune_s: found {self.autotune_s}, expected 0 (none) to 3600 seconds")
        if not 0 <= self.profile_steps <= 100:
            raise ValueError(f"profile_steps: found {self.profile_steps}, expected 0 (none) to 100")
        if self.batch_size % self.processes:
            raise ValueError(
                f"batch_size: found {self.batch_size}, which {self.processes} processes cannot share evenly: "
                f"use a multiple of {self.processes}"
            )


@dataclass(frozen=True, kw_only=True)
class ProbeSettings:
    """`c`: inverse strength of the regularisation, as in scikit-learn; larger fits closer."""

    c: float = 10.0

    def __post_init__(self) -> None:
        if not 1e-6 <= self.c <= 1e6:
            raise ValueError(f"c: found {self.c}, expected a number from 0.000001 to 1000000")


@dataclass(frozen=True, kw_only=True)
class TuneSettings:
    """Of a language model. Responses are learnt by SFT; `preferences` says how pairs are.

    `learning_rate` 0: what suits the objective (see `RATES`). `base_model`: the name of a registered model;
    empty: the project's default. `layout`: how processes hold model and optimiser, see
    training.distributed.layout. `curriculum`: the order of difficulty, see training.learning.curriculum.
    `profile_steps`: steps whose time is looked at closely.
    """

    preferences: Literal["dpo", "reward"] = "dpo"
    adapter: Literal["lora", "full"] = "lora"
    base_model: str = ""
    epochs: float = 3.0
    batch_size: int = 8
    learning_rate: float = 0.0
    rank: int = 16
    dpo_beta: float = 0.1
    max_length: int = 512
    curriculum: Curriculum = "none"
    gradient_checkpointing: bool = False
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    processes: int = 1
    layout: Layout = "auto"
    profile_steps: int = 0

    def __post_init__(self) -> None:
        check_name(self.layout)
        if not 0 < self.epochs <= 1000:
            raise ValueError(f"epochs: found {self.epochs}, expected a number above 0, at most 1000")
        if not 0 <= self.learning_rate <= 1:
            raise ValueError(
                f"learning_rate: found {self.learning_rate}, expected a number from 0 (chosen by the objective) "
                "to 1"
            )
        if not 1 <= self.rank <= 256:
            raise ValueError(f"rank: found {self.rank}, expected 1 to 256")
        if not 1e-4 <= self.dpo_beta <= 100:
            raise ValueError(f"dpo_beta: found {self.dpo_beta}, expected 0.0001 to 100")
        if not 0 <= self.profile_steps <= 100:
            raise ValueError(f"profile_steps: found {self.profile_steps}, expected 0 (none) to 100")
        if not 16 <= self.max_length <= 131_072:
            raise ValueError(f"max_length: found {self.max_length}, expected 16 to 131072 tokens")
        if not 1 <= self.batch_size <= 4096:
            raise ValueError(f"batch_size: found {self.batch_size}, expected 1 to 4096")
        if not 1 <= self.processes <= 64:
            raise ValueError(f"processes: found {self.processes}, expected 1 to 64")


# TRL's own defaults for all weights; ten times as much for an adapter, as its makers advise.
RATES = {
    (language.SFT, "full"): 2e-5,
    (language.SFT, "lora"): 2e-4,
    (language.DPO, "full"): 1e-6,
    (language.DPO, "lora"): 1e-5,
    (language.REWARD, "full"): 1e-5,
    (language.REWARD, "lora"): 1e-4,
}


@dataclass(frozen=True)
class Learner:
    name: str
    label: str | Promise
    program: str
    settings: type
    needs_embeddings: bool
    plan: Callable[
        [Any, int], dict[str, Any]
    ]  # (settings, number of train rows) -> fields of the program's spec


def epochs_for(settings: FinetuneSettings, train_rows: int) -> float:
    """Epochs of a fine-tune: its own, or five passes held between 100 and 400 steps, and never less than one
    pass.

    The head begins as a linear probe, so on few labels a hundred steps are enough to move the encoder; on
    many labels a pass or two is.
    """
    if settings.epochs > 0:
        return settings.epochs
    steps_a_pass = max(1, math.ceil(train_rows / settings.batch_size))
    steps = min(MOST_STEPS, max(LEAST_STEPS, PASSES * steps_a_pass))
    return max(1.0, steps / steps_a_pass)


def _plan_finetune(settings: FinetuneSettings, train_rows: int) -> dict[str, Any]:
    epochs = epochs_for(settings, train_rows)
    steps = max(1, math.ceil(epochs * math.ceil(train_rows / settings.batch_size)))
    spec = {**asdict(settings), "epochs": epochs, "save_every": save_every(steps)}
    spec["patience"] = settings.patience or None
    if settings.patience:
        spec["save_every"] = min(spec["save_every"], math.ceil(steps / LOOKS))
    del spec["start_from"], spec["base_model"]  # what they mean for this run is decided when it is launched
    return spec


def save_every(steps: int) -> int:
    """Steps between checkpoints: a killed run loses a quarter of itself at most, and a long one a minute or
    two. The last quarter ends with the model itself.
    """
    return max(1, min(MOST_STEPS_LOST, math.ceil(steps / 4)))


def _plan_probe(settings: ProbeSettings, train_rows: int) -> dict[str, Any]:
    return asdict(settings)


def _plan_tune(settings: TuneSettings, train_rows: int) -> dict[str, Any]:
    """The objective, and with it the rate, follow the project's type of label: see services.tuning."""
    spec = asdict(settings)
    del spec["preferences"], spec["base_model"]
    spec["beta"] = spec.pop("dpo_beta")
    steps = max(1, math.ceil(settings.epochs * math.ceil(train_rows / settings.batch_size)))
    return {**spec, "save_every": save_every(steps)}


LEARNERS: dict[str, Learner] = {
    "finetune": Learner(
        name="finetune",
        label=_("Fine-tune (the whole encoder learns; minutes)"),
        program="training.programs.finetune",
        settings=FinetuneSettings,
        needs_embeddings=False,
        plan=_plan_finetune,
    ),
    "probe": Learner(
        name="probe",
        label=_("Probe (a linear head on frozen embeddings; seconds)"),
        program="training.programs.probe",
        settings=ProbeSettings,
        needs_embeddings=True,
        plan=_plan_probe,
    ),
    "tune": Learner(
        name="tune",
        label=_("Tune a language model (on responses or preferences; minutes to hours)"),
        program="training.programs.tune",
        settings=TuneSettings,
        needs_embeddings=False,
        plan=_plan_tune,
    ),
}


def learns(learner: str, kind: str) -> bool:
    """Whether a learner learns from labels of a task type."""
    known = {"tune": language.TYPES, "probe": ("classification",)}
    return kind in known.get(learner, registry.TYPES)


def learners_for(kind: str) -> list[Learner]:
    """Those that learn from labels of a task type; none where none does."""
    return [one for name, one in LEARNERS.items() if learns(name, kind)]


def fitting(learner: str, kind: str) -> str:
    """The learner itself, or where it does not learn from the type, the first that does. One that is unknown
    stays what it is: `settings_of` refuses it.
    """
    able = [one.name for one in learners_for(kind)]
    return able[0] if able and learner in LEARNERS and learner not in able else learner


def aim(learner: str, field: Field, settings: Any) -> dict[str, Any]:
    """What the program is told of the field: its labels in the order of the outputs, and of a fine-tune the
    objective.

    Raises:
        ValueError: the settings do not go with the field.
    """
    if learner == "probe":
        return {"labels": label_lists.label_ids(field)}
    objective = registry.objective_for(field)
    task = objective.bind(field, Choices(soft_labels=settings.soft_labels, tagging=settings.tagging))
    if settings.gradient_surgery:
        parts.check(settings.surgery_tasks, task)
    return {"labels": task.columns, "objective": objective.name, "field": dict(field)}


def settings_of(learner: str, given: dict[str, Any]) -> Any:
    """The learner's settings from JSON values.

    Raises:
        ValueError: an unknown learner, or settings that it refuses.
    """
    if learner not in LEARNERS:
        raise SentenceError(
            gettext_noop("there is no learner %(learner)s: use one of %(known)s"),
            learner=repr(learner),
            known=", ".join(LEARNERS),
        )
    return settings_schema.read(LEARNERS[learner].settings, given)


def check_encoder(settings: FinetuneSettings, folder: Path, machines: int = 1) -> None:
    """Whether a fine-tune can begin with the encoder in a folder, on so many machines.

    Raises:
        ValueError: it reads fewer tokens, or all their processes cannot hold it as the layout says.
    """
    from training.learning import encoder  # it loads numpy alone, and belongs to programs

    limits = encoder.limits(folder)
    if 0 < limits.tokens < settings.max_length:
        raise SentenceError(
            gettext_noop(
                "max_length: found %(length)s, and the base model reads %(tokens)s tokens: use %(tokens)s or "
                "fewer"
            ),
            length=settings.max_length,
            tokens=limits.tokens,
        )
    check_ranks(settings.layout, settings.processes * machines, limits.shared)


def check_language_base(settings: TuneSettings, path: Path, machines: int = 1) -> None:
    """Whether a tune can begin with a language model, a folder or the packaged file, on so many machines.

    Raises:
        ValueError: its configuration cannot be read, or all their processes cannot hold it as the layout says.
    """
    from training.learning import base_folder, language_model  # neither loads torch

    shared = Shared()
    if settings.layout in CUT:  # others take models whose layers are unlike, too
        packaged = path.suffix == ".gguf"
        shared = language_model.SHARED if packaged else base_folder.shared_of(base_folder.config_of(path))
    check_ranks(settings.layout, settings.processes * machines, shared)
