"""Judging a model on the frozen test items of a dataset version, beside the deployed model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from annotation.models import DatasetVersion
from annotation.task_types import registry
from jobs.models import Job
from jobs.services import artifacts, jobs
from jobs.services.context import JobContext
from training.errors import NothingToEvaluate
from training.models import Evaluation, ModelVersion, TrainingRun
from training.selectors import models
from training.services import programs, tuning
from training.services.runs import Features
from training.signals import evaluation_finished

KIND = "training.evaluate_model"


def launch(
    model: ModelVersion,
    dataset: DatasetVersion,
    *,
    features: Features | None = None,
    by: User | None = None,
) -> Job:
    """Add the job that judges `model`; one for a model and a dataset version, however often it is asked for.

    Args:
        features: where the embeddings of the test items lie; a probe, deployed or new, needs them.

    Raises:
        NothingToEvaluate: the dataset version has no labelled test item.
    """
    if not dataset.test_count:
        raise NothingToEvaluate(
            _("No test item of dataset %(dataset)s is labelled: label evaluation items first.")
            % {"dataset": dataset}
        )
    return jobs.enqueue(
        KIND,
        subject=model,
        scope=model.project.uuid,
        params={"dataset": dataset.pk, "features": features or []},
        created_by=by,
        key=f"training.evaluate:{model.uuid}:{dataset.uuid}",
    )


def perform(ctx: JobContext) -> dict[str, Any]:
    """The job: predict with the new and the deployed model, compare, book the Evaluation."""
    model: ModelVersion = ctx.subject
    dataset = DatasetVersion.objects.select_related("artifact", "schema_version").get(
        pk=ctx.params["dataset"]
    )
    evaluation = Evaluation.objects.filter(model=model, dataset=dataset).first()
    if evaluation is None:
        evaluation = _evaluate(ctx, model, dataset)
    own, headline = evaluation.figures["model"], evaluation.figures.get("headline", "accuracy")
    return {
        "evaluation": str(evaluation.uuid),
        "accuracy": own["accuracy"],
        "headline": headline,
        "value": own[headline],
        **({"perplexity": own["perplexity"]} if "perplexity" in own else {}),
    }


def _evaluate(ctx: JobContext, model: ModelVersion, dataset: DatasetVersion) -> Evaluation:
    baseline = models.deployed(model.project)
    if baseline is not None and baseline.pk == model.pk:
        baseline = None
    if tuning.is_tuned(model):
        result = tuning.judge(ctx, model, dataset, baseline)
        return _book(model, dataset, baseline, result)
    if baseline is not None and tuning.is_tuned(baseline):
        baseline = None  # it speaks, and knows no labels
    if baseline is not None and models.label_type(baseline) != models.label_type(model):
        ctx.log(f"the deployed model {baseline} learnt another type of label: judged without comparison")
        baseline = None
    features: Features = ctx.params["features"]
    if baseline is not None and baseline.run.learner == TrainingRun.Learner.PROBE and not features:
        ctx.log(
            f"the deployed model {baseline} is a probe and there are no embeddings: judged without comparison"
        )
        baseline = None
    return _book(model, dataset, baseline, measure(ctx, model, dataset, baseline, features))


def measure(
    ctx: JobContext,
    model: ModelVersion,
    dataset: DatasetVersion,
    baseline: ModelVersion | None,
    features: Features,
) -> Path:
    """The evaluate program's result folder, of a classifier and what it is compared with on the same items."""
    gold = artifacts.path(dataset.artifact) / "test.parquet"
    spec = {
        "gold": str(gold),
        "labels": model.run.spec["labels"],
        "field": dict(registry.field_of(dataset.schema_version.definition)),
        "predictions": str(predict(ctx, model, texts=gold, features=features)),
        "baseline": str(predict(ctx, baseline, texts=gold, features=features)) if baseline else None,
        "seed": model.run.spec["seed"],
    }
    return programs.run_light(ctx, "training.programs.evaluate", spec)


def _book(
    model: ModelVersion, dataset: DatasetVersion, baseline: ModelVersion | None, result: Path
) -> Evaluation:
    figures = json.loads((result / "result.json").read_text())
    if not figures["baseline"]:
        baseline = None  # it could not be compared with
    artifact = artifacts.store(result, "evaluation")
    with transaction.atomic():
        evaluation, made = Evaluation.objects.get_or_create(
            model=model,
            dataset=dataset,
            defaults={
                "project": model.project,
                "baseline": baseline,
                "artifact": artifact,
                "figures": figures,
            },
        )
        if made:
            transaction.on_commit(
                lambda: evaluation_finished.send_robust(sender=Evaluation, evaluation=evaluation)
            )
    return evaluation


def predict(
    ctx: JobContext,
    model: ModelVersion,
    *,
    texts: Path,
    features: Features,
    rows: Path | None = None,
    precision: str = "fp32",
) -> Path:
    """Calibrated probabilities of `model` for the rows of a parquet file (row, text): the program's result
    folder.

    A probe reads the embeddings in `features` and never the text: `rows` (.npy) spares it looking for them in
    `texts`. `precision`: of a fine-tuned model's products.
    """
    spec: dict[str, Any] = {"model": str(artifacts.path(model.artifact))}
    if model.run.learner == TrainingRun.Learner.PROBE:
        spec |= {"features": features, "rows": str(rows or texts)}
        return programs.run_light(ctx, "training.programs.predict", spec)
    return ctx.run_program("training.programs.predict", {**spec, "texts": str(texts), "precision": precision})
