"""Training runs: from a frozen dataset version and a learner's settings to a model version."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings as conf
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import audit
from accounts.wording import said
from annotation.models import DatasetVersion, Project
from annotation.selectors import schemas
from annotation.task_types import registry
from jobs.models import Job
from jobs.models import State as JobState
from jobs.services import artifacts, jobs
from jobs.services.context import JobContext
from training import learners
from training.distributed import elastic
from training.errors import BadSettings, NotTrainable
from training.learners import FinetuneSettings, TuneSettings
from training.models import ModelVersion, TrainingRun
from training.selectors import base_models as bases
from training.selectors import models
from training.services import base_models, curves, programs, tuning
from training.services.numbering import next_number

KIND = "training.run_training"
_OPEN, _ENDED = (JobState.QUEUED, JobState.RUNNING), (JobState.FAILED, JobState.CANCELLED)  # a run's too

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
    """How many different answers its train items have, as its manifest says; an older one says how many
    different labels."""
    if "distinct_answers" in dataset.manifest:
        return int(dataset.manifest["distinct_answers"]["train"])
    counts: dict[str, int] = dataset.manifest["counts_by_label"]["train"]
    return sum(1 for count in counts.values() if count)


def _spec(dataset: DatasetVersion, learner: str, given: dict[str, Any], seed: int) -> dict[str, Any]:
    """The program's spec, without the paths."""
    try:
        settings = learners.settings_of(learner, given)
    except ValueError as error:
        raise BadSettings(said(error)) from error
    field = registry.field_of(dataset.schema_version.definition)
    planned = learners.LEARNERS[learner].plan(settings, dataset.train_count)
    if not learners.learns(learner, field["type"]):
        able = [str(one.label) for one in learners.learners_for(field["type"])]
        if not able:
            raise NotTrainable(
                _("No objective learns from “%(type)s” yet: export the dataset instead.")
                % {"type": registry.task_type(field).label}
            )
        raise NotTrainable(
            _("“%(learner)s” does not learn from “%(type)s”: use %(others)s.")
            % {
                "learner": learners.LEARNERS[learner].label,
                "type": registry.task_type(field).label,
                "others": ", ".join(able),
            }
        )
    if learner == TrainingRun.Learner.TUNE:
        spec = tuning.spec_of(dataset, field, settings, planned)
        return {"spec_version": 1, "seed": seed, **spec, "settings": asdict(settings)}
    try:
        aim = learners.aim(learner, field, settings)
    except ValueError as error:
        raise BadSettings(said(error)) from error
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
        **aim,
        "seed": seed,
        **planned,
        **(_start(dataset, settings, aim) if isinstance(settings, FinetuneSettings) else {}),
        "settings": asdict(settings),
    }


def check(project: Project, learner: str, given: dict[str, Any]) -> None:
    """Refuse settings that no run of the project could have.

    Raises:
        BadSettings: an unknown learner or settings that it refuses, by themselves, with its base model or for
            what the project asks.
        BadBaseModel: there is no such base model.
    """
    schema = schemas.current(project)
    field = schemas.label_field(schema) if schema else None
    try:
        settings = learners.settings_of(learner, given)
        if isinstance(settings, FinetuneSettings) and field and learners.learns(learner, field["type"]):
            learners.aim(learner, field, settings)
    except ValueError as error:
        raise BadSettings(said(error)) from error
    if isinstance(settings, FinetuneSettings) and settings.start_from == "base":
        _base(project, settings)
    # Without any language model a round still freezes labels and spreads its batch.
    if isinstance(settings, TuneSettings) and (settings.base_model or bases.default(project)):
        tuning.check_base(bases.find(project, settings.base_model), settings)


def _base(project: Project, settings: FinetuneSettings) -> dict[str, Any]:
    base = bases.find(project, settings.base_model, bases.Kind.ENCODER)
    _check_encoder(settings, Path(base.path))
    return {"base": base.told()}


def _check_encoder(settings: FinetuneSettings, folder: Path) -> None:
    try:
        learners.check_encoder(settings, folder, elastic.most_of(conf.TRAINING_NODES))
    except ValueError as error:
        raise BadSettings(said(error)) from error


def _start(dataset: DatasetVersion, settings: FinetuneSettings, aim: dict[str, Any]) -> dict[str, Any]:
    """What a fine-tune begins with: a base model, or the model that is deployed now, with the base that this
    was made from.

    Raises:
        BadBaseModel: there is no such base model.
        BadSettings: no model is deployed, or the deployed one has other outputs or was made from another base.
    """
    if settings.start_from == "base":
        return _base(dataset.project, settings)
    deployed = models.deployed(dataset.project)
    if deployed is None or deployed.run.learner != TrainingRun.Learner.FINETUNE:
        raise BadSettings(
            _("There is no deployed fine-tuned model to go on from: start from the base model.")
        )
    known = deployed.figures.get("objective", "classification"), deployed.labels
    if known != (aim["objective"], aim["labels"]):
        raise BadSettings(
            _(
                "The deployed model %(model)s knows other labels than the schema has now: "
                "start from the base model."
            )
            % {"model": deployed}
        )
    base = deployed.run.spec.get("base") or bases.packaged_encoder().told()
    if settings.base_model not in ("", base["name"]):
        raise BadSettings(
            _(
                "The deployed model %(model)s was made from “%(base)s”: leave the base model empty to go on "
                "from it, or start from the base model."
            )
            % {"model": deployed, "base": base["name"]}
        )
    _check_encoder(settings, artifacts.path(deployed.artifact) / "model")
    return {"base": base, "start_model": str(deployed.uuid)}


def perform(ctx: JobContext) -> dict[str, Any]:
    """The job: run the learner's program and book the model. A run that has its model already is only
    confirmed.
    """
    run: TrainingRun = ctx.subject
    model = ModelVersion.objects.filter(run=run).first()
    if model is None:
        TrainingRun.objects.filter(pk=run.pk).update(state=TrainingRun.State.RUNNING, error="")
        with curves.of_run(run, ctx.log) as curve:
            ctx.observers.append(curve.point)
            result = _train(ctx, run)
        model = book(run, json.loads((result / "result.json").read_text()), artifacts.store(result, "model"))
    return {"model": str(model.uuid), "number": model.number}


def _train(ctx: JobContext, run: TrainingRun) -> Any:
    work = ctx.work_folder()
    spec = {key: value for key, value in run.spec.items() if key not in ("settings", "start_model")}
    spec["result"] = str(work / "model")
    spec["data"] = str(artifacts.path(run.dataset.artifact))
    module = learners.LEARNERS[run.learner].program
    if run.learner == TrainingRun.Learner.PROBE:
        return programs.run_light(ctx, module, {**spec, "features": ctx.params["features"]})
    spec["work"] = str(work / "checkpoints")
    copies = Path(conf.TRAINING_SECOND_COPY) / str(run.uuid) if conf.TRAINING_SECOND_COPY else ""
    spec["second_copy"] = str(copies)
    if run.learner == TrainingRun.Learner.TUNE:
        spec |= tuning.paths_of(run.project, spec["base"])
        return programs.run_ranks(ctx, run, module, spec)
    told = spec.pop("base", None) or bases.packaged_encoder().told()
    if start := run.spec.get("start_model"):
        known = ModelVersion.objects.select_related("artifact", "run__dataset__artifact").get(uuid=start)
        spec |= {
            "base_model": str(artifacts.path(known.artifact) / "model"),
            "start_head": True,
            "before": str(artifacts.path(known.run.dataset.artifact)),
        }
    else:
        spec["base_model"] = base_models.unchanged(run.project, told, bases.Kind.ENCODER).path
    return programs.run_ranks(ctx, run, module, spec)


def book(run: TrainingRun, figures: dict[str, Any], artifact: Any) -> ModelVersion:
    """The run is done, and this is its model."""
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
    """Bring a run's state in line with its job, once that has ended or was queued again. Only while the row of
    the job is as `job` says: a worker may have been faster.
    """
    found = TrainingRun.objects.filter(job=job, job__state=job.state).exclude(state=TrainingRun.State.DONE)
    if job.state in _ENDED:
        found.exclude(state=job.state).update(state=job.state, error=job.error, finished_at=timezone.now())
    elif job.state in _OPEN:
        found.filter(state__in=_ENDED).update(state=job.state, error="", finished_at=None)


def settle_all() -> int:
    """What the signal does at once, for runs whose signal was lost or whose job was tried again from its own
    page. Returns how many runs it looked at.
    """
    waiting = TrainingRun.objects.filter(
        Q(state__in=_OPEN, job__state__in=_ENDED) | Q(state__in=_ENDED, job__state__in=_OPEN)
    ).select_related("job")
    for run in waiting:
        settle(run.job)
    return len(waiting)
