"""How each station of a round is started, when it is left out, and what its job's result becomes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.utils.translation import gettext as _

from jobs.models import Job
from jobs.services import jobs
from selection.models import Round, Station
from selection.round_spec import RoundSpec
from selection.services import pool, stations
from training.models import ModelVersion, TrainingRun
from training.objectives import language
from training.objectives.parts import INCREMENT
from training.services import comparisons, evaluations, runs, tuning

KINDS = {
    Station.COLLECT: ("selection.collect_labels", stations.collect),
    Station.FREEZE: ("selection.freeze_labels", stations.freeze),
    Station.DECIDE: ("selection.decide_model", stations.decide),
    Station.SCORE: ("selection.score_pool", stations.score),
    Station.PICK: ("selection.pick_batch", stations.pick),
    Station.PUBLISH: ("selection.publish_batch", stations.publish),
}
_AUTOMATIC: ContextVar[bool] = ContextVar("selection_automatic_rounds", default=True)


def automatic_rounds() -> bool:
    return _AUTOMATIC.get()


@contextmanager
def by_hand_only() -> Iterator[None]:
    """Inside, no round starts by itself (simulate launches its own, with its own strategy)."""
    token = _AUTOMATIC.set(False)
    try:
        yield
    finally:
        _AUTOMATIC.reset(token)


def skip_reason(round_: Round, station: str) -> str:
    """Why this station has nothing to do in this round; empty if it has."""
    collected = _detail(round_, Station.COLLECT)
    cold = stations.is_cold(collected.get("train_labels", {}), collected.get("type", ""))
    match station:
        case Station.FREEZE if not collected.get("learnable", True) and any(collected["labels"].values()):
            return ""
        case Station.TRAIN | Station.EVALUATE | Station.DECIDE if not collected.get("learnable", True):
            return collected.get("lacking") or _(
                "No objective learns from labels of this type yet: the dataset is frozen for export."
            )
        case Station.FREEZE if (
            cold and collected.get("type") in language.TYPES and any(collected["labels"].values())
        ):
            return ""
        case Station.TRAIN | Station.EVALUATE | Station.DECIDE if (
            cold and collected.get("type") in language.TYPES
        ):
            return _("Too few labels to learn from: a language model needs %(count)s of them.") % {
                "count": language.LEAST_EXAMPLES
            }
        case Station.FREEZE | Station.TRAIN | Station.EVALUATE | Station.DECIDE if cold:
            return _("Too few labels to learn from: a model needs labelled items of at least two labels.")
        case Station.EVALUATE if round_.dataset is not None and not round_.dataset.test_count:
            return _("No test item is labelled yet: the model cannot be judged.")
        case Station.SCORE | Station.PICK | Station.PUBLISH if not round_.spec["batch_size"]:
            return _("This round only trains and judges: its batch size is 0.")
        case Station.SCORE:
            model = _scoring_model(round_)
            lacking: str = _detail(round_, Station.COLLECT).get("lacking") or ""
            return "" if model else lacking or _("There is no model yet to score with.")
    return ""


def start(round_: Round, station: str) -> Job:
    """The station's job, queued. Asked twice it is the same job."""
    if station == Station.TRAIN:
        return _train(round_)
    if station == Station.EVALUATE:
        assert round_.dataset is not None
        model = ModelVersion.objects.get(run=round_.run)
        return evaluations.launch(model, round_.dataset, features=_features(round_), by=round_.created_by)
    kind, _function = KINDS[Station(station)]
    return jobs.enqueue(
        kind,
        subject=round_,
        scope=round_.project.uuid,
        created_by=round_.created_by,
        key=f"{stations.origin_of(round_)}:{station}",
    )


def further(round_: Round, station: str, job: Job) -> Job | None:
    """The job that a station goes on with after one of its jobs; None if that was the last. Asked twice it is
    the same job.

    Only a round that compares with a fresh start has more than one: two runs are trained, both models judged,
    and then compared.
    """
    if not _compares(round_) or station not in (Station.TRAIN, Station.EVALUATE):
        return None
    assert round_.dataset is not None
    own = TrainingRun.objects.get(project=round_.project, origin=stations.origin_of(round_))
    if station == Station.TRAIN:
        return _train_fresh(round_, own) if job.pk == own.job_id else None
    if job.kind != evaluations.KIND:
        return None
    model = ModelVersion.objects.get(run=own)
    fresh = ModelVersion.objects.get(run__project=round_.project, run__origin=_fresh_origin(round_))
    if job.subject == model:
        return evaluations.launch(fresh, round_.dataset, features=_features(round_), by=round_.created_by)
    return comparisons.launch(model, fresh, round_.dataset, by=round_.created_by)


def _compares(round_: Round) -> bool:
    """Not where nothing is there to compare on."""
    return bool(round_.spec.get("compare_fresh") and round_.dataset is not None and round_.dataset.test_count)


def _fresh_origin(round_: Round) -> str:
    return f"{stations.origin_of(round_)}:fresh"


def _train_fresh(round_: Round, own: TrainingRun) -> Job:
    """The same dataset, seed and settings from the base model that the deployed one was made from."""
    spec = RoundSpec.from_json(round_.spec)
    settings = {
        **spec.learner_settings,
        "start_from": "base",
        "base_model": own.spec["base"]["name"],
    }
    if settings.get("surgery_tasks", INCREMENT) == INCREMENT:
        settings["gradient_surgery"] = False  # it stands between what is new and what is learnt again
    assert round_.dataset is not None
    run = runs.launch(
        round_.project,
        round_.dataset,
        learner=spec.learner,
        settings=settings,
        seed=spec.seed,
        origin=_fresh_origin(round_),
        by=round_.created_by,
    )
    assert run.job is not None
    return run.job


def outcome(round_: Round, station: str, job: Job) -> dict[str, Any]:
    """What is kept of a finished job as the station's detail; "note" is for people."""
    result = dict(job.result or {})
    if station == Station.TRAIN and _compares(round_):
        both = ModelVersion.objects.filter(
            project=round_.project, run__origin__in=[stations.origin_of(round_), _fresh_origin(round_)]
        ).order_by("number")
        one, other = both
        return {**result, "note": _("models %(one)s and %(other)s") % {"one": one, "other": other}}
    if station == Station.TRAIN:
        return {**result, "note": _("model m%(number)s") % {"number": result["number"]}}
    if station == Station.EVALUATE and "chosen" in result:
        chosen = ModelVersion.objects.get(project=round_.project, number=result["chosen"])
        Round.objects.filter(pk=round_.pk).update(run=chosen.run_id)
        return result
    if station == Station.EVALUATE:
        return {**result, "note": _figure_note(result)}
    return result


def _figure_note(result: dict[str, Any]) -> str:
    """What an evaluation came to, by the figure that decides."""
    headline, value = result.get("headline", "accuracy"), result.get("value")
    if result.get("perplexity"):
        return _("perplexity %(value).2f") % {"value": result["perplexity"]}
    if headline == "accuracy" or value is None:
        return _("accuracy %(share).1f %%") % {"share": 100 * result["accuracy"]}
    if headline == "kappa":
        return _("weighted kappa %(value).3f") % {"value": value}
    return _("F1 %(share).1f %%") % {"share": 100 * value}


def _train(round_: Round) -> Job:
    assert round_.dataset is not None
    spec = RoundSpec.from_json(round_.spec)
    run = runs.launch(
        round_.project,
        round_.dataset,
        learner=spec.learner,
        settings=spec.learner_settings,
        seed=spec.seed,
        origin=stations.origin_of(round_),
        by=round_.created_by,
        features=_features(round_),
    )
    Round.objects.filter(pk=round_.pk).update(run=run)
    assert run.job is not None
    return run.job


def _features(round_: Round) -> list[dict[str, str]]:
    return [dict(shard) for shard in pool.embedding_shards(round_.project)]


def _scoring_model(round_: Round) -> ModelVersion | None:
    """The deployed model; noted with the round, which scores with this one even if another is deployed
    meanwhile.
    """
    if round_.model is None:
        from training.selectors import models

        model = models.deployed(round_.project)
        if model and tuning.is_tuned(model) and _detail(round_, Station.COLLECT).get("lacking"):
            return None  # what it was tuned from is not there to load
        if model:
            Round.objects.filter(pk=round_.pk).update(model=model)
            round_.model = model
    return round_.model


def _detail(round_: Round, station: str) -> dict[str, Any]:
    found = round_.stations.filter(name=station).values_list("detail", flat=True).first()
    return found or {}
