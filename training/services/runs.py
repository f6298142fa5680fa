"""Training runs: from a frozen dataset version and a learner's settings to a model version."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import audit
from annotation.models import DatasetVersion, Project
from annotation.task_types import labels as label_lists
from annotation.task_types import registry
from jobs.models import Job
from jobs.models import State as JobState
from jobs.services import artifacts, jobs
from jobs.services.context import JobContext
from training import learners
from training.errors import BadSettings, NotTrainable
from training.models import ModelVersion, TrainingRun
from training.objectives.registry import OBJECTIVES
from training.services import programs
from training.services.numbering import next_number

KIND = "training.run_training"

Features = list[dict[str, str]]  # shards of an embedding column: paths of "values" and "rows"


def launch(
    project: Project,
    dataset: DatasetVersion,
    *,
    learner: str,
    settings: dict[str, Any] | None = None,
    seed: int = 0,
    origin: str = "",
    by: User | None = None,
    features: Features | None = None,
) -> TrainingRun:
    """Add a run and its job. With an `origin` that a run has already, that run is returned.

    Args:
        settings: the learner's own, by name; what is left out has its default.
        features: where the embeddings of the dataset's items lie; the probe needs them.

    Raises:
        BadSettings: an unknown learner or settings that it refuses.
        NotTrainable: no label, or only one, among the train items.
    """
    if origin and (existing := TrainingRun.objects.filter(project=project, origin=origin).first()):
        return existing
    spec = _spec(dataset, learner, settings or {}, seed)
    with transaction.atomic():
        try:
            with transaction.atomic():
                run = TrainingRun.objects.create(
                    project=project,
                    number=next_number(TrainingRun, project),
                    dataset=dataset,
                    learner=learner,
                    spec=spec,
                    origin=origin,
                    created_by=by,
                )
        except IntegrityError:
            existing = TrainingRun.objects.filter(project=project, origin=origin).first() if origin else None
            if existing is None:
                raise
            return existing  # another process was first
        run.job = jobs.enqueue(
            KIND,
            subject=run,
            scope=project.uuid,
            params={"features": features or []},
            created_by=by,
            key=f"training.run:{run.uuid}",
        )
        run.save(update_fields=["job"])
        audit.record("run.launched", actor=by, scope=project.uuid, target=run, learner=learner)
    return run


def classes_in(dataset: DatasetVersion) -> int:
    """How many different labels its train items have, as its manifest says."""
    counts: dict[str, int] = dataset.manifest["counts_by_label"]["train"]
    return sum(1 for count in counts.values() if count)


def _spec(dataset: DatasetVersion, learner: str, given: dict[str, Any], seed: int) -> dict[str, Any]:
    """The program's spec, without the paths."""
    try:
        settings = learners.settings_of(learner, given)
    except ValueError as error:
        raise BadSettings(str(error)) from error
    field = registry.field_of(dataset.schema_version.definition)
    if field["type"] not in OBJECTIVES:
        raise NotTrainable(
            _("No objective learns from “%(type)s” yet, only from %(known)s: export the dataset instead.")
            % {"type": registry.task_type(field).label, "known": ", ".join(OBJECTIVES)}
        )
    if classes_in(dataset) < 2:
        raise NotTrainable(
            _(
                "Dataset %(dataset)s has %(count)s labelled items for training, with %(classes)s different "
                "labels: a model needs at least two labels. Label more items first."
            )
            % {"dataset": dataset, "count": dataset.train_count, "classes": classes_in(dataset)}
        )
    return {
        "spec_version": 1,
        "labels": label_lists.label_ids(field),
        "seed": seed,
        **learners.LEARNERS[learner].plan(settings, dataset.train_count),
        "settings": asdict(settings),
    }


def perform(ctx: JobContext) -> dict[str, Any]:
    """The job: run the learner's program and book the model. A run that has its model already is only
    confirmed.
    """
    run: TrainingRun = ctx.subject
    model = ModelVersion.objects.filter(run=run).first()
    if model is None:
        TrainingRun.objects.filter(pk=run.pk).update(state=TrainingRun.State.RUNNING, error="")
        result = _train(ctx, run)
        model = _book(run, json.loads((result / "result.json").read_text()), artifacts.store(result, "model"))
    return {"model": str(model.uuid), "number": model.number}


def _train(ctx: JobContext, run: TrainingRun) -> Any:
    work = ctx.work_folder()
    spec = {key: value for key, value in run.spec.items() if key != "settings"}
    spec["result"] = str(work / "model")
    spec["data"] = str(artifacts.path(run.dataset.artifact))
    module = learners.LEARNERS[run.learner].program
    if run.learner == TrainingRun.Learner.PROBE:
        return programs.run_light(ctx, module, {**spec, "features": ctx.params["features"]})
    from training.learning import (
        encoder,  # numpy is all it loads until a model is loaded, but it belongs to programs
    )

    spec |= {"work": str(work / "checkpoints"), "base_model": str(encoder.default_encoder_path())}
    return ctx.run_program(module, spec, processes=spec["processes"], torchrun=True)


def _book(run: TrainingRun, figures: dict[str, Any], artifact: Any) -> ModelVersion:
    with transaction.atomic():
        model = ModelVersion.objects.create(
            project=run.project,
            number=next_number(ModelVersion, run.project),
            run=run,
            artifact=artifact,
            labels=figures["labels"],
            figures=figures,
        )
        TrainingRun.objects.filter(pk=run.pk).update(
            state=TrainingRun.State.DONE, finished_at=timezone.now(), error=""
        )
    return model


def settle(job: Job) -> None:
    """Bring a run's state in line with its job, once that has ended or was queued again."""
    open_runs = TrainingRun.objects.filter(job=job).exclude(state=TrainingRun.State.DONE)
    if job.state in (JobState.FAILED, JobState.CANCELLED):
        open_runs.exclude(state=job.state).update(
            state=job.state, error=job.error, finished_at=timezone.now()
        )
    elif job.state == JobState.QUEUED:
        open_runs.exclude(state=TrainingRun.State.QUEUED).update(
            state=TrainingRun.State.QUEUED, error="", finished_at=None
        )


def settle_all() -> int:
    """What the signal does at once, for runs whose signal was lost. Returns how many runs it looked at."""
    waiting = TrainingRun.objects.filter(
        state__in=[TrainingRun.State.QUEUED, TrainingRun.State.RUNNING],
        job__state__in=[JobState.FAILED, JobState.CANCELLED],
    ).select_related("job")
    for run in waiting:
        settle(run.job)
    return len(waiting)
