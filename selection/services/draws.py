"""Draws with dropout of a fine-tuned model over the candidates that it is least sure of: a bounded column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from jobs.services import artifacts
from jobs.services.context import JobContext
from selection.models import Column
from selection.programs import columns
from selection.programs.columns import Rows, Shard
from selection.selectors import column_files
from selection.services import builds, pool
from selection.strategies import uncertainty
from selection.strategies.version_disagreement import DROPOUT
from training.models import ModelVersion, TrainingRun
from training.selectors import models

PROGRAM = "training.programs.draws"
FILE = "draws.npy"
MOST = 2_000  # candidates that are drawn for: half a minute to two, at eight draws
DRAWS = 8


def asked_for(settings: dict[str, Any]) -> bool:
    """Whether a strategy of several predictions wants draws in place of earlier versions."""
    return settings.get("committee") == DROPOUT


def can_draw(model: ModelVersion) -> bool:
    """A probe drops nothing, and answers that are no single label have no distribution to compare."""
    return model.run.learner == TrainingRun.Learner.FINETUNE and models.gives_labels(model)


def shards(model: ModelVersion) -> list[Shard]:
    return column_files.shards(model.project, Column.Kind.PROBABILITY, _key(model))


def ensure(ctx: JobContext, model: ModelVersion, rows: Rows, seed: int) -> int:
    """Have draws for those of `rows` that the model is least sure of, by the margin; only what is lacking is
    computed. How many were new.
    """
    held = column_files.shards(model.project, Column.Kind.PROBABILITY, str(model.uuid))
    wanted = rows
    if len(rows) > MOST:
        unsure = uncertainty.margin(columns.gather(held, rows))
        wanted = np.sort(rows[np.argsort(-unsure, kind="stable")[:MOST]])
    lacking = pool.missing(model.project, Column.Kind.PROBABILITY, _key(model), wanted)
    if len(lacking):
        ctx.log(f"{DRAWS} draws with dropout for {len(lacking)} items")
        result = _drawn(ctx, model, lacking, seed)
        builds.book(model.project, Column.Kind.PROBABILITY, _key(model), result, FILE)
    return len(lacking)


def _drawn(ctx: JobContext, model: ModelVersion, rows: Rows, seed: int) -> Path:
    texts = pool.write_texts(model.project, rows, ctx.attempt_folder() / "draw.parquet")
    spec = {
        "model": str(artifacts.path(model.artifact)),
        "texts": str(texts),
        "draws": DRAWS,
        "seed": seed,
    }
    return ctx.run_program(PROGRAM, spec)


def _key(model: ModelVersion) -> str:
    return f"{model.uuid}-dropout"
