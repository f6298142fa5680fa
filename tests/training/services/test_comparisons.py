from __future__ import annotations

import pytest

from tests import factories
from training.services import comparisons

pytestmark = pytest.mark.django_db


def test_a_step_of_gradient_surgery_costs_as_many_as_it_has_tasks() -> None:
    project = factories.make_project()
    dataset = factories.make_dataset(project)
    with_surgery, plain, older = (factories.make_model(project, dataset) for _ in range(3))
    with_surgery.figures = {"steps": 10, "surgery": {"tasks": ["a", "b", "c"]}}
    plain.figures = {"steps": 12, "surgery": None}
    older.figures = {"steps": 7}
    assert comparisons.costs(with_surgery, plain) == (30, 12)
    assert comparisons.costs(older, with_surgery) == (7, 30)
