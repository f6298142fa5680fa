"""What a round would pick if it were launched now, from the columns as they stand; nothing is trained or
published.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from accounts.models import User
from annotation.models import DatasetVersion, Project
from jobs.models import Job
from jobs.services import artifacts, jobs
from jobs.services.context import JobContext
from selection.errors import PoolTooSmall
from selection.models import Round
from selection.round_spec import RoundSpec
from selection.selectors import picks as picks_of
from selection.services import builds, losses, picking, pool
from training.models import ModelVersion
from training.selectors import models
from training.services import programs

KIND = "selection.preview_batch"
SHOWN = 10


def launch(project: Project, spec: RoundSpec, *, by: User | None = None) -> Job:
    """Add the job that picks ten items as `spec` would now, with the deployed model."""
    return jobs.enqueue(
        KIND, subject=project, scope=project.uuid, params={"spec": spec.to_json()}, created_by=by
    )


def perform(ctx: JobContext) -> dict[str, Any]:
    """The job: the first picks of the strategy's own arm, with their texts and score parts."""
    project: Project = ctx.subject
    spec = RoundSpec.from_json(ctx.params["spec"])
    spec = replace(spec, batch_size=SHOWN, control_share=0.0, pool_limit=max(SHOWN, spec.pool_limit))
    model = models.deployed(project)
    dataset = _dataset_of(model)
    plan = picking.plan_for(model, has_labels=picking.has_categories(dataset), spec=spec)
    if not len(pool.ready(project, SHOWN, spec.seed, *filter(None, [plan.model, *plan.versions]))[0]):
        limit = picking.scored_limit(spec, plan.model) if plan.model else picking.pool_limit(spec, cold=True)
        rows, _clusters = pool.sample(project, limit, spec.seed)
        if not len(rows):
            raise PoolTooSmall(
                _("No unlabelled item is left in this project: import more texts, then launch a round.")
            )
        labelled = pool.labelled_rows(project)
        origin = f"preview:{ctx.job.uuid}"
        made = [builds.compute(ctx, project, np.union1d(rows, labelled), origin=f"{origin}:embed")]
        if plan.model is not None:
            made.append(builds.compute(ctx, project, rows, model=plan.model, origin=f"{origin}:score"))
        if any(one.build is not None for one in made):
            raise PoolTooSmall(
                _("Columns of the pool are being computed by jobs of their own: look again after them.")
            )
    labelled_file = str(artifacts.path(dataset.artifact) / "train.parquet") if dataset else ""
    picking.ensure_draws(ctx, project, plan, spec)
    order = picking.order(project, plan, spec, ctx.attempt_folder(), labelled=labelled_file)
    order["turn"] = Round.objects.filter(project=project).count()  # as the next round would pick
    result = programs.run_light(ctx, picking.PROGRAM, order)
    losses.keep(project, order, result)
    picks = picks_of.read_picks(result)
    texts = dict(pool.texts_of(project, np.asarray(sorted(pick.row for pick in picks), dtype=np.int64)))
    return {
        "strategy": plan.strategy,
        "note": plan.note,
        "items": [{"row": pick.row, "text": texts[pick.row], "parts": pick.parts} for pick in picks],
    }


def _dataset_of(model: ModelVersion | None) -> DatasetVersion | None:
    return model.run.dataset if model else None
