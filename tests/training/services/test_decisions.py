from __future__ import annotations

from pathlib import Path

import pytest

from accounts.models import AuditEntry
from annotation.models import Project
from jobs.errors import BrokenArtifact
from jobs.models import Artifact
from jobs.services import artifacts
from tests import factories
from training.errors import NotDeployable
from training.models import Decision, Deployment
from training.selectors import models
from training.services import decisions, deployments

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return factories.make_project()


def test_it_deploys_the_first_model_and_says_that_there_was_no_other(project: Project) -> None:
    model = factories.make_model(project)
    decision = decisions.decide(model, factories.make_evaluation(model))
    assert (decision.action, decision.proven, decision.by) == ("deploy", True, None)
    assert "no deployed model to compare with" in decision.reason
    assert models.deployed(project) == model


def test_it_deploys_unproven_where_test_labels_are_few_or_none(project: Project) -> None:
    model = factories.make_model(project)
    few = decisions.decide(model, factories.make_evaluation(model, right=30, wrong=5))
    assert (few.action, few.proven) == ("deploy", False)
    assert "35 labelled test items, 50 are needed" in few.reason
    other = factories.make_model(project, model.run.dataset)
    none = decisions.decide(other, None)
    assert (none.action, none.proven) == ("deploy", False)
    assert models.deployed(project) == other


@pytest.mark.parametrize(
    ("low", "high", "action"), [(-0.2, -0.01, "keep"), (-0.1, 0.05, "deploy"), (0.01, 0.1, "deploy")]
)
def test_it_keeps_the_deployed_model_only_where_the_interval_lies_below_zero(
    project: Project, low: float, high: float, action: str
) -> None:
    first = factories.make_model(project)
    decisions.decide(first, None)
    second = factories.make_model(project, first.run.dataset)
    evaluation = factories.make_evaluation(second, baseline=first, value=(low + high) / 2, low=low, high=high)
    assert decisions.decide(second, evaluation).action == action
    assert models.deployed(project) == (first if action == "keep" else second)


def test_it_decides_once_however_often_it_is_asked(project: Project) -> None:
    model = factories.make_model(project)
    evaluation = factories.make_evaluation(model)
    assert decisions.decide(model, evaluation) == decisions.decide(model, evaluation)
    assert (Decision.objects.count(), Deployment.objects.count()) == (1, 1)


def test_it_decides_once_when_the_signal_and_the_tick_ask_at_once(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = factories.make_model(project)
    evaluation = factories.make_evaluation(model)
    first: list[Decision] = []
    verified = artifacts.open_verified

    def meanwhile(artifact: Artifact) -> Path:
        if not first:
            monkeypatch.undo()
            first.append(decisions.decide(model, evaluation))
        return verified(artifact)

    monkeypatch.setattr(artifacts, "open_verified", meanwhile)
    assert decisions.decide(model, evaluation) == first[0] == Decision.objects.get()
    assert Deployment.objects.get().model == model


def test_it_does_not_bring_back_a_model_that_another_has_followed(project: Project) -> None:
    first, second = factories.make_model(project), factories.make_model(project)
    decisions.decide(first, None)
    decisions.decide(second, None)
    decisions.decide(first, None)
    assert models.deployed(project) == second


def test_it_does_not_undo_an_engineers_word_when_asked_again(project: Project) -> None:
    by = factories.make_user()
    first, second = factories.make_model(project), factories.make_model(project)
    decisions.decide(first, None)
    decisions.decide(second, None)
    decisions.overrule(second, action="keep", reason="worse on refunds", by=by)
    decisions.decide(second, None)
    assert models.deployed(project) == first


def test_it_stores_an_engineers_decision_beside_the_rules(project: Project) -> None:
    by = factories.make_user()
    first, second = factories.make_model(project), factories.make_model(project)
    decisions.decide(first, None)
    decisions.decide(second, None)
    kept = decisions.overrule(second, action="keep", reason=" worse on refunds ", by=by)
    assert (kept.by, kept.reason) == (by, "worse on refunds")
    assert models.deployed(project) == first
    assert models.standing_decision(second) == kept
    decisions.overrule(second, action="deploy", reason="no, it is better", by=by)
    assert models.deployed(project) == second
    assert [d.model_id for d in Deployment.objects.order_by("pk")] == [
        first.pk,
        second.pk,
        first.pk,
        second.pk,
    ]
    assert Deployment.objects.filter(ended_at=None).count() == 1
    assert AuditEntry.objects.filter(verb="decision.overruled", actor=by).count() == 2


def test_it_may_keep_a_model_out_that_does_not_serve(project: Project) -> None:
    by = factories.make_user()
    first, second = factories.make_model(project), factories.make_model(project)
    decisions.decide(first, None)
    assert decisions.overrule(second, action="keep", reason="not this one", by=by).action == "keep"
    assert models.deployed(project) == first


@pytest.mark.parametrize(
    ("action", "reason", "words"),
    [
        ("delete", "why not", "“delete” is no decision: choose one of deploy, keep"),
        ("deploy", "  ", "needs its reason"),
        ("keep", "bad", "the only one that was ever deployed"),
    ],
)
def test_it_refuses_a_decision_that_cannot_stand(
    project: Project, action: str, reason: str, words: str
) -> None:
    model = factories.make_model(project)
    decisions.decide(model, None)
    with pytest.raises(NotDeployable, match=words):
        decisions.overrule(model, action=action, reason=reason, by=factories.make_user())
    assert models.deployed(project) == model


def test_it_does_not_deploy_a_model_whose_files_are_damaged(project: Project) -> None:
    first, second = factories.make_model(project), factories.make_model(project)
    deployments.deploy(first)
    file = next(path for path in artifacts.path(second.artifact).iterdir() if path.name != "manifest.json")
    file.chmod(0o644)
    file.write_text("other bytes")
    with pytest.raises(BrokenArtifact):
        decisions.decide(second, None)
    assert models.deployed(project) == first
    assert not second.decisions.exists()
