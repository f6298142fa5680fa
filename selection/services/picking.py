"""From a round's order to the pick program's, and back from its result to rows that people read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.utils.translation import gettext as _

from annotation.models import Project
from jobs.services import artifacts
from selection.models import Column, Round
from selection.programs import columns
from selection.programs.columns import Rows
from selection.round_spec import COLD_START_LIMIT, RoundSpec
from selection.services import pool
from selection.strategies.registry import STRATEGIES
from training.models import ModelVersion
from training.objectives.registry import OBJECTIVES

PROGRAM = "selection.programs.pick"
COLD_START = "cold_start"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a round really runs: the strategy it asked for, or the cold start where that one lacks what it
    needs.
    """

    strategy: str
    settings: dict[str, Any]
    model: ModelVersion | None
    note: str


def pool_limit(spec: RoundSpec, *, cold: bool) -> int:
    """How many pool items are looked at. A cold start spreads over clusters, for which a few thousand say
    enough.
    """
    return min(spec.pool_limit, max(COLD_START_LIMIT, spec.batch_size)) if cold else spec.pool_limit


def plan(round_: Round, spec: RoundSpec) -> Plan:
    """The strategy that can run with what is there."""
    kind = round_.dataset.manifest.get("type", "classification") if round_.dataset else "classification"
    is_learnable = kind in OBJECTIVES
    has_labels = round_.dataset is not None and is_learnable
    return plan_for(round_.model, has_labels=has_labels, spec=spec, is_learnable=is_learnable)


def plan_for(
    model: ModelVersion | None, *, has_labels: bool, spec: RoundSpec, is_learnable: bool = True
) -> Plan:
    """See `plan`. Probabilities need a model, hardness labels to learn from; embeddings are always there."""
    has = {"embeddings"} | ({"probs"} if model else set()) | ({"hardness"} if has_labels else set())
    if STRATEGIES[spec.strategy].needs <= has:
        return Plan(strategy=spec.strategy, settings=spec.settings, model=model, note="")
    note = _(
        "There is no model yet, so this batch is half drawn at random and half spread over the kinds of text "
        "in the pool."
    )
    if not is_learnable:
        note = _(
            "No objective learns from labels of this type yet, so this batch is half drawn at random and half "
            "spread over the kinds of text in the pool."
        )
    return Plan(strategy=COLD_START, settings={}, model=None, note=note)


def write_order(round_: Round, plan: Plan, spec: RoundSpec, folder: Path) -> dict[str, Any]:
    """The pick program's spec; what is not a column yet (rows, clusters) is written into `folder`."""
    labelled = str(artifacts.path(round_.dataset.artifact) / "train.parquet") if round_.dataset else ""
    made = order(round_.project, plan, spec, folder, labelled=labelled)
    return {**made, "turn": round_.number - 1}


def order(project: Project, plan: Plan, spec: RoundSpec, folder: Path, *, labelled: str) -> dict[str, Any]:
    """See `write_order`; `labelled` is a parquet of (row, label) or empty."""
    limit = pool_limit(spec, cold=plan.model is None)
    rows, clusters = pool.ready(project, limit, spec.seed, plan.model)
    np.save(folder / "rows.npy", rows)
    np.save(folder / "clusters.npy", clusters)
    return {
        "rows": str(folder / "rows.npy"),
        "clusters": str(folder / "clusters.npy"),
        "probabilities": _probabilities(project, plan.model),
        "embeddings": pool.embedding_shards(project),
        "labelled": labelled,
        "strategy": plan.strategy,
        "settings": plan.settings,
        "modules": list(settings.STRATEGY_MODULES),
        "count": spec.batch_size,
        "control_share": spec.control_share,
        "seed": spec.seed,
    }


def held_rows(project: Project) -> Rows:
    """All rows that have an embedding, ascending."""
    return columns.held(pool.embedding_shards(project))


def _probabilities(project: Project, model: ModelVersion | None) -> list[dict[str, str]]:
    if model is None:
        return []
    return [dict(shard) for shard in pool.shards(project, Column.Kind.PROBABILITY, str(model.uuid))]
