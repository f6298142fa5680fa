"""Suggestions: stored once a labeller and item, all or none."""

from __future__ import annotations

import pytest

from annotation.errors import ProjectArchived
from annotation.models import Prelabel, Project
from annotation.services import prelabels, projects
from annotation.task_types.registry import InvalidValue
from tests.factories import make_item, make_model_labeller, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project()


def test_it_stores_value_confidence_and_scores(project: Project) -> None:
    item, model = make_item(project), make_model_labeller(project)
    scores = {"refund": 0.7, "other": 0.2}
    assert prelabels.store(project, model, [(item.pk, {"label": "refund"}, 0.7, scores)]) == 1
    stored = Prelabel.objects.get()
    assert (stored.item, stored.labeller, stored.value) == (item, model, {"label": "refund"})
    assert (stored.confidence, stored.scores) == (0.7, scores)


def test_it_keeps_what_the_same_labeller_said_first(project: Project) -> None:
    item, model = make_item(project), make_model_labeller(project)
    prelabels.store(project, model, [(item.pk, {"label": "refund"}, 0.7, {})])
    prelabels.store(project, model, [(item.pk, {"label": "other"}, 0.9, {})])
    assert Prelabel.objects.get().value == {"label": "refund"}
    prelabels.store(project, make_model_labeller(project), [(item.pk, {"label": "other"}, 0.9, {})])
    assert Prelabel.objects.count() == 2


@pytest.mark.parametrize("confidence", [-0.01, 1.01, float("nan")])
def test_it_refuses_a_confidence_that_is_no_probability(project: Project, confidence: float) -> None:
    items = [make_item(project), make_item(project)]
    with pytest.raises(ValueError, match="give a number from 0 to 1"):
        prelabels.store(
            project,
            make_model_labeller(project),
            [(items[0].pk, {"label": "other"}, 0.5, {}), (items[1].pk, {"label": "other"}, confidence, {})],
        )
    assert not Prelabel.objects.exists()


def test_it_refuses_a_label_outside_the_schema(project: Project) -> None:
    with pytest.raises(InvalidValue):
        prelabels.store(
            project, make_model_labeller(project), [(make_item(project).pk, {"label": "nonsense"}, 0.5, {})]
        )


def test_it_refuses_items_of_another_project(project: Project) -> None:
    other = make_item(make_project())
    with pytest.raises(ValueError, match="1 of 1 items are not in"):
        prelabels.store(project, make_model_labeller(project), [(other.pk, {"label": "other"}, 0.5, {})])


def test_it_writes_nothing_to_an_archived_project(project: Project) -> None:
    item, model = make_item(project), make_model_labeller(project)
    projects.archive(project)
    with pytest.raises(ProjectArchived):
        prelabels.store(project, model, [(item.pk, {"label": "other"}, 0.5, {})])
