"""Tuned language models: what their runs, evaluations and ratings are asked, with the base each one needs."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from django.conf import settings
from django.utils.translation import gettext as _

from accounts.wording import said
from annotation.models import DatasetVersion, Item, Project
from annotation.task_types import registry
from jobs.services import artifacts
from jobs.services.context import JobContext
from training.distributed import elastic
from training.errors import BadBaseModel, BadSettings, NotTrainable
from training.learners import RATES, TuneSettings, check_language_base
from training.models import ModelVersion, TrainingRun
from training.objectives.language import DPO, LEAST_EXAMPLES, RESPONSE, REWARD, SFT, TYPES
from training.objectives.task import Answer
from training.selectors import base_models as bases
from training.services import base_models

JUDGE, RATE = "training.programs.judge", "training.programs.rate"
ANSWERS = "answers.jsonl"  # of the rate program
_SQL_ROWS = 500


def is_tuned(model: ModelVersion) -> bool:
    return model.run.learner in (TrainingRun.Learner.TUNE, TrainingRun.Learner.REINFORCE)


def objective_of(kind: str, given: TuneSettings) -> str:
    """What is learnt from labels of a task type."""
    if kind == RESPONSE:
        return SFT
    return REWARD if given.preferences == REWARD else DPO


def why_not(project: Project, kind: str) -> str:
    """Why no language model can be tuned in the project now; empty if one can."""
    if kind not in TYPES or bases.default(project) is not None:
        return ""
    return _(
        "There is no language model to tune: run `make setup-smollm2`, or register a model's folder on the page "
        "“Base models”."
    )


def spec_of(
    dataset: DatasetVersion, field: Mapping[str, Any], given: TuneSettings, planned: dict[str, Any]
) -> dict[str, Any]:
    """The program's spec, without seed and paths.

    Raises:
        NotTrainable: it is no field of responses or preferences, or has too few labels.
        BadBaseModel: there is no such base model.
        BadSettings: it cannot be laid out so.
    """
    kind = field["type"]
    if kind not in TYPES:
        raise NotTrainable(
            _("A language model learns from responses or preferences, found “%(type)s”: use another learner.")
            % {"type": registry.task_type(field).label}
        )
    if dataset.train_count < LEAST_EXAMPLES:
        raise NotTrainable(
            _(
                "Dataset %(dataset)s has %(count)s labelled items for training: a language model needs "
                "%(least)s or more. Label more items first."
            )
            % {"dataset": dataset, "count": dataset.train_count, "least": LEAST_EXAMPLES}
        )
    objective = objective_of(kind, given)
    rate = given.learning_rate or RATES[objective, given.adapter]
    base = bases.find(dataset.project, given.base_model)
    check_base(base, given)
    return {**planned, "objective": objective, "learning_rate": rate, "base": base.told()}


def check_base(base: bases.Base, given: TuneSettings) -> None:
    """Raises BadSettings where a run with these settings cannot begin with the base."""
    try:
        check_language_base(given, Path(base.path), elastic.most_of(settings.TRAINING_NODES))
    except ValueError as error:
        raise BadSettings(said(error)) from error


def paths_of(project: Project, told: Mapping[str, str]) -> dict[str, str]:
    """Where the base lies now, as programs want it.

    Raises:
        BadBaseModel: it is gone or has changed.
    """
    base = base_models.unchanged(project, dict(told))
    return {"base_model": base.path, "models": str(Path(settings.DATA_DIR) / "models")}


def judge(
    ctx: JobContext, model: ModelVersion, dataset: DatasetVersion, baseline: ModelVersion | None
) -> Path:
    """The judge program's result folder. A baseline of another kind, or whose base is gone, is left out."""
    kind = registry.field_of(dataset.schema_version.definition)["type"]
    spec = {
        "data": str(artifacts.path(dataset.artifact)),
        "kind": kind,
        "model": str(artifacts.path(model.artifact)),
        **paths_of(model.project, model.figures["base"]),
        "precision": model.run.spec["precision"],
        "seed": model.run.spec["seed"],
    }
    if baseline is not None:
        try:
            if not _comparable(baseline, kind):
                raise BadBaseModel(_("it was trained on labels of another type"))
            spec["baseline_base"] = paths_of(model.project, baseline.figures["base"])["base_model"]
            spec["baseline"] = str(artifacts.path(baseline.artifact))
        except BadBaseModel as error:
            ctx.log(f"judged without the deployed model {baseline}: {error}")
    return ctx.run_program(JUDGE, spec)


def _comparable(baseline: ModelVersion, kind: str) -> bool:
    if not is_tuned(baseline):
        return False
    return (baseline.figures["objective"] == SFT) == (kind == RESPONSE)


def rate(ctx: JobContext, model: ModelVersion, rows: Sequence[int], folder: Path) -> Path:
    """The rate program's result folder for these items, `probs.npy` and `answers.jsonl` among it."""
    spec = {
        "kind": RESPONSE if model.figures["objective"] == SFT else "preference",
        "model": str(artifacts.path(model.artifact)),
        **paths_of(model.project, model.figures["base"]),
        "texts": str(write_items(model.project, rows, folder / "rate.parquet")),
        "precision": model.run.spec["precision"],
    }
    return ctx.run_program(RATE, spec)


def write_items(project: Project, rows: Sequence[int], path: Path) -> Path:
    """Write (row, text, data as JSON) of `rows` as Parquet, in their order."""
    held: dict[int, tuple[str, str]] = {}
    for start in range(0, len(rows), _SQL_ROWS):
        some = [int(row) for row in rows[start : start + _SQL_ROWS]]
        found = Item.objects.filter(project=project, row__in=some).values_list("row", "text", "data")
        held.update((row, (text, json.dumps(data or {}))) for row, text, data in found)
    table = {
        "row": pa.array([int(row) for row in rows], pa.int64()),
        "text": pa.array([held[int(row)][0] for row in rows], pa.string()),
        "data": pa.array([held[int(row)][1] for row in rows], pa.string()),
    }
    pq.write_table(pa.table(table), path)
    return path


def read_answers(folder: Path, wanted: Collection[int]) -> dict[int, Answer]:
    """Row -> answer, of the rows wanted that a rate program's result folder has."""
    found: dict[int, Answer] = {}
    with (folder / ANSWERS).open(encoding="utf-8") as stream:
        for line in stream:
            told = json.loads(line)
            if int(told["row"]) in wanted:
                answer = Answer(value=told["answer"], confidence=float(told["confidence"]), scores={})
                found[int(told["row"])] = answer
    return found
