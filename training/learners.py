"""The learners a run can use: their settings, their program, and how settings become a program's spec."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from training import settings_schema

LEAST_STEPS, MOST_STEPS = 100, 400  # of a fine-tune whose epochs are left to it
PASSES = 5.0
MOST_STEPS_LOST = 100  # to a kill


@dataclass(frozen=True, kw_only=True)
class FinetuneSettings:
    """`epochs` 0: as many as the size of the data asks for (see `epochs_for`). `processes`: ranks under
    torchrun.
    """

    epochs: float = 0.0
    batch_size: int = 16
    learning_rate: float = 1e-4
    max_length: int = 128
    processes: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.epochs <= 1000:
            raise ValueError(
                f"epochs: found {self.epochs}, expected a number from 0 (chosen by the data) to 1000"
            )
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
    return {**asdict(settings), "epochs": epochs, "save_every": save_every(steps)}


def save_every(steps: int) -> int:
    """Steps between checkpoints: a killed run loses a quarter of itself at most, and a long one a minute or
    two. The last quarter ends with the model itself.
    """
    return max(1, min(MOST_STEPS_LOST, math.ceil(steps / 4)))


def _plan_probe(settings: ProbeSettings, train_rows: int) -> dict[str, Any]:
    return asdict(settings)


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
}


def settings_of(learner: str, given: dict[str, Any]) -> Any:
    """The learner's settings from JSON values.

    Raises:
        ValueError: an unknown learner, or settings that it refuses.
    """
    if learner not in LEARNERS:
        raise ValueError(f"there is no learner {learner!r}: use one of {', '.join(LEARNERS)}")
    return settings_schema.read(LEARNERS[learner].settings, given)
