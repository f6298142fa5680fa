"""What becomes of a judged model: deployed by the rule, or as an engineer says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.services import audit
from annotation.models import Project
from jobs.services import artifacts
from training.errors import NotDeployable
from training.evaluation import compare
from training.models import Decision, Evaluation, ModelVersion
from training.services import deployments


def decide(model: ModelVersion, evaluation: Evaluation | None) -> Decision:
    """Apply the rule once: deploy unless the new model is clearly worse than the deployed one. Asked again,
    it answers the same.

    Too few test labels decide nothing: the model is deployed and marked unproven.

    Raises:
        BrokenArtifact: files of the model are missing or changed; nothing is decided.
    """
    if existing := _by_rule(model, evaluation):
        return existing
    figures = evaluation.figures if evaluation else {}
    verdict = compare.decide(
        _difference(evaluation), figures["model"]["n"] if figures else 0, **_words(figures)
    )
    if verdict.action == Decision.Action.DEPLOY:
        artifacts.open_verified(model.artifact)  # before the lock: gigabytes may be hashed
    with transaction.atomic():
        Project.objects.select_for_update(of=("self",), no_key=True).only("pk").get(pk=model.project_id)
        if existing := _by_rule(model, evaluation):  # a signal and the tick may ask at once
            return existing
        decision = Decision.objects.create(
            project=model.project,
            model=model,
            evaluation=evaluation,
            action=verdict.action,
            proven=verdict.proven,
            reason=verdict.reason,
        )
        if decision.action == Decision.Action.DEPLOY:
            deployments.put_in_service(model)
    return decision


def _by_rule(model: ModelVersion, evaluation: Evaluation | None) -> Decision | None:
    return Decision.objects.filter(model=model, evaluation=evaluation, by=None).first()


def overrule(model: ModelVersion, *, action: str, reason: str, by: User) -> Decision:
    """An engineer's decision. "deploy" makes the model serve; "keep" brings back the one before, if this one
    serves.

    Raises:
        NotDeployable: no reason was given, or there is no other model to go back to.
    """
    if action not in Decision.Action.values:
        raise NotDeployable(
            _("“%(action)s” is no decision: choose one of %(known)s.")
            % {"action": action, "known": ", ".join(Decision.Action.values)}
        )
    if not reason.strip():
        raise NotDeployable(
            _("A decision needs its reason: write one sentence that a colleague can follow later.")
        )
    previous = models_before(model) if action == Decision.Action.KEEP else None
    evaluation = model.evaluations.first()
    with transaction.atomic():
        decision = Decision.objects.create(
            project=model.project,
            model=model,
            evaluation=evaluation,
            action=action,
            proven=_was_proven(model),
            reason=reason.strip(),
            by=by,
        )
        if action == Decision.Action.DEPLOY:
            deployments.deploy(model, by=by)
        elif previous is not None:
            deployments.deploy(previous, by=by)
        audit.record(
            "decision.overruled",
            actor=by,
            scope=model.project.uuid,
            target=model,
            action=action,
            reason=reason,
        )
    return decision


def models_before(model: ModelVersion) -> ModelVersion | None:
    """What takes over when `model` is taken out of service; None if it does not serve.

    Raises:
        NotDeployable: it serves and there is no other.
    """
    if not deployments.is_deployed(model):
        return None
    previous = deployments.predecessor(model)
    if previous is None:
        raise NotDeployable(
            _(
                "Model %(model)s is the only one that was ever deployed: there is none to go back to. "
                "Train another first."
            )
            % {"model": model}
        )
    return previous


def _difference(evaluation: Evaluation | None) -> compare.Difference | None:
    figures = evaluation.figures if evaluation else {}
    given = figures.get("likelihood_difference") or figures.get("difference")
    return compare.Difference(**given) if given else None


def _words(figures: Mapping[str, Any]) -> dict[str, str]:
    """What was measured, and against what where that is not the deployed model."""
    if "measure" not in figures:
        return {"measure": figures.get("headline", "accuracy")}
    against = "the deployed model" if figures["against"] == "deployed" else "the base model"
    return {"measure": figures["measure"], "against": against}


def _was_proven(model: ModelVersion) -> bool:
    by_rule = model.decisions.filter(by=None).first()
    return by_rule is not None and by_rule.proven
