"""`manage.py evaluation`: figures and decisions of a model, and a person's word against the rule."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from tests import factories
from training.selectors import models
from training.services import decisions

pytestmark = pytest.mark.django_db


def call(*args: object) -> list[str]:
    out = io.StringIO()
    call_command("evaluation", *map(str, args), stdout=out)
    return out.getvalue().splitlines()


def test_it_prints_figures_and_decisions_of_the_newest_model_or_of_a_given_one() -> None:
    project = factories.make_project()
    first = factories.make_model(project)
    decisions.decide(first, None)
    second = factories.make_model(project, first.run.dataset)
    evaluation = factories.make_evaluation(second, baseline=first, value=0.05, low=0.01, high=0.09)
    decisions.decide(second, evaluation)
    lines = call(project.slug)
    assert lines[0] == "m2, deployed"
    assert lines[1].startswith("  Accuracy                80.0% (") and lines[1].endswith(", n = 100")
    assert "  Accuracy, less m1       +5.0% (+1.0% to +9.0%), n = 100" in lines
    assert lines[-1].startswith("  deploy (the rule): ")
    assert call(project.slug, 1)[:2] == ["m1", "  not evaluated: there were no test labels"]


def test_a_person_overrules_the_rule() -> None:
    project = factories.make_project()
    li = factories.make_user("li")
    first = factories.make_model(project)
    second = factories.make_model(project, first.run.dataset)
    for model in (first, second):
        decisions.decide(model, None)
    lines = call(project.slug, 2, "--keep", "--reason", "It mixes up refunds.", "--user", "li")
    assert (lines[0], models.deployed(project)) == ("m2", first)
    assert second.decisions.first().by == li
    assert any("(li, unproven): It mixes up refunds." in line for line in lines)
    assert call(project.slug, 2, "--deploy", "--reason", "Mended.", "--user", "li")[0] == "m2, deployed"


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ((7,), "no model m7"),
        ((1, "--deploy", "--reason", "So."), "name them by --user"),
        ((1, "--deploy", "--user", "li"), "needs its reason"),
        ((1, "--deploy", "--keep"), "contradict each other"),
        ((1, "--deploy", "--reason", "So.", "--user", "nobody"), "There is no person “nobody”"),
    ],
)
def test_it_says_what_is_missing(given: tuple[object, ...], complaint: str) -> None:
    project = factories.make_project()
    factories.make_user("li")
    factories.make_model(project)
    with pytest.raises(CommandError, match=complaint):
        call(project.slug, *given)


def test_it_says_so_where_there_is_no_model() -> None:
    with pytest.raises(CommandError, match="no model yet: launch a round"):
        call(factories.make_project().slug)
