"""From a round's order to the pick program's, and back from its result to rows that people read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.utils.translation import gettext as _

from annotation.models import DatasetVersion, Project
from jobs.services import artifacts
from jobs.services.context import JobContext
from selection.models import Column, Round
from selection.programs import columns
from selection.programs.columns import Rows
from selection.round_spec import COLD_START_LIMIT, DEFAULT_STRATEGY, RoundSpec
from selection.selectors import column_files
from selection.services import draws, item_columns, losses, pool
from selection.strategies.registry import STRATEGIES
from training import learners
from training.models import ModelVersion
from training.objectives import language
from training.selectors import models
from training.services import tuning

PROGRAM = "selection.programs.pick"
COLD_START = "cold_start"
WRITTEN_POOL, COMPARED_POOL = 300, 1_000  # items that a tuned language model writes drafts for, or compares
ONE_MODEL = "margin"  # in place of a strategy of several versions where there is one
VERSIONS = 3  # earlier versions of the model that are asked
LOOKED_AT = 20
LEAST_SCORED = 0.5


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a round really runs: the strategy it asked for, or the cold start where that one lacks what it
    needs.
    """

    strategy: str
    settings: dict[str, Any]
    model: ModelVersion | None
    note: str
    versions: list[ModelVersion] = field(default_factory=list)  # earlier ones, the newest first
    has_draws: bool = False  # of the model with dropout, in place of versions


def pool_limit(spec: RoundSpec, *, cold: bool) -> int:
    """How many pool items are looked at. A cold start spreads over clusters, for which a few thousand say
    enough.
    """
    return min(spec.pool_limit, max(COLD_START_LIMIT, spec.batch_size)) if cold else spec.pool_limit


def scored_limit(spec: RoundSpec, model: ModelVersion) -> int:
    """How many pool items a model scores. One that reads and writes words takes a thousand times as long for
    each as an encoder: a uniform sample of a few hundred has a batch in it as unsure as a batch can be.
    """
    if not tuning.is_tuned(model):
        return spec.pool_limit
    most = WRITTEN_POOL if model.figures["objective"] == language.SFT else COMPARED_POOL
    return min(spec.pool_limit, max(most, 2 * spec.batch_size))


def plan(round_: Round, spec: RoundSpec) -> Plan:
    """The strategy that can run with what is there."""
    kind = round_.dataset.manifest.get("type", "classification") if round_.dataset else "classification"
    is_learnable = bool(learners.learners_for(kind))
    return plan_for(
        round_.model, has_labels=has_categories(round_.dataset), spec=spec, is_learnable=is_learnable
    )


def has_categories(dataset: DatasetVersion | None) -> bool:
    """Whether its column of labels holds categories that a light head can learn."""
    return dataset is not None and dataset.manifest.get("type", "classification") == "classification"


def earlier_versions(model: ModelVersion | None, spec: RoundSpec) -> list[ModelVersion]:
    """The newest few models before this one that know the same labels and together have scored at least half of
    what it has scored, and enough for the batch; newest first. Items that came later than one of them are
    neither picked so nor drawn for the control arm.
    """
    if model is None:
        return []
    rows = scored = _scored(model)
    found: list[ModelVersion] = []
    before = ModelVersion.objects.filter(project=model.project, number__lt=model.number).order_by("-number")
    for one in before[:LOOKED_AT]:
        both = rows[np.isin(rows, _scored(one))] if one.labels == model.labels else rows[:0]
        if len(found) < VERSIONS and len(both) >= max(LEAST_SCORED * len(scored), spec.batch_size):
            found, rows = [*found, one], both
    return found


def _scored(model: ModelVersion) -> Rows:
    return columns.held(column_files.shards(model.project, Column.Kind.PROBABILITY, str(model.uuid)))


def plan_for(
    model: ModelVersion | None, *, has_labels: bool, spec: RoundSpec, is_learnable: bool = True
) -> Plan:
    """See `plan`. Probabilities need a model, hardness labels to learn from; embeddings are always there."""
    has = {"embeddings"} | ({"probs"} if model else set()) | ({"hardness"} if has_labels else set())
    chosen = STRATEGIES[spec.strategy]
    reads_labels = model is not None and models.gives_labels(model) and not tuning.is_tuned(model)
    is_fit = model is None or "probs" not in chosen.needs or chosen.any_model or reads_labels
    if chosen.needs <= has and is_fit:
        return Plan(strategy=spec.strategy, settings=spec.settings, model=model, note="")
    if model is not None and not reads_labels:
        note = _(
            "The strategy “%(asked)s” reads labels as categories, which labels of this type are not, so this "
            "batch is picked by “%(used)s”."
        ) % {"asked": spec.strategy, "used": DEFAULT_STRATEGY}
        return Plan(strategy=DEFAULT_STRATEGY, settings={}, model=model, note=note)
    if model is not None and chosen.needs - has == {"versions"}:
        return _with_versions(model, spec)
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


def _with_versions(model: ModelVersion, spec: RoundSpec) -> Plan:
    if draws.asked_for(spec.settings):
        if draws.can_draw(model):
            return Plan(strategy=spec.strategy, settings=spec.settings, model=model, note="", has_draws=True)
        note = _(
            "The model is a probe, which has nothing to drop, so this batch goes by the margin: fine-tune for "
            "draws with dropout."
        )
        return Plan(strategy=ONE_MODEL, settings={}, model=model, note=note)
    if versions := earlier_versions(model, spec):
        return Plan(strategy=spec.strategy, settings=spec.settings, model=model, note="", versions=versions)
    note = _(
        "No earlier version of the model knows the same labels and has scored the pool, so this batch goes by "
        "the margin of this one."
    )
    return Plan(strategy=ONE_MODEL, settings={}, model=model, note=note)


def write_order(round_: Round, plan: Plan, spec: RoundSpec, folder: Path) -> dict[str, Any]:
    """The pick program's spec; what is not a column yet (rows, clusters) is written into `folder`."""
    labelled = str(artifacts.path(round_.dataset.artifact) / "train.parquet") if round_.dataset else ""
    made = order(round_.project, plan, spec, folder, labelled=labelled)
    return {**made, "turn": round_.number - 1}


def order(project: Project, plan: Plan, spec: RoundSpec, folder: Path, *, labelled: str) -> dict[str, Any]:
    """See `write_order`; `labelled` is a parquet of (row, label) or empty."""
    limit = pool_limit(spec, cold=plan.model is None)
    models = [plan.model, *plan.versions] if plan.model else []
    rows, clusters = pool.ready(project, limit, spec.seed, *models)
    np.save(folder / "rows.npy", rows)
    np.save(folder / "clusters.npy", clusters)
    key = pool.embedding_key(project)
    return {
        "rows": str(folder / "rows.npy"),
        "clusters": str(folder / "clusters.npy"),
        **_scores(project, plan.model),
        **_draws(plan, rows, folder),
        **item_columns.write(project, rows, plan.strategy, plan.settings, folder),
        **losses.order(project, plan.strategy, labelled=labelled, seed=spec.seed, embedding_key=key),
        "embeddings": pool.embedding_shards(project, key),
        "embedding_key": key,
        "labelled": labelled,
        "strategy": plan.strategy,
        "settings": plan.settings,
        "modules": list(settings.STRATEGY_MODULES),
        "count": spec.batch_size,
        "control_share": spec.control_share,
        "seed": spec.seed,
        "versions": {str(one.uuid): _shards(project, one) for one in plan.versions},
        "label_names": plan.model.labels if plan.model else [],
    }


def ensure_draws(ctx: JobContext, project: Project, plan: Plan, spec: RoundSpec) -> None:
    """What a plan of draws lacks of them, before its order is written."""
    if plan.has_draws and plan.model is not None:
        rows, _clusters = pool.ready(project, pool_limit(spec, cold=False), spec.seed, plan.model)
        draws.ensure(ctx, plan.model, rows, spec.seed)


def _draws(plan: Plan, rows: Rows, folder: Path) -> dict[str, Any]:
    if not plan.has_draws or plan.model is None:
        return {}
    shards = draws.shards(plan.model)
    np.save(folder / "drawn.npy", np.intersect1d(rows, columns.held(shards)))
    return {"draws": [dict(shard) for shard in shards], "drawn": str(folder / "drawn.npy")}


def held_rows(project: Project) -> Rows:
    """All rows that have an embedding, ascending."""
    return columns.held(pool.embedding_shards(project))


def _scores(project: Project, model: ModelVersion | None) -> dict[str, list[dict[str, str]]]:
    """The shards of the model's column, under the name that the pick program has for them."""
    if model is None:
        return {}
    return {"probabilities" if models.gives_labels(model) else "unsure": _shards(project, model)}


def _shards(project: Project, model: ModelVersion) -> list[dict[str, str]]:
    found = column_files.shards(project, Column.Kind.PROBABILITY, str(model.uuid))
    return [dict(shard) for shard in found]
