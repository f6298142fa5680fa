"""GRPO: a language model learns from its own replies what the project's reward model likes.

A run and a job of its own kind. What comes out is a model like a tuned one: judged on the test items beside the
deployed one, deployed by the same rule; and a base model, so that it can be tuned further.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings as conf
from django.db import IntegrityError, transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import audit
from accounts.wording import said
from annotation.models import DatasetVersion, Project
from annotation.selectors import schemas
from annotation.services.archive import guard_writable
from annotation.task_types import registry
from jobs.errors import BrokenArtifact
from jobs.models import State
from jobs.services import artifacts, jobs
from jobs.services.context import JobContext
from training import learners, reinforcement
from training.errors import BadSettings, NothingToEvaluate, NotTrainable
from training.models import Evaluation, ModelVersion, TrainingRun
from training.objectives.language import REWARD, TYPES
from training.selectors import base_models as bases
from training.services import base_models, curves, decisions, evaluations, programs, runs, tuning
from training.services.numbering import next_number

logger = logging.getLogger(__name__)

KIND = "training.run_reinforcement"
PROGRAM = "training.programs.reinforce"
_SAVE_EVERY = 25  # a step takes long
# Of a run's spec: how the program's paths are found, and what people set, for MLflow.
_OURS = ("name", "reward", "reward_base", "base", "settings")


def reward_models(project: Project) -> list[ModelVersion]:
    """The project's reward models, the newest first."""
    found = ModelVersion.objects.filter(project=project).select_related("artifact", "run").order_by("-number")
    return [model for model in found if tuning.is_tuned(model) and model.figures["objective"] == REWARD]


def learns_replies(project: Project) -> bool:
    """Whether the project labels what rewards could be learnt for."""
    schema = schemas.current(project)
    return schema is not None and registry.field_of(schema.definition)["type"] in TYPES


def launch(
    project: Project,
    *,
    name: str,
    number: int | None = None,
    base_model: str = "",
    settings: dict[str, Any] | None = None,
    seed: int = 0,
    by: User | None = None,
) -> TrainingRun:
    """Add a run and its job. One of that name that has failed or was cancelled goes on instead, from its newest
    checkpoint and with the settings it had; one that waits or runs is returned.

    Args:
        name: of the base model that is made. number: of the reward model; None: the newest.
        base_model: the one that learns; empty: the reward model's own base.
        settings: see ReinforceSettings; what is left out has its default.

    Raises:
        NotTrainable: no such reward model, or no dataset of responses or preferences.
        BadSettings: settings that are refused; the name is taken, or no name.
        BadBaseModel: a base model is gone.
    """
    guard_writable(project)
    slug = slugify(name)[:60]
    origin = f"reinforce:{slug}"
    if slug and (existing := TrainingRun.objects.filter(project=project, origin=origin).first()):
        return _again(existing, name, by)
    if not slug or slug in bases.RESERVED or bases.for_project(project).filter(name=slug).exists():
        raise _name_taken(name)
    spec = _spec(project, slug, number, base_model, settings or {}, seed)
    with transaction.atomic():
        try:
            with transaction.atomic():
                run = TrainingRun.objects.create(
                    project=project,
                    number=next_number(TrainingRun, project),
                    dataset=_dataset(project),
                    learner=TrainingRun.Learner.REINFORCE,
                    spec=spec,
                    origin=origin,
                    created_by=by,
                )
        except IntegrityError:
            existing = TrainingRun.objects.filter(project=project, origin=origin).first()
            if existing is None:
                raise
            return existing  # another process was first
        run.job = jobs.enqueue(
            KIND, subject=run, scope=project.uuid, created_by=by, key=f"training.reinforce:{run.uuid}"
        )
        run.save(update_fields=["job"])
        audit.record("run.launched", actor=by, scope=project.uuid, target=run, learner=run.learner)
    return run


def _again(run: TrainingRun, name: str, by: User | None) -> TrainingRun:
    """By its job: a run has its model, and is done, before that is registered."""
    if run.job is None or run.job.state == State.DONE:
        raise _name_taken(name)
    if run.job.state in (State.FAILED, State.CANCELLED):
        jobs.retry(run.job, by)
        runs.settle(run.job)
        run.refresh_from_db()
    return run


def _name_taken(name: str) -> BadSettings:
    return BadSettings(
        _("Found the name “%(name)s”, expected a new one of letters and digits.") % {"name": name}
    )


def _spec(
    project: Project, slug: str, number: int | None, base_model: str, given: dict[str, Any], seed: int
) -> dict[str, Any]:
    """What the run keeps: the program's spec without paths, and the names that lead to them."""
    try:
        settings = reinforcement.settings_of(given)
    except ValueError as error:
        raise BadSettings(said(error)) from error
    able = [model for model in reward_models(project) if number in (None, model.number)]
    if not able:
        raise NotTrainable(
            _("Found no such reward model: tune one on preferences first (preferences: reward).")
        )
    reward, dataset = able[0], _dataset(project)
    base = bases.find(project, base_model).told() if base_model else dict(reward.figures["base"])
    return {
        "spec_version": 1,
        "seed": seed,
        "name": slug,
        "reward": reward.number,
        "reward_base": dict(reward.figures["base"]),
        "base": base,
        "kind": registry.field_of(dataset.schema_version.definition)["type"],
        **asdict(settings),
        "precision": reward.run.spec["precision"],
        "save_every": min(_SAVE_EVERY, learners.save_every(settings.steps)),
        "settings": asdict(settings),
    }


def _dataset(project: Project) -> DatasetVersion:
    """The newest dataset, whose prompts are answered. Raises NotTrainable where there are none."""
    dataset = (
        DatasetVersion.objects.filter(project=project).select_related("artifact", "schema_version").first()
    )
    if dataset is None or registry.field_of(dataset.schema_version.definition)["type"] not in TYPES:
        raise NotTrainable(
            _("Found no dataset of responses or preferences, whose prompts could be answered.")
        )
    return dataset


def perform(ctx: JobContext) -> dict[str, Any]:
    """The job: run the program, book the model, register it as a base model, have it judged. Done twice it
    equals once.
    """
    run: TrainingRun = ctx.subject
    model = ModelVersion.objects.filter(run=run).select_related("artifact").first()
    if model is None:
        TrainingRun.objects.filter(pk=run.pk).update(state=TrainingRun.State.RUNNING, error="")
        with curves.of_run(run, ctx.log) as curve:
            ctx.observers.append(curve.point)
            result = _train(ctx, run)
        figures = json.loads((result / "result.json").read_text())
        model = runs.book(run, figures, artifacts.store(result, "model"))
    base_models.register(
        run.project, name=run.spec["name"], folder=str(_as_base(run, model)), is_new=True, by=run.created_by
    )
    try:
        evaluations.launch(model, run.dataset, by=run.created_by)
    except NothingToEvaluate:
        ctx.log("no test item is labelled: the model was not judged, and is not deployed")
    return {"model": str(model.uuid), "number": model.number, "base_model": run.spec["name"]}


def _train(ctx: JobContext, run: TrainingRun) -> Path:
    work = ctx.work_folder()
    reward = ModelVersion.objects.select_related("artifact").get(
        project=run.project, number=run.spec["reward"]
    )
    second = Path(conf.TRAINING_SECOND_COPY) / str(run.uuid) if conf.TRAINING_SECOND_COPY else ""
    spec = {
        **{name: value for name, value in run.spec.items() if name not in _OURS},
        "result": str(work / "model"),
        "work": str(work / "checkpoints"),
        "second_copy": str(second),
        "data": str(artifacts.path(run.dataset.artifact)),
        "base": run.spec["base"],
        **tuning.paths_of(run.project, run.spec["base"]),
        "reward_model": str(artifacts.path(reward.artifact)),
        "reward_base": tuning.paths_of(run.project, run.spec["reward_base"])["base_model"],
    }
    return programs.run_ranks(ctx, run, PROGRAM, spec)


def _as_base(run: TrainingRun, model: ModelVersion) -> Path:
    """The model's files where base models lie, without a second copy of their bytes where the disk allows."""
    folder = bases.folder_of(run)
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = folder.with_name(f".{folder.name}")
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(artifacts.path(model.artifact) / "model", draft, copy_function=_link)
        draft.rename(folder)
    return folder


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copy2(source, target)


def decide(evaluation: Evaluation) -> None:
    """What becomes of a judged model that was taught by rewards: the rule that rounds apply to theirs."""
    if evaluation.model.run.learner == TrainingRun.Learner.REINFORCE:
        decisions.decide(evaluation.model, evaluation)


def decide_all() -> int:
    """The same for those whose signal was lost. Returns how many."""
    waiting = Evaluation.objects.filter(
        model__run__learner=TrainingRun.Learner.REINFORCE, decisions__isnull=True
    ).select_related("model__run", "model__project", "model__artifact")
    done = 0
    for evaluation in waiting:
        try:
            decide(evaluation)
            done += 1
        except BrokenArtifact as error:  # one damaged model must not hold up the others
            logger.warning("model %s is not decided on: %s", evaluation.model_id, error)
    return done
