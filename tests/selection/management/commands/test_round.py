from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from annotation.models import Project
from jobs.models import Job
from selection.models import Round
from selection.services import rounds
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    project = factories.make_project("Bank intents", batch_size=4)
    factories.make_items(project, 8, split="train")
    return project


def call(*arguments: str) -> str:
    out = StringIO()
    call_command("round", *arguments, stdout=out)
    return out.getvalue()


def test_it_launches_with_the_projects_settings(project: Project) -> None:
    assert "round 1 of bank-intents is launched" in call("bank-intents")
    assert Round.objects.get().spec["batch_size"] == 4
    assert Job.objects.get().state == "queued"


def test_it_takes_what_is_given_and_the_rest_from_the_last_round(project: Project) -> None:
    call(
        "bank-intents",
        "--strategy",
        "margin_clipped",
        "--strategy-settings",
        '{"skip_share": 0.1}',
        "--batch-size",
        "3",
    )
    rounds.cancel(Round.objects.get())
    call("bank-intents", "--seed", "7", "--learner", "probe")
    spec = Round.objects.get(number=2).spec
    assert (spec["strategy"], spec["settings"], spec["batch_size"]) == (
        "margin_clipped",
        {"skip_share": 0.1},
        3,
    )
    assert (spec["seed"], spec["learner"]) == (7, "probe")
    rounds.cancel(Round.objects.get(number=2))
    call("bank-intents", "--strategy", "random")
    assert Round.objects.get(number=3).spec["settings"] == {}


def test_it_waits_for_the_end_and_tells_every_station(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(round_: Round) -> Round:
        rounds.cancel(round_)
        return round_

    monkeypatch.setattr(rounds, "run_to_end", end)
    with pytest.raises(CommandError, match="the round cancelled"):
        call("bank-intents", "--wait")


def _ends(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rounds end at once and well; returns their numbers as they do."""
    ended: list[int] = []

    def end(round_: Round) -> Round:
        ended.append(round_.number)
        Round.objects.filter(pk=round_.pk).update(state=Round.State.DONE)
        round_.refresh_from_db()
        return round_

    monkeypatch.setattr(rounds, "run_to_end", end)
    return ended


def test_it_runs_the_round_that_an_import_has_started_where_there_is_no_worker(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = _ends(monkeypatch)
    rounds.start_first(project)
    said = call("bank-intents", "--wait")
    assert "round 1 of bank-intents was started before" in said and "round 1 is done" in said
    assert ended == [1]


def test_it_launches_what_was_asked_for_after_the_round_that_runs(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = _ends(monkeypatch)
    rounds.start_first(project)
    assert "round 2 of bank-intents is launched" in call("bank-intents", "--wait", "--learner", "probe")
    assert ended == [1, 2]
    assert Round.objects.get(number=2).spec["learner"] == "probe"


def test_it_scores_as_many_items_as_it_is_told(project: Project) -> None:
    call("bank-intents", "--batch-size", "3", "--pool-limit", "5")
    assert Round.objects.get().spec["pool_limit"] == 5
    with pytest.raises(CommandError, match="found a pool limit of 2, expected 3"):
        call("bank-intents", "--batch-size", "3", "--pool-limit", "2")


def test_it_refuses_a_second_round_where_it_does_not_wait(project: Project) -> None:
    rounds.start_first(project)
    with pytest.raises(CommandError, match="Round 1 of this project is still running"):
        call("bank-intents")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "there is no project 'nowhere'; there is: bank-intents"),
        (["bank-intents", "--batch-size", "9"], "The pool has 8 unlabelled items, the batch needs 9"),
        (["bank-intents", "--batch-size", "-1"], "found a batch size of -1"),
        (["bank-intents", "--strategy-settings", '{"colour": 1}'], "no setting colour"),
    ],
)
def test_it_says_what_is_wrong(project: Project, arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        call(*arguments)
    assert not Round.objects.exists()


def test_it_refuses_names_that_do_not_exist(project: Project) -> None:
    arguments: dict[str, Any] = {"stdout": StringIO()}
    with pytest.raises(CommandError, match="invalid choice: 'best'"):
        call_command("round", "bank-intents", "--strategy", "best", **arguments)
