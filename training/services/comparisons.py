"""Going on from the deployed model or beginning anew? Two models of one dataset on the same test items, and
which of them is put forward.
"""

from __future__ import annotations

import json
from typing import Any

from django.db import transaction

from accounts.models import User
from annotation.models import DatasetVersion
from jobs.models import Job
from jobs.services import jobs
from jobs.services.context import JobContext
from training.evaluation import compare
from training.models import Comparison, Decision, ModelVersion
from training.selectors import comparisons as reads
from training.services import evaluations

KIND = "training.compare_models"


def launch(
    model: ModelVersion, fresh: ModelVersion, dataset: DatasetVersion, *, by: User | None = None
) -> Job:
    """Add the job that compares a model which went on with one from the base; one for both and a dataset."""
    return jobs.enqueue(
        KIND,
        subject=model,
        scope=model.project.uuid,
        params={"fresh": fresh.pk, "dataset": dataset.pk},
        created_by=by,
        key=f"{KIND}:{model.uuid}:{fresh.uuid}:{dataset.uuid}",
    )


def perform(ctx: JobContext) -> dict[str, Any]:
    """The job: predict with both, compare, book the Comparison and what becomes of the one passed over."""
    model: ModelVersion = ctx.subject
    fresh = ModelVersion.objects.select_related("project", "run", "artifact").get(pk=ctx.params["fresh"])
    dataset = DatasetVersion.objects.select_related("artifact", "schema_version").get(
        pk=ctx.params["dataset"]
    )
    comparison = Comparison.objects.filter(model=model, fresh=fresh, dataset=dataset).first()
    if comparison is None:
        result = evaluations.measure(ctx, model, dataset, fresh, [])
        comparison = _book(model, fresh, dataset, json.loads((result / "result.json").read_text()))
    return {"chosen": comparison.chosen.number, "note": reads.view(comparison).verdict}


def _book(
    model: ModelVersion, fresh: ModelVersion, dataset: DatasetVersion, figures: dict[str, Any]
) -> Comparison:
    given = figures["difference"]
    chosen, why = compare.choose(compare.Difference(**given) if given else None, costs(model, fresh))
    with transaction.atomic():
        comparison, made = Comparison.objects.get_or_create(
            model=model,
            fresh=fresh,
            dataset=dataset,
            defaults={
                "project": model.project,
                "chosen": (model, fresh)[chosen],
                "why": why,
                "figures": figures,
            },
        )
        if made:
            over = comparison.passed_over
            Decision.objects.create(
                project=model.project,
                model=over,
                evaluation=over.evaluations.filter(dataset=dataset).first(),
                action=Decision.Action.KEEP,
                proven=why != Comparison.Why.FEW,
                reason=reads.view(comparison).reason,
            )
    return comparison


def costs(*both: ModelVersion) -> tuple[float, float]:
    """Of their training, in steps: with one batch size they tell the work, and unlike seconds they are the same
    on a busy machine, after a kill and when the round is done again. Gradient surgery goes back once a task.
    """
    first, second = (
        float(one.figures.get("steps") or 0) * len((one.figures.get("surgery") or {"tasks": [""]})["tasks"])
        for one in both
    )
    return first, second
